"""The nightly run killed at each write, rename and sync, deterministically: strace delivers SIGKILL at the N-th call."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from features.kit import atomic_files
from features.simulate import simulate
from models import champion_pointer
from models.catalog import DEMO, get_model
from serving.manifest import RUN, files_of, is_whole, published, read_manifest
from tests.kit import commands
from tests.kit.nightly import some_signals
from tests.kit.running import AS_OF, END, Home
from tests.kit.scorers import make_scorer
from tests.kit.tracing import can_trace, run_child

CALLS = (
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "rmdir",
    "ftruncate",
)
EARLIER = "2025-12-04"

pytestmark = pytest.mark.skipif(can_trace() is not None, reason=str(can_trace()))


@dataclass
class Verdict:
    """What was found after one kill; `wrong` must be empty."""

    killed: bool
    wrong: list[str] = field(default_factory=list)


@dataclass
class Nights:
    home: Home
    folder: Path
    server: subprocess.Popen[str]
    seen: list[tuple[str, int]] = field(default_factory=list)
    expected: dict[str, str] = field(default_factory=dict)
    """sha256 of each file of an uninterrupted run, by its path below the run's folder."""

    def run(self, night: Path, as_of: str, sabotage: str = "", call: str | None = None, number: int = 0) -> str | None:
        """One run; traced when a `call` is named, and killed at the `number`-th of it. Returns what strace saw."""
        job = {
            "source": str(self.home.company),
            "home": str(self.home.path),
            "panels": str(self.folder),
            "out": str(night / "out"),
            "store": str(night / "store.db"),
            "as_of": as_of,
            "sabotage": sabotage,
            "end": str(night / "end"),
        }
        (night / "end").unlink(missing_ok=True)
        log = None if call is None else night / "strace"
        run_child(self.server, job, log, CALLS, (call, number) if call is not None and number else None)
        return None if log is None else log.read_text()

    def begin(self, night: Path) -> None:
        """The night before: a run is published, the store is filled."""
        shutil.copytree(self.folder / "earlier", night)

    def points(self) -> list[tuple[str, int]]:
        """Every (call, number) of a run that nobody kills; strace counts the calls of each thread. The first time it is run."""
        if self.seen:
            return self.seen
        whole = self.folder / "whole"
        self.begin(whole)
        found = self.run(whole, AS_OF, call="all")
        assert found is not None
        assert (whole / "end").exists()
        self.expected = bytes_of(whole / "out")
        counts: Counter[str] = Counter()
        for call in CALLS:
            of_thread = Counter(re.findall(rf"^(\d+) +{call}\(", found, re.M))
            counts[call] = max(of_thread.values(), default=0)
        self.seen = [(call, number + 1) for call in CALLS for number in range(counts[call])]
        return self.seen

    def survives(self, call: str, number: int, sabotage: str = "") -> Verdict:
        """Kill a run at a call, look at what a reader sees, give the same command again, and compare."""
        night = self.folder / f"{call}-{number}"
        self.begin(night)
        self.run(night, AS_OF, sabotage, call, number)
        verdict = Verdict(killed=not (night / "end").exists())
        seen = published(night / "out")
        if seen is None or not is_whole(night / "out", seen["run_id"]):
            verdict.wrong.append("a reader saw no whole run")
        done = sum(1 for _ in (night / "out" / ".work").glob("*/*/part-*.parquet"))
        self.run(night, AS_OF, sabotage)
        verdict.wrong += self._after(night, done)
        shutil.rmtree(night)
        return verdict

    def _after(self, night: Path, done: int) -> list[str]:
        if not (night / "end").exists():
            return ["the same command did not end well"]
        ended, out = json.loads((night / "end").read_text()), night / "out"
        wrong = []
        if bytes_of(out) != self.expected:
            wrong.append("other bytes")
        if ended["resumed"] != done:
            wrong.append(f"{done} chunks were whole, {ended['resumed']} were taken over")
        run_id = ended["run_id"]
        there = {str(p.relative_to(out)) for p in (out / run_id).rglob("*") if p.is_file()}
        own = {f"{run_id}/{RUN}", f"{run_id}/plan.json"}
        if there != {f["file"] for f in files_of(read_manifest(out))} | own or (out / ".work").exists():
            wrong.append("something was left behind")
        with closing(sqlite3.connect(night / "store.db")) as store:
            assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            kept = store.execute(
                "SELECT count(*), count(DISTINCT entity_id || model) FROM decisions WHERE run_id = ?", [run_id]
            ).fetchone()
        rows = sum(model["rows"] for model in read_manifest(out)["models"].values())
        if kept != (rows, rows):
            wrong.append(f"{kept} records of {rows} scores")
        return wrong


