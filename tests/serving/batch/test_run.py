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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import delete, select, update

from features.kit import atomic_files
from features.kit.clock import parse_as_of, to_us
from features.kit.errors import UserMistake
from features.sources.source import Source
from serving import manifest
from serving.batch.run import FinishedRun
from serving.manifest import is_whole, read_manifest
from serving.profiles import repository as profiles
from serving.store import tables
from serving.store.connect import open_store
from serving.store.tables import eligibilities, signals
from tests.kit import commands
from tests.kit.commands import Process
from tests.kit.published import bytes_of
from tests.kit.running import AS_OF, Home, wait_for

EARLIER = "2025-12-04"


class TestTheSameRun:
    def test_the_same_run_again_touches_nothing(self, batch: Callable[..., FinishedRun], tmp_path: Path) -> None:
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


class TestProfiles:
    """The run stores what people call the entities by, with their signals."""

    def stored(self, home: Home) -> dict[tuple[str, str], profiles.Profile]:
        store = open_store(f"sqlite:///{home.path / 'store.db'}")
        with store.read() as connection:
            ids = connection.execute(select(signals.c.entity, signals.c.entity_id)).all()
            found = {
                (entity, name): each
                for entity in ("account", "lead")
                for name, each in profiles.fetch(connection, entity, [i for e, i in ids if e == entity]).items()
            }
        store.close()
        assert {tuple(row) for row in ids} == found.keys()
        return found

    def clear(self, home: Home) -> None:
        store = open_store(f"sqlite:///{home.path / 'store.db'}")
        with store.write() as connection:
            for table in (tables.profiles, signals, eligibilities):
                connection.execute(delete(table))
        store.close()

    def test_every_entity_that_has_signals_has_a_profile(
        self, batch: Callable[..., FinishedRun], home: Home, source: Source, tmp_path: Path
    ) -> None:
        self.clear(home)
        batch(tmp_path)
        found = self.stored(home)
        asked = (
            "SELECT account_id, arg_max(name, from_us), arg_max(coalesce(owner, ''), from_us) FROM accounts "
            f"WHERE from_us < {to_us(parse_as_of(AS_OF))} AND until_us >= {to_us(parse_as_of(AS_OF))} GROUP BY 1"
        )
        told = {name: (each.name, each.owner or "") for (entity, name), each in found.items() if entity == "account"}
        assert told == {row[0]: tuple(row[1:]) for row in source.query(asked)}
        accounts = [each for (entity, _), each in found.items() if entity == "account"]
        assert sum(each.arr or 0 for each in accounts) > 0
        assert {name for each in accounts for name in each.segments} <= {"region", "plan", "industry"}
        assert any(each.segments for each in accounts)
        assert {each.arr for (entity, _), each in found.items() if entity == "lead"} == {None}

    def test_what_a_stopped_run_lacks_is_stored_when_it_goes_on(
        self, batch: Callable[..., FinishedRun], home: Home, tmp_path: Path
    ) -> None:
        self.clear(home)
        batch(tmp_path / "whole")
        whole = self.stored(home)
        self.clear(home)
        put, calls = profiles.put, 0

        def failing(connection: Any, rows: Any) -> None:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise OSError(errno.EIO, "the second chunk")
            put(connection, rows)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(profiles, "put", failing)
            with pytest.raises(OSError, match="second chunk"):
                batch(tmp_path / "stopped")
        done = batch(tmp_path / "stopped")
        assert done.resumed_chunks == 1
        assert self.stored(home) == whole
        assert not list((tmp_path / "stopped").rglob("profiles"))  # they are not published

    def test_a_run_that_was_replaced_by_one_for_later_is_stored_again(
        self, batch: Callable[..., FinishedRun], home: Home, tmp_path: Path
    ) -> None:
        self.clear(home)
        batch(tmp_path)
        whole = self.stored(home)
        store = open_store(f"sqlite:///{home.path / 'store.db'}")
        with store.write() as connection:
            for table in (tables.profiles, signals, eligibilities):
                connection.execute(update(table).values(as_of=10**17))
        store.close()
        batch(tmp_path)
        assert self.stored(home) == whole


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
    batch: Callable[..., FinishedRun],
    folder: Path,
    expected: dict[str, str],
    error: Exception,
    every: int = 1,
    first: int = 1,
) -> int:
    """Fail at every step from `first` on (or one in `every`), look at what a reader sees, go on, compare; returns the last step."""
    batch(folder / "earlier", EARLIER)
    before = read_manifest(folder / "earlier")["run_id"]
    at = first - every
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
    @pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
    def test_a_full_disk_at_any_step_publishes_nothing_and_loses_nothing(
        self, batch: Callable[..., FinishedRun], expected: dict[str, str], tmp_path: Path, every: int
    ) -> None:
        steps = sweep(batch, tmp_path, expected, OSError(errno.ENOSPC, "No space left on device"), every)
        assert steps > 30

    @pytest.mark.slow
    def test_writing_in_place_would_be_caught(
        self,
        batch: Callable[..., FinishedRun],
        expected: dict[str, str],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The sabotaged twin: files written where they are read. It shows at the last steps, where the manifest is replaced."""
        monkeypatch.setattr(
            atomic_files, "_beside", lambda path, locked: path.parent.mkdir(parents=True, exist_ok=True) or path
        )
        with pytest.raises((AssertionError, UserMistake, pa.ArrowInvalid)):  # half a run, no manifest, half a file
            sweep(batch, tmp_path, expected, OSError(errno.EIO, "Input/output error"), first=50)

    def test_a_disk_that_is_really_full(self, home: Home, tmp_path: Path) -> None:
        """The kernel says so: no file may grow beyond 200 kB, and the signals of the accounts are larger."""
        own = Home(tmp_path / "home", home.company)
        shutil.copytree(home.path, own.path)
        shutil.rmtree(own.path / "champions/lead-fit")
        arguments = [
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
            arguments,
            env=own.environment(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
        )
        assert done.returncode == 7, done.stderr
        assert "disk" in done.stderr
        assert "nothing was published" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "out" / manifest.MANIFEST).exists()
        assert json.loads((tmp_path / "out" / "last_run.json").read_text())["exit_code"] == 7


def command(home: Home, out: Path) -> Process:
    """The nightly run in a process of its own."""
    return commands.start(
        "serving",
        "batch",
        *home.source,
        "--as-of",
        AS_OF,
        "--out",
        str(out),
        env=home.environment(),
        out=Path(os.devnull),
    )


class TestKilled:
    @pytest.mark.slow  # every run kills it at a sample of its calls: test_kill_sweep.py
    def test_when_a_part_of_it_is_there_it_ends_with_the_same_bytes(
        self, home: Home, night: Path, tmp_path: Path
    ) -> None:
        process = command(home, tmp_path / "out")
        wait_for(lambda: process.poll() is not None or any((tmp_path / "out/.work").glob("**/*.parquet")))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert manifest.published(tmp_path / "out") is None
        home.batch(tmp_path / "out")
        assert bytes_of(tmp_path / "out") == bytes_of(night)

    @pytest.mark.slow
    def test_at_any_moment_it_ends_with_the_same_bytes(self, home: Home, tmp_path: Path) -> None:
        began = time.monotonic()
        home.batch(tmp_path / "reference")
        takes = time.monotonic() - began
        expected, rng, killed, round_ = bytes_of(tmp_path / "reference"), random.Random(7), 0, 0
        while killed < 100:
            round_ += 1
            out = tmp_path / f"round-{round_}"
            while killed < 100 and self._killed_after(home, out, rng.uniform(0, takes)):
                killed += 1
                assert manifest.published(out) is None or bytes_of(out) == expected
            home.batch(out)
            assert bytes_of(out) == expected
        print(f"{killed} kills in {round_} runs, all with the same bytes")

    def _killed_after(self, home: Home, out: Path, seconds: float) -> bool:
        """Start the command and kill it after a while; whether it was still running then."""
        process = command(home, out)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
        return False
