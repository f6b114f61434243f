"""A command that is a fork does what `python -m` does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from multiprocessing import forkserver
from pathlib import Path

import pytest

from tests.kit import commands


@pytest.mark.parametrize("command", [("serving", "keys", "list"), ("features", "audit")])
def test_it_says_and_ends_as_the_command_does(command: tuple[str, ...], tmp_path: Path) -> None:
    env = {**os.environ, "ACCOUNTSCORE_HOME": str(tmp_path / "home")}
    fork = commands.run(*command, env=env)
    fresh = subprocess.run(
        [sys.executable, "-m", *command], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert (fork.returncode, fork.stdout, fork.stderr) == (fresh.returncode, fresh.stdout, fresh.stderr)
    assert fork.stdout + fork.stderr


def test_an_error_that_nobody_expects_has_its_trace(tmp_path: Path) -> None:
    done = commands.run("tests.no_such_package", env=os.environ)
    assert done.returncode == 1
    assert "no_such_package" in done.stderr.splitlines()[-1]


def test_it_takes_signals_and_its_exit_code_says_so(tmp_path: Path) -> None:
    env = {**os.environ, "ACCOUNTSCORE_HOME": str(tmp_path)}
    process = commands.start("serving", "api", "--port", "0", env=env, out=tmp_path / "log")
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.kill()
    assert process.wait(60) == process.returncode == -signal.SIGKILL


def test_its_server_has_imported_everything_and_has_no_thread() -> None:
    """A fork of a process with threads may wait for ever for a lock that one of them held; what is not imported is slow in each."""
    commands.run("serving", "--help", env=os.environ)
    server = Path("/proc") / str(forkserver._forkserver._forkserver_pid)  # type: ignore[attr-defined]
    assert len(list((server / "task").iterdir())) == 1
    loaded = (server / "maps").read_text()
    for name in ("_duckdb", "pyarrow/lib", "pandas/_libs", "lib_lightgbm"):
        assert name in loaded, name
