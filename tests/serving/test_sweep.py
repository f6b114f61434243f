"""Killed at each write, sync, send and unlink of one whole cycle, deterministically: strace delivers SIGKILL at the N-th call."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from serving.store.connect import open_store
from tests.serving.fake_hubspot import FakeHubSpot, fake_hubspot
from tests.serving.killing import DECEMBER_MS, Request, Sender, Sent, check, connect, environment, quiet, signed
from tests.serving.running import Home, make_home, wait_for

CALLS = ("pwrite64", "fdatasync", "sendto", "unlink", "ftruncate", "write")
EVENTS = (Sent(1, 5_000_001, "industry", "software", DECEMBER_MS), Sent(2, 5_000_001, "country", "DE", DECEMBER_MS + 1))


def can_trace() -> str | None:
    """Why strace cannot be used here; None when it can."""
    if shutil.which("strace") is None:
        return "strace is not installed (Debian: apt-get install strace)"
    tried = subprocess.run(
        ["strace", "-e", "inject=getcwd:error=EIO", "pwd", "-P"], capture_output=True, text=True, check=False
    )
    return None if "INJECTED" in tried.stderr else f"ptrace is not permitted here: {tried.stderr.strip()[:80]}"


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
            "body": body.decode(), "headers": json.dumps(headers), "environment": json.dumps(env),
            "acknowledged": str(folder / "acknowledged"), "early": "yes" if early else "",
        }  # fmt: skip
        (folder / "acknowledged.done").unlink(missing_ok=True)
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(json.dumps(job) + "\n")
        self.server.stdin.flush()
        child = int(self.server.stdout.readline())
        wait_for(lambda: _state(child) == "T")
        log = folder / "strace"
        traced = ["-e", f"trace={','.join(CALLS)}"]
        if call is not None:
            traced += ["-e", f"inject={call}:signal=SIGKILL:when={number}"]
        tracer = subprocess.Popen(["strace", "-f", "-q", "-p", str(child), "-o", str(log), *traced], stderr=subprocess.DEVNULL)  # fmt: skip
        wait_for(lambda: _tracer(child) != 0 or _state(child) is None)
        os.kill(child, signal.SIGCONT)
        tracer.wait(timeout=120)
        wait_for(lambda: _state(child) in (None, "Z"))
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
def cycles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cycles]:
    folder = tmp_path_factory.mktemp("sweep")
    home = make_home(folder, accounts=120, leads=400, models=("lead-fit",))
    with fake_hubspot() as crm:
        connect(home, crm, settle=0.0)
        env = environment(home, folder)
        assert home.run("serving", "migrate", env=env).returncode == 0
        with (folder / "cycle.log").open("w") as log:
            server = subprocess.Popen(
                [sys.executable, "-m", "tests.serving.cycle"],
                env=home.environment(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
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
    return killed, bad


def test_killed_at_some_calls(cycles: Cycles, tmp_path: Path) -> None:
    """A sample of the sweep; all of it is in `make test-full`."""
    killed, bad = sweep(cycles, tmp_path, every=24)
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


def _state(pid: int) -> str | None:
    """`T` stopped, `Z` dead; None when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def _tracer(pid: int) -> int:
    try:
        return int(re.findall(r"TracerPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0])
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0
