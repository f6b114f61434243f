"""The nightly run: stopped anywhere it goes on to the same bytes, and readers see the run before or the new one."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.kit import atomic_files
from features.kit.clock import make_clock, parse_as_of
from features.kit.errors import UserMistake
from features.sources.loader import open_source
from features.sources.source import Source
from serving import manifest
from serving.batch import run as running
from serving.batch.call_list import read_top
from serving.batch.checkpoint import Plan, Work
from serving.batch.run import FinishedRun, Options
from serving.champion import Champions
from serving.errors import BatchBusy
from serving.manifest import files_of, is_whole, only_one, read_manifest, read_scores
from serving.scorer_cache import KeptScorers
from serving.store.connect import open_store
from tests.conftest import NewHome
from tests.kit import commands
from tests.kit.running import AS_OF, Home

CHUNK = 100
EARLIER = "2025-12-04"


@pytest.fixture(scope="module")
def home(new_home: NewHome) -> Home:
    made = new_home(accounts=120, leads=400)
    assert made.run("serving", "migrate").returncode == 0
    return made


@pytest.fixture(scope="module")
def source(home: Home) -> Source:
    return open_source("sample", home.company)


@pytest.fixture(scope="module")
def panels() -> dict[Any, list[pa.Table]]:
    return {}


@pytest.fixture
def batch(
    home: Home, source: Source, panels: dict[Any, list[pa.Table]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., FinishedRun]]:
    """Run in this process. Panels are built once: they are not what is tested here."""
    original = running.panel_parts

    def parts(
        source: Source,
        entity: Any,
        as_of: Any,
        rows: int,
        engine: str,
        carried: Any,
        known: Any,
        ids: Any,
        _outcomes: Any,
    ) -> Iterator[pa.Table]:
        key = (entity, as_of, known, ids and tuple(ids))
        if key not in panels:
            panels[key] = list(original(source, entity, as_of, rows, known_before=known, ids=ids))
        return iter(panels[key])

    monkeypatch.setattr(running, "panel_parts", parts)
    champions = Champions(home.path)
    champions.refresh()
    store = open_store(f"sqlite:///{home.path / 'store.db'}")

    def run(out: Path, as_of: str = AS_OF, **more: Any) -> FinishedRun:
        options = Options(chunk_rows=CHUNK, **{"record": False, **more})
        return running.run(
            source, parse_as_of(as_of), out, champions, store, make_clock(), KeptScorers(home.path), options
        )

    yield run
    store.close()


def bytes_of(out: Path) -> dict[str, str]:
    """sha256 of every published file, read from the disk."""
    return {file["file"]: atomic_files.sha256(out / file["file"]) for file in files_of(read_manifest(out))}


class TestTheSameRun:
    def test_again_is_done_at_once_and_touches_nothing(self, batch: Callable[..., FinishedRun], tmp_path: Path) -> None:
        first = batch(tmp_path)
        before = {path: path.stat().st_mtime_ns for path in (tmp_path / first.run_id).rglob("*")}
        assert len(read_manifest(tmp_path)["models"]["lead-fit"]["files"]) > 2
        assert batch(tmp_path).run_id == first.run_id
        assert {path: path.stat().st_mtime_ns for path in (tmp_path / first.run_id).rglob("*")} == before

    def test_a_damaged_run_is_made_again(self, batch: Callable[..., FinishedRun], tmp_path: Path) -> None:
        batch(tmp_path)
        sound = bytes_of(tmp_path)
        victim = tmp_path / next(iter(sound))
        victim.write_bytes(victim.read_bytes()[:-1])
        batch(tmp_path)
        assert bytes_of(tmp_path) == sound

    def test_no_wall_clock_in_published_rows(self, batch: Callable[..., FinishedRun], tmp_path: Path) -> None:
        batch(tmp_path / "one")
        batch(tmp_path / "two")
        assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


class Stop(Exception):
    """The test's own."""