def bytes_of(out: Path) -> dict[str, str]:
    return {f["file"].split("/", 1)[1]: atomic_files.sha256(out / f["file"]) for f in files_of(read_manifest(out))}


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    folder = tmp_path_factory.mktemp("nights")
    home = Home(folder / "home", folder / "company")
    simulate(home.company, accounts=70, leads=150, days=560, end=END, usage_events=5_000)
    for model in DEMO:
        make_scorer(folder / model, model, signals=some_signals(get_model(model).entity), n=400)
        with champion_pointer.locked(home.path, model):
            champion_pointer.put_live(home.path, model, folder / model, 1)
    (folder / "earlier").mkdir()
    environment = home.environment({"ACCOUNTSCORE_STORE_URL": f"sqlite:///{folder / 'earlier' / 'store.db'}"})
    done = commands.run("serving", "migrate", env=environment)
    assert done.returncode == 0, done.stderr
    with (folder / "nightly.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.kit.nightly"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with server:
        found = Nights(home, folder, server)
        found.run(folder / "earlier", EARLIER)
        assert (folder / "earlier" / "end").exists(), (folder / "nightly.log").read_text()
        found.begin(folder / "once")  # so that the panel of this night is there too
        found.run(folder / "once", AS_OF)
        yield found
        assert server.stdin is not None
        server.stdin.close()


def sweep(nights: Nights, points: list[tuple[str, int]]) -> tuple[Counter[str], list[tuple[str, int, list[str]]]]:
    """(kills by call, what went wrong) at these points."""
    kills: Counter[str] = Counter()
    bad = []
    for call, number in points:
        verdict = nights.survives(call, number)
        kills[call] += verdict.killed
        if verdict.wrong:
            bad.append((call, number, verdict.wrong))
    return kills, bad


SOME = {"write": 2, "pwrite64": 1, "fsync": 1, "rename": 1, "unlink": 1}
"""How many of the calls of each kind the ordinary run kills at."""


def test_killed_at_some_calls(nights: Nights) -> None:
    """A sample of the sweep; all of it is in `make test-full`."""
    last = Counter(call for call, _ in nights.points())
    points = [(call, last[call] * (2 * k + 1) // (2 * count) + 1) for call, count in SOME.items() for k in range(count)]
    kills, bad = sweep(nights, points)
    assert bad == []
    assert kills.total() > 3


@pytest.mark.slow
@pytest.mark.parametrize("part", range(6))
def test_killed_at_every_call(nights: Nights, part: int) -> None:
    kills, bad = sweep(nights, nights.points()[part::6])
    print(f"{kills.total()} kills {dict(kills)}: {len(nights.expected)} files with the same sha256 each time")
    assert bad == []
    assert kills["write"]
    assert kills["pwrite64"]


@pytest.mark.slow
def test_writing_in_place_is_caught(nights: Nights) -> None:
    """The sabotaged twin: killed in the middle of a file that is written where it is read."""
    writes = [number for call, number in nights.points() if call == "write"]
    verdict = nights.survives("write", writes[len(writes) // 2], "in place")
    assert verdict.killed
    assert verdict.wrong


@pytest.mark.slow
def test_records_that_are_written_twice_are_caught(nights: Nights) -> None:
    """The sabotaged twin: killed between a chunk's records and its file, which comes after those of the card, of the plan, of what old rows give and of the signals."""
    nights.points()
    verdict = nights.survives("rename", 5, "twice")
    assert verdict.killed
    assert [w for w in verdict.wrong if "records" in w]
