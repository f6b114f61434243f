"""Runs `python -m PACKAGE ...` in a process of its own, without the second that its imports take.

A fork server has imported everything (`tests.kit.preload`); a command is a fork of it that runs the package as `python -m` does: a
process like any other, with its environment, its files and its signals. It is not what a user starts in three ways: modules are
imported already, variables that the interpreter or a library reads as it loads (`PYTHON*`, `OMP_*`) come too late, and it ends
without taking the interpreter down. A test about one of these starts `sys.executable` itself.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Protocol

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.kit.preload"])


class Process(Protocol):
    """What tests use of a `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | Any: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def kill(self) -> None: ...


class _Fork:
    def __init__(self, args: list[str], process: ForkServerProcess) -> None:
        self.args, self._process = args, process
        process.start()
        assert process.pid is not None
        self.pid: int = process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    package: str, *arguments: str, env: Mapping[str, str], out: Path, err: Path | None = None, cwd: Path | None = None
) -> Process:
    """Starts `python -m PACKAGE ...`; what it writes is added to `out`, and to `err` when that is given."""
    of_fork = (package, arguments, dict(env), str(cwd or Path.cwd()), str(out), str(err or out))
    return _Fork([sys.executable, "-m", package, *arguments], _FORKS.Process(target=_run, args=of_fork, daemon=True))


def start_fresh(package: str, *arguments: str, env: Mapping[str, str], out: Path) -> Process:
    """As `start`, in an interpreter of its own: for tests about its memory, its imports and its start."""
    with out.open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", package, *arguments], env=env, stdout=log, stderr=log)


def run(
    package: str, *arguments: str, env: Mapping[str, str], cwd: Path | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """`python -m PACKAGE ...` to its end, whatever its exit code."""
    with tempfile.TemporaryDirectory(prefix="command") as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = start(package, *arguments, env=env, out=out, err=err, cwd=cwd)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        return subprocess.CompletedProcess(
            [sys.executable, "-m", package, *arguments], code, out.read_text(), err.read_text()
        )


def _run(package: str, arguments: tuple[str, ...], env: dict[str, str], cwd: str, stdout: str, stderr: str) -> None:
    """In the fork."""
    for number, path in ((1, stdout), (2, stderr)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    if "PYTHONWARNINGS" in env:
        warnings.simplefilter(env["PYTHONWARNINGS"])  # type: ignore[arg-type]
    os.chdir(cwd)
    sys.argv[1:] = arguments
    try:
        runpy.run_module(package, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
