"""`/v1/models` and what is below it, from a real home, beside `/v1/{model}`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from models.card import NAME, place
from serving.app import ROUTERS
from tests.kit import carded
from tests.kit.carded import put_card, put_look
from tests.kit.inside import Inside, is_problem, running_inside


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    home = tmp_path_factory.mktemp("cards") / "home"
    with running_inside(home) as running:
        put_card(home, 1)
        put_card(home, 2, **carded.REFUSED)
        put_card(home, 3)
        (place(home, "churn-risk", 3) / NAME).write_text("{")
        put_look(home, "2026-11-23")
        yield running


class TestModels:
    def test_every_model_is_listed(self, inside: Inside) -> None:
        answer = inside.client.get("/v1/models")
        assert answer.status_code == 200
        found = {each["model"]: each for each in answer.json()["models"]}
        assert set(found) >= {"churn-risk", "lead-fit"}
        assert [each["version"] for each in found["churn-risk"]["versions"]] == [3, 2, 1]
        assert found["churn-risk"]["champion"]["version"] == 1
        assert found["churn-risk"]["versions"][0]["card"].startswith("churn-risk/v3/card.json is not complete JSON")
        assert inside.client.get("/v1/models?limit=1").json()["models"][0]["more_versions"] in (0, 2)

    def test_head_is_as_get_without_the_content(self, inside: Inside) -> None:
        for path in (
            "/v1/models",
            "/v1/models/churn-risk",
            "/v1/models/churn-risk/versions/1",
            "/v1/models/churn-risk/versions/1/signals",
        ):
            answer = inside.client.request("HEAD", path)
            assert (answer.status_code, answer.content) == (200, b"")

    def test_it_is_no_model_of_that_name(self, inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
        """The twin: behind `/v1/{model}` it would be asked for a model called models."""
        assert "models" in inside.client.get("/v1/models").json()
        assert inside.client.get("/v1/churn-risk").json()["model"] == "churn-risk"
        monkeypatch.setattr(inside.door._holder.router, "routes", list(reversed(inside.door._holder.router.routes)))
        assert is_problem(inside.client.get("/v1/models"), 404, "no_such_model")
        assert len(ROUTERS) > 5

    @pytest.mark.parametrize("limit", ["0", "101", "many", "1.5"])
    def test_a_limit_that_is_none(self, inside: Inside, limit: str) -> None:
        assert is_problem(inside.client.get(f"/v1/models?limit={limit}"), 422, "bad_parameters")

    def test_other_methods(self, inside: Inside) -> None:
        answer = inside.client.post("/v1/models", json={})
        assert is_problem(answer, 405, "no_such_method")
        assert "GET" in answer.headers["allow"]


class TestModel:
    def test_the_card_of_its_champion(self, inside: Inside) -> None:
        found = inside.client.get("/v1/models/churn_risk").json()
        assert found["card"]["version"] == 1
        assert found["card"]["periods"][0]["from"] == "2025-03-13"
        assert found["monitor"]["verdict"] == "fine"

    def test_one_that_is_not_there(self, inside: Inside) -> None:
        answer = inside.client.get("/v1/models/no-such")
        assert is_problem(answer, 404, "no_such_model")
        assert "churn-risk" in answer.json()["choices"]

    @pytest.mark.parametrize("name", ["..", "%2e%2e", "churn-risk%2f..", "%00"])
    def test_a_path_is_no_model(self, inside: Inside, name: str) -> None:
        assert inside.client.get(f"/v1/models/{name}").status_code in (404, 422)


class TestVersion:
    def test_its_card_or_why_there_is_none(self, inside: Inside) -> None:
        assert inside.client.get("/v1/models/churn-risk/versions/2").json()["card"]["ready"] is False
        broken = inside.client.get("/v1/models/churn-risk/versions/3").json()
        assert broken["card"] is None
        assert "not complete JSON" in broken["version"]["card"]

    @pytest.mark.parametrize(("number", "status"), [("4", 404), ("0", 422), ("x", 422), ("-1", 422), ("1" * 30, 422)])
    def test_one_that_is_not_there(self, inside: Inside, number: str, status: int) -> None:
        answer = inside.client.get(f"/v1/models/churn-risk/versions/{number}")
        assert is_problem(answer, status, "no_such_version" if status == 404 else "bad_parameters")


class TestSignals:
    def test_those_of_the_live_scorer_with_their_bins(self, inside: Inside) -> None:
        found = inside.client.get("/v1/models/churn-risk/versions/1/signals").json()
        spec = inside.state.champions.get("churn-risk").scorer.spec
        assert [each["signal"] for each in found["signals"]] == [each.name for each in spec.signals]
        assert found["base_rate"] == spec.base_rate
        assert all(each["bins"] for each in found["signals"])

    @pytest.mark.parametrize(
        ("number", "status", "code"),
        [("4", 404, "no_such_version"), ("2", 404, "no_signals"), ("x", 422, "bad_parameters")],
    )
    def test_there_is_none(self, inside: Inside, number: str, status: int, code: str) -> None:
        assert is_problem(inside.client.get(f"/v1/models/churn-risk/versions/{number}/signals"), status, code)

    def test_a_broken_file_is_named_and_read_again_when_it_changed(self, inside: Inside) -> None:
        path = place(inside.state.settings.base.home, "churn-risk", 2) / "signals.json"
        path.write_text("{")
        answer = inside.client.get("/v1/models/churn-risk/versions/2/signals")
        assert is_problem(answer, 404, "no_signals")
        assert "churn-risk/v2/signals.json is not complete JSON" in answer.json()["detail"]
        path.write_text('{"schema": 1, "model": "churn-risk", "version": 2, "base_rate": 0.1, "signals": []}')
        assert inside.client.get("/v1/models/churn-risk/versions/2/signals").json()["signals"] == []
        path.unlink()


def test_the_scope_is_read(tmp_path: Path) -> None:
    with running_inside(tmp_path / "home") as inside:
        wrong, right = inside.key("score", "override"), inside.key("read")
        for path in (
            "/v1/models",
            "/v1/models/churn-risk",
            "/v1/models/churn-risk/versions/1",
            "/v1/models/churn-risk/versions/1/signals",
        ):
            assert is_problem(inside.client.get(path), 401, "no_valid_key")
            assert is_problem(inside.client.get(path, headers=wrong), 403, "scope_missing")
            assert inside.client.get(path, headers=right).status_code == 200
