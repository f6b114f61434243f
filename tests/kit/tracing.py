"""A child process under strace, which can deliver SIGKILL at the N-th of a system call."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.kit.running import wait_for


def can_trace() -> str | None:
    """Why strace cannot be used here; None when it can."""
    if shutil.which("strace") is None:
        return "strace is not installed (Debian: apt-get install strace)"
    tried = subprocess.run(
        ["strace", "-e", "inject=getcwd:error=EIO", "pwd", "-P"], capture_output=True, text=True, check=False
    )
    return None if "INJECTED" in tried.stderr else f"ptrace is not permitted here: {tried.stderr.strip()[:80]}"


def run_child(
    server: subprocess.Popen[str],
    job: Mapping[str, str],
    log: Path | None,
    calls: Sequence[str] = (),
    kill: tuple[str, int] | None = None,
) -> None:
    """Give a server of forks a job and see its child to the end; traced into `log` where there is one, killed at a (call, number)."""
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(job) + "\n")
    server.stdin.flush()
    child = int(server.stdout.readline())
    wait_for(lambda: _state(child) == "T")
    tracer = None
    if log is not None:
        traced = ["-e", "trace=" + ",".join(f"?{name}" for name in calls)]  # ?: not every processor has every call
        traced += ["-e", f"inject={kill[0]}:signal=SIGKILL:when={kill[1]}"] if kill else []
        command = ["strace", "-f", "-q", "-p", str(child), "-o", str(log), *traced]
        tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_for(lambda: _tracer(child) != 0 or _state(child) is None)
    os.kill(child, signal.SIGCONT)
    if tracer is not None:
        tracer.wait(timeout=120)
    wait_for(lambda: _state(child) in (None, "Z"))


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