class Fault:
    """Fails the n-th durable step; a write fails with half of the file on the disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, error: Exception) -> None:
        self.count, self._at, self._error = 0, at, error
        for name in ("rename", "sync"):
            monkeypatch.setattr(atomic_files, name, self._guard(getattr(atomic_files, name)))
        monkeypatch.setattr(atomic_files, "fill", self._guard(atomic_files.fill, half=True))

    def _guard(self, step: Callable[..., Any], half: bool = False) -> Callable[..., Any]:
        def guarded(*arguments: Any, **more: Any) -> Any:
            self.count += 1
            if self.count == self._at:
                if half:
                    step(*arguments, **more)
                    path = Path(arguments[0])
                    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
                raise self._error
            return step(*arguments, **more)

        return guarded


def sweep(
    batch: Callable[..., FinishedRun], folder: Path, expected: dict[str, str], error: Exception, every: int = 1
) -> int:
    """Fail at every step in turn (or one in `every`), look at what a reader sees, go on, compare; returns the last step."""
    batch(folder / "earlier", EARLIER)
    before = read_manifest(folder / "earlier")["run_id"]
    at = 1 - every
    while True:
        at += every
        out = folder / f"step-{at}"
        shutil.copytree(folder / "earlier", out)
        with pytest.MonkeyPatch.context() as patch:
            fault = Fault(patch, at, error)
            try:
                batch(out)
                failed = False
            except type(error):
                failed = True
        seen = read_manifest(out)
        assert is_whole(out, seen["run_id"]), f"step {at}: a reader sees a run that is not whole"
        assert failed or seen["run_id"] != before
        batch(out)
        found = bytes_of(out)
        assert {path.split("/", 1)[1]: sha for path, sha in found.items()} == expected, f"step {at}"
        assert not (out / ".work").exists()
        shutil.rmtree(out)
        if fault.count < at:
            return at - every


@pytest.fixture
def expected(batch: Callable[..., FinishedRun], tmp_path: Path) -> dict[str, str]:
    """What an uninterrupted run publishes after the earlier one, by path below the run's folder."""
    batch(tmp_path / "reference", EARLIER)
    batch(tmp_path / "reference")
    return {path.split("/", 1)[1]: sha for path, sha in bytes_of(tmp_path / "reference").items()}


