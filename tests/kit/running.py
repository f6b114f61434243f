"""A company with live champions, and the real processes that serve it: what end-to-end tests start from."""

from __future__ import annotations

import atexit
import contextlib
import datetime as dt
import functools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.signals.catalog import signals
from features.simulate import simulate
from features.sources.fingerprint import fingerprint
from features.sources.loader import open_source
from models import champion_pointer
from models.catalog import DEMO, get_model
from models.scorer.artefact_schema import VerdictSpec
from models.scorer.writer import Origin
from tests.kit import commands
from tests.kit.commands import Process
from tests.kit.scorers import copy_scorer
from tests.kit.stores import new_file
from training import export
from training.fit import directions
from training.learn import LearnSettings, learn
from training.training_set import labelled_panel

END = dt.date(2026, 1, 1)
AS_OF = "2026-01-01"
NOW = "2026-01-02T06:00:00Z"
"""The clock of the processes: the morning after the batch."""


@dataclass(frozen=True)
class Home:
    """A folder for `ACCOUNTSCORE_HOME` in which both models are live, and the company's tables."""

    path: Path
    company: Path

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ACCOUNTSCORE_")}
        ours = {"ACCOUNTSCORE_HOME": str(self.path), "ACCOUNTSCORE_NOW": NOW, "PYTHONWARNINGS": "ignore"}
        return {**kept, **ours, **(more or {})}

    def run(
        self, package: str, *arguments: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`python -m PACKAGE ...` to its end, whatever its exit code."""
        return commands.run(package, *arguments, env=self.environment(env))

    @property
    def source(self) -> list[str]:
        return ["--source", "sample", "--data", str(self.company)]

    def batch(self, out: Path, *more: str) -> None:
        done = self.run("serving", "batch", *self.source, "--as-of", AS_OF, "--out", str(out), *more)
        assert done.returncode == 0, done.stderr


def make_home(folder: Path, accounts: int = 120, leads: int = 400, models: tuple[str, ...] = DEMO) -> Home:
    """Simulate a small company, learn the models from it (two trials, no registry) and put them live."""
    home = Home(folder / "home", folder / "company")
    simulate(home.company, accounts=accounts, leads=leads, days=560, end=END, usage_events=60_000)
    source = open_source("sample", home.company)
    for name in models:
        definition = get_model(name)
        panel = labelled_panel(source, definition)
        learnt = learn(
            panel.rows,
            panel.split,
            LearnSettings(budget_s=None, trials=2),
            lambda rows, definition=definition: directions(definition, rows),  # type: ignore[misc]
        )
        scorer = folder / f"{name}.scorer"
        origin = Origin(source.name, fingerprint(source), "2024-06-01", "2025-12-31")
        ready = VerdictSpec(code="ready", says="ready", ready=True)  # what the gates would say is not asked
        export.write(scorer, definition, learnt, learnt.rows.x[panel.population], origin, {}, ready)
        with champion_pointer.locked(home.path, name):
            champion_pointer.put_live(home.path, name, scorer, 1)
    new_file(home.path)
    return home


def quick_home(folder: Path, models: tuple[str, ...] = DEMO) -> Home:
    """As `make_home`, in a tenth of the time: live models that learnt nothing true, over some signals of the catalog."""
    shutil.copytree(_quick(models), folder, dirs_exist_ok=True)
    return Home(folder / "home", folder / "company")


@functools.cache
def _quick(models: tuple[str, ...]) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="quick-home"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    home = Home(folder / "home", folder / "company")
    simulate(home.company, accounts=40, leads=120, days=200, end=END, usage_events=4_000)
    for name in models:
        entity = get_model(name).entity
        offered = [s for s in signals() if entity in s.entities]
        numbers = [s for s in offered if not s.is_category][:6]
        words = [s for s in offered if s.is_category and s.name != "plan"][:2]
        copy_scorer(folder / f"{name}.scorer", model=name, signals=[*numbers, *words], n=600)
        with champion_pointer.locked(home.path, name):
            champion_pointer.put_live(home.path, name, folder / f"{name}.scorer", 1)
    new_file(home.path)
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_api(home: Home, env: Mapping[str, str] | None = None, port: int | None = None) -> Iterator[str]:
    """The API in a process of its own until the block ends; yields its address. Waits for liveness, not for readiness."""
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    with running(home, "api", "--port", str(port), env=env) as process:
        wait_for(lambda: process.poll() is not None or _answers(url), 60)
        assert process.poll() is None, f"the API did not start: {(home.path / 'api.log').read_text()}"
        yield url


@contextlib.contextmanager
def running(
    home: Home, *arguments: str, env: Mapping[str, str] | None = None, fresh: bool = False
) -> Iterator[Process]:
    """`python -m serving ...` until the block ends; then SIGTERM, which must end it. `fresh` is for tests about its memory."""
    home.path.mkdir(parents=True, exist_ok=True)
    start = commands.start_fresh if fresh else commands.start
    log = home.path / f"{arguments[0]}.log"
    log.touch()  # it is there as soon as the process is, for who looks what it says
    process = start("serving", *arguments, env=home.environment(env), out=log)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def wait_for(condition: object, seconds: float = 60) -> None:
    """Wait until `condition()` is true; fails after a time that no working machine needs."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds:.0f} s in vain"
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:  # httpx would make a TLS context first
            return bool(answer.status == 200)
    except OSError:
        return False


def same_bits(left: float, right: float) -> bool:
    """Equal to the last bit."""
    return np.float64(left).tobytes() == np.float64(right).tobytes()
