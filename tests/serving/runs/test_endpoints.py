"""`/v1/runs` after real nights: one that published, one that failed, one that was killed."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from serving.manifest import read_manifest
from serving.runs import run_card
from tests.kit import commands, inside
from tests.kit.inside import Inside, is_problem, running_inside
from tests.kit.running import NOW, Home, quick_home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = quick_home(tmp_path_factory.mktemp("nights"))
    made.batch(made.path / "scores")
    return made


@pytest.fixture(scope="module")
def api(home: Home) -> Iterator[Inside]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inside, "NOW", NOW)
        with running_inside(home.path) as running:
            yield running


class TestRuns:
    def test_a_night_that_published(self, home: Home, api: Inside) -> None:
        manifest = read_manifest(home.path / "scores")
        run = api.client.get("/v1/runs").json()["runs"][-1]
        assert (run["state"], run["exit_code"], run["run_id"], run["why"]) == ("published", 0, manifest["run_id"], None)
        for model in run["models"]:
            about = manifest["models"][model["model"]]
            assert (model["version"], model["rows"]) == (about["version"], about["rows"])
            assert model["scored"] + sum(model["no_score"].values()) == model["rows"]
        assert len(run["models"]) == 2
        assert run["seconds"] > 0
        assert run["ended_at"] >= run["started_at"]

    def test_its_card_names_no_account_and_no_lead(self, home: Home) -> None:
        manifest = read_manifest(home.path / "scores")
        files = [home.path / "scores" / manifest["signals"][entity]["file"] for entity in ("account", "lead")]
        ids = {name for file in files for name in pq.read_table(file)["entity_id"].to_pylist()}
        said = "".join(path.read_text() for path in (home.path / "batches").glob("*.json"))
        assert len(ids) > 50
        assert [name for name in ids if name in said] == []

    def test_one_that_failed_says_why_and_with_which_exit_code(self, home: Home, api: Inside) -> None:
        out = str(home.path / "scores")
        done = home.run("serving", "batch", *home.source, "--as-of", "2026-02-30", "--out", out)
        assert done.returncode == 2
        runs = api.client.get("/v1/runs").json()["runs"]
        run = next(each for each in runs if each["as_of"] == "2026-02-30")
        assert (run["state"], run["exit_code"]) == ("failed", 2)
        assert run["why"].startswith("'2026-02-30' is not a date: write YYYY-MM-DD")

    def test_one_that_was_killed_is_unfinished(self, home: Home, api: Inside) -> None:
        log = home.path.parent / "killed.log"
        arguments = ("serving", "batch", *home.source, "--as-of", "2025-12-01", "--out", str(home.path / "killed"))
        before = set(run_card.names(home.path))
        process = commands.start(*arguments, env=home.environment(), out=log)
        while not (begun := set(run_card.names(home.path)) - before):
            assert process.poll() is None, log.read_text()
            time.sleep(0.02)

        def asked() -> dict[str, str]:
            return next(each for each in api.client.get("/v1/runs").json()["runs"] if each["id"] in begun)

        assert asked()["state"] == "running"
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        run = asked()
        assert run["state"] == "unfinished"
        assert "goes on where it was stopped" in run["why"]

    @pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "before=yesterday", "before=../../store.db"])
    def test_what_does_not_fit_is_refused(self, api: Inside, query: str) -> None:
        assert is_problem(api.client.get(f"/v1/runs?{query}"), 422, "bad_parameters")

    def test_head_and_other_methods(self, api: Inside) -> None:
        assert api.client.request("HEAD", "/v1/runs").status_code == 200
        assert is_problem(api.client.post("/v1/runs", json={}), 405, "no_such_method")


def test_the_scope_is_read(tmp_path: Path) -> None:
    with running_inside(tmp_path / "home") as running:
        wrong, right = running.key("score"), running.key("read")
        assert is_problem(running.client.get("/v1/runs", headers=wrong), 403, "scope_missing")
        assert running.client.get("/v1/runs", headers=right).json() == {"runs": [], "next": None}