class TestFailing:
    @pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
    def test_a_full_disk_at_any_step_publishes_nothing_and_loses_nothing(
        self, batch: Callable[..., FinishedRun], expected: dict[str, str], tmp_path: Path, every: int
    ) -> None:
        steps = sweep(batch, tmp_path, expected, OSError(errno.ENOSPC, "No space left on device"), every)
        assert steps > 30

    def test_writing_in_place_would_be_caught(
        self,
        batch: Callable[..., FinishedRun],
        expected: dict[str, str],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The sabotaged twin: files written where they are read."""
        monkeypatch.setattr(
            atomic_files, "_beside", lambda path, locked: path.parent.mkdir(parents=True, exist_ok=True) or path
        )
        with pytest.raises((AssertionError, UserMistake, pa.ArrowInvalid)):  # half a run, no manifest, half a file
            sweep(batch, tmp_path, expected, OSError(errno.EIO, "Input/output error"))

    def test_a_disk_that_is_really_full(self, home: Home, tmp_path: Path) -> None:
        """The kernel says so: no file may grow beyond 40 kB."""
        command = [
            sys.executable,
            "-m",
            "serving",
            "batch",
            *home.source,
            "--as-of",
            AS_OF,
            "--out",
            str(tmp_path / "out"),
        ]
        done = subprocess.run(
            command, env=home.environment(), capture_output=True, text=True, timeout=300, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)),
        )  # fmt: skip
        assert done.returncode == 7, done.stderr
        assert "disk" in done.stderr
        assert "nothing was published" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "out" / manifest.MANIFEST).exists()
        assert json.loads((tmp_path / "out" / "last_run.json").read_text())["exit_code"] == 7


def kill_at_random(home: Home, out: Path, rng: random.Random, longest: float) -> bool:
    """Start the command and kill it after a while; whether it was still running then."""
    command = ("serving", "batch", *home.source, "--as-of", AS_OF, "--out", str(out))
    process = commands.start(*command, env=home.environment(), out=Path(os.devnull))
    try:
        process.wait(timeout=rng.uniform(0, longest))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    return False


@pytest.mark.parametrize("kills", [3, pytest.param(100, marks=pytest.mark.slow)])
def test_killed_anywhere_it_ends_with_the_same_bytes(home: Home, tmp_path: Path, kills: int) -> None:
    began = time.monotonic()
    home.batch(tmp_path / "reference")
    takes = time.monotonic() - began
    expected, rng, killed, round_ = bytes_of(tmp_path / "reference"), random.Random(7), 0, 0
    while killed < kills:
        round_ += 1
        out = tmp_path / f"round-{round_}"
        while killed < kills and kill_at_random(home, out, rng, takes):
            killed += 1
            assert manifest.published(out) is None or bytes_of(out) == expected
        home.batch(out)
        assert bytes_of(out) == expected
    print(f"{killed} kills in {round_} runs, all with the same bytes")


class TestTop:
    @pytest.mark.parametrize(
        ("by", "first", "then"),
        [("probability", "probability", "value_at_risk"), ("value", "value_at_risk", "probability")],
    )
    def test_the_head_of_many_parts_is_that_of_the_whole(
        self, batch: Callable[..., FinishedRun], tmp_path: Path, by: Any, first: str, then: str
    ) -> None:
        batch(tmp_path)
        rows = [row for row in manifest.read_scores(tmp_path, "lead-fit").to_pylist() if row["no_score"] is None]
        lowest = float("-inf")
        rows.sort(key=lambda row: row["entity_id"])
        rows.sort(key=lambda row: [lowest if row[name] is None else row[name] for name in (first, then)], reverse=True)
        top = read_top(tmp_path, "lead-fit", 25, by)
        assert len(read_manifest(tmp_path)["models"]["lead-fit"]["files"]) > 2
        assert [row["entity_id"] for row in top.rows] == [row["entity_id"] for row in rows[:25]]
        assert top.scored == len(rows)

    def test_the_call_list_has_them(self, home: Home, tmp_path: Path) -> None:
        home.batch(tmp_path / "out")
        done = home.run(
            "serving",
            "top",
            "--model",
            "churn-risk",
            "--scores",
            str(tmp_path / "out"),
            "--excel",
            str(tmp_path / "list.xlsx"),
        )
        assert done.returncode == 0, done.stderr
        first = read_top(tmp_path / "out", "churn-risk", 1).rows[0]["entity_id"]
        assert first in done.stdout
        assert (tmp_path / "list.xlsx").stat().st_size > 1_000


class TestWork:
    def plan(self, **more: Any) -> Plan:
        return Plan(**{
            "source": "s", "source_fingerprint": "f", "as_of": "2026-01-01T00:00:00Z", "scorers": {"churn-risk": "a"},
            "reasons": 5, "objections": 0, "previous": None, **more,
        })  # fmt: skip

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"source_fingerprint": "g"}, "the data changed"),
            ({"scorers": {"churn-risk": "b"}}, "the champion changed"),
            ({"previous": "p"}, "the published run changed"),
        ],
    )
    def test_going_on_with_something_else_is_refused(self, tmp_path: Path, changed: dict[str, Any], said: str) -> None:
        Work.open(tmp_path, self.plan())
        with pytest.raises(UserMistake, match=f"{said}.*--restart"):
            Work.open(tmp_path, self.plan(**changed))
        Work.open(tmp_path, self.plan())  # the twin: nothing changed
        Work.open(tmp_path, self.plan(**changed), restart=True)
        Work.open(tmp_path, self.plan(**changed))

    def test_another_night_does_not_wait_for_an_unfinished_one(self, tmp_path: Path) -> None:
        Work.open(tmp_path, self.plan())
        Work.open(tmp_path, self.plan(as_of="2026-01-02T00:00:00Z", source_fingerprint="g"))

    def test_two_at_once(self, home: Home, tmp_path: Path) -> None:
        with only_one(tmp_path):
            with pytest.raises(BatchBusy), only_one(tmp_path):
                pass
            done = home.run("serving", "batch", *home.source, "--as-of", AS_OF, "--out", str(tmp_path))
        assert done.returncode == 5
        assert "another run is going on" in done.stderr
        with only_one(tmp_path):  # the twin: it is free again
            pass


class TestChange:
    def test_its_causes_sum_to_it(self, batch: Callable[..., FinishedRun], tmp_path: Path) -> None:
        batch(tmp_path, EARLIER)
        earlier = {r["entity_id"]: r for r in read_scores(tmp_path, "churn-risk").to_pylist()}
        assert all(row["change"] is None for row in earlier.values())
        batch(tmp_path)
        rows = read_scores(tmp_path, "churn-risk").to_pylist()
        moved = [row for row in rows if row["change"] is not None]
        assert len(moved) > 40
        for row in moved:
            assert row["previous_probability"] == earlier[row["entity_id"]]["probability"]
            assert sum(row["change"].values()) == row["score"] - row["previous_score"]
            assert row["change"]["version"] == row["change"]["thresholds"] == 0, "the same version scored both"
        assert any(row["change"]["data"] for row in moved)
        assert any(row["change"]["time"] for row in moved)
        assert any(row["change_texts"] for row in moved)


class TestScheduler:
    def test_a_command_that_is_refused_makes_no_folder(self, home: Home, tmp_path: Path) -> None:
        done = home.run("serving", "batch", *home.source, "--as-of", "2026-02-30", "--out", str(tmp_path / "out"))
        assert done.returncode == 2
        assert not (tmp_path / "out").exists()

    def test_stale_input_has_its_own_exit_code(self, home: Home, tmp_path: Path) -> None:
        done = home.run(
            "serving", "batch", *home.source, "--as-of", "2026-03-01", "--out", str(tmp_path), "--max-age", "2d",
            env={"ACCOUNTSCORE_NOW": "2026-03-01T06:00:00Z"},
        )  # fmt: skip
        assert done.returncode == 6
        assert "--max-age" in done.stderr
        assert not (tmp_path / manifest.MANIFEST).exists()

    def test_a_summary_and_prometheus_metrics(self, home: Home, tmp_path: Path) -> None:
        metrics = tmp_path / "collector" / "batch.prom"
        home.batch(tmp_path / "out", "--max-age", "2d", "--metrics", str(metrics))
        summary = json.loads((tmp_path / "out" / "last_run.json").read_text())
        manifest = read_manifest(tmp_path / "out")
        assert (summary["exit_code"], summary["run_id"]) == (0, manifest["run_id"])
        rows = manifest["models"]["lead-fit"]["rows"]
        assert summary["rows"]["lead-fit"] == rows
        lines = metrics.read_text().splitlines()
        assert f'accountscore_batch_rows{{model="lead-fit"}} {float(rows)}' in lines
        assert "accountscore_batch_exit_code 0.0" in lines
