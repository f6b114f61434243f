"""A process that stays ends with 0 on SIGTERM, also while it still imports."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from serving.shutdown import STAYING

STARTING = """
import os, runpy, signal, sys

class Told:
    def find_spec(self, name, *_):
        if name == "typer":  # the first that it imports of others
            os.kill(os.getpid(), signal.{name})

sys.meta_path.insert(0, Told())
sys.argv = ["serving", {command!r}]
runpy.run_module("serving", run_name="__main__")
"""


def told_while_starting(command: str, name: str, home: Path) -> int:
    code = STARTING.format(command=command, name=name)
    done = subprocess.run(
        [sys.executable, "-c", code], env={"ACCOUNTSCORE_HOME": str(home)}, capture_output=True, timeout=60, check=False
    )
    return done.returncode


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("command", STAYING)
def test_it_ends_at_once_with_0(command: str, name: str, tmp_path: Path) -> None:
    assert told_while_starting(command, name, tmp_path) == 0


def test_a_command_that_does_a_piece_of_work_does_not(tmp_path: Path) -> None:
    """And so the test can fail: without the guard it ends by the signal."""
    assert told_while_starting("batch", "SIGTERM", tmp_path) == -signal.SIGTERM


def test_a_stop_signal_ends_what_still_waits_after_the_drain() -> None:
    """The sabotaged twin: the event alone ends nothing that waits."""
    code = "import sys, threading, time; sys.path.insert(0, '.'); from serving import shutdown; {}; stopping = shutdown.stop_on_signals(0.2); print('up', flush=True); time.sleep(2); sys.exit(7)"
    for sabotage, left in (("0", 0), ("shutdown.os._exit = lambda _code: None", 7)):
        with subprocess.Popen([sys.executable, "-c", code.format(sabotage)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == left
