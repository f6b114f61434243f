"""Killed at each write, sync, send and unlink of one whole cycle, deterministically: strace delivers SIGKILL at the N-th call."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from serving.store.connect import open_store
from tests.conftest import NewHome
from tests.kit.fake_hubspot import FakeHubSpot, fake_hubspot
from tests.kit.killing import DECEMBER_MS, Request, Sender, Sent, check, connect, environment, quiet, signed
from tests.kit.running import Home
from tests.kit.tracing import can_trace, run_child

CALLS = ("pwrite64", "fdatasync", "sendto", "unlink", "ftruncate", "write")


EVENTS = (Sent(1, 5_000_001, "industry", "software", DECEMBER_MS), Sent(2, 5_000_001, "country", "DE", DECEMBER_MS + 1))


pytestmark = pytest.mark.skipif(can_trace() is not None, reason=str(can_trace()))


@dataclass
class Cycles:
    home: Home
    template: Path
    """A store that is set up and empty."""
    server: subprocess.Popen[str]
    crm: FakeHubSpot

    def run(self, folder: Path, send: bool, call: str | None = None, number: int = 0, early: bool = False) -> Path:
        """One cycle; with `call`, killed at the `number`-th of it. Returns strace's output."""
        env = environment(self.home, folder)
        env |= {"ACCOUNTSCORE_HOME": str(self.home.path)}
        body, headers = signed([e.wire() for e in EVENTS]) if send else (b"", {})
        job = {
            "body": body.decode(),
            "headers": json.dumps(headers),
            "environment": json.dumps(env),
            "acknowledged": str(folder / "acknowledged"),
            "early": "yes" if early else "",
        }
        (folder / "acknowledged.done").unlink(missing_ok=True)
        log = folder / "strace"
        run_child(self.server, job, log, CALLS, None if call is None else (call, number))
        return log

    def points(self, folder: Path) -> list[tuple[str, int]]:
        """Every (call, number) of a cycle that nobody kills."""
        folder.mkdir()
        shutil.copy(self.template, folder / "store.db")
        found = self.run(folder, send=True).read_text()
        assert (folder / "acknowledged.done").exists()
        counts = {call: len(re.findall(rf"^\d+ +{call}\(", found, re.M)) for call in CALLS}
        return [(call, number + 1) for call in CALLS for number in range(counts[call])]

    def survives(self, folder: Path, call: str, number: int, early: bool = False) -> tuple[bool, bool, object]:
        """Whether it was killed there, whether it had been acknowledged, and the verdict after a restart."""
        folder.mkdir()
        shutil.copy(self.template, folder / "store.db")
        self.crm.writes.clear()
        self.crm.values.clear()
        self.run(folder, True, call, number, early)
        killed = not (folder / "acknowledged.done").exists()
        acknowledged = folder / "acknowledged"
        known = acknowledged.exists() and acknowledged.read_text() == "204"
        # HubSpot sends again what was not acknowledged; then everything must be as if nothing had happened.
        self.run(folder, send=not known)
        assert (folder / "acknowledged.done").exists()
        sender = Sender("", [Request(EVENTS)], acknowledged=set(EVENTS), attempted=set(EVENTS))
        store = open_store(f"sqlite:///{folder}/store.db")
        verdict = check(self.home, sender, store, self.crm)
        clean = verdict.clean and quiet(store)
        with store.read() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        store.close()
        return killed, clean, verdict


@pytest.fixture(scope="module")
def cycles(tmp_path_factory: pytest.TempPathFactory, new_home: NewHome) -> Iterator[Cycles]:
    folder = tmp_path_factory.mktemp("cycles")
    home = new_home(models=("lead-fit",))
    with fake_hubspot() as crm:
        connect(home, crm, settle=0.0)
        env = environment(home, folder)
        assert home.run("serving", "migrate", env=env).returncode == 0
        with (folder / "cycle.log").open("w") as log:
            server = subprocess.Popen(
                [sys.executable, "-m", "tests.kit.cycle"],
                env=home.environment(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        with server:
            yield Cycles(home, folder / "store.db", server, crm)
            assert server.stdin is not None
            server.stdin.close()


def sweep(cycles: Cycles, folder: Path, every: int, early: bool = False) -> tuple[int, list[object]]:
    points = cycles.points(folder / "whole")
    assert len(points) > 20, points
    killed, bad = 0, []
    for index, (call, number) in enumerate(points):
        if index % every:
            continue
        was_killed, clean, verdict = cycles.survives(folder / f"{call}-{number}", call, number, early)
        killed += was_killed
        if not clean:
            bad.append((call, number, verdict))
    return killed, bad  # type: ignore[return-value]


def test_killed_at_some_calls(cycles: Cycles, tmp_path: Path) -> None:
    """A sample of the sweep; all of it is in `make test-full`."""
    killed, bad = sweep(cycles, tmp_path, every=96)
    assert bad == []
    assert killed > 0


@pytest.mark.slow
def test_killed_at_every_call(cycles: Cycles, tmp_path: Path) -> None:
    killed, bad = sweep(cycles, tmp_path, every=1)
    print(f"killed at {killed} points")
    assert bad == []
    assert killed > 20


def test_answering_before_the_commit_is_caught(cycles: Cycles, tmp_path: Path) -> None:
    """The sabotaged twin: killed at the first write, what was acknowledged is nowhere."""
    killed, clean, verdict = cycles.survives(tmp_path / "early", "fdatasync", 1, early=True)
    assert killed
    assert not clean
    assert verdict.lost > 0  # type: ignore[attr-defined]
