"""SIGTERM ends the worker whatever it waits for."""

from __future__ import annotations

import contextlib
import signal
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.connections.config import load_connections
from serving.outbox import repository as outbox
from serving.outbox.repository import NewScore
from serving.store.connect import open_store
from tests.kit.killing import CONNECTION, environment
from tests.kit.running import Home, quick_home, running, wait_for


def handles_sigterm(process: Any) -> bool:
    caught = Path(f"/proc/{process.pid}/status").read_text().split("SigCgt:")[1].split()[0]
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


@contextlib.contextmanager
def locked(store: Path) -> Iterator[None]:
    """Another process writes to the store, and does not come to an end."""
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return quick_home(tmp_path_factory.mktemp("company"), models=("lead-fit",))


class TestSigtermOfTheWorker:
    @pytest.fixture
    def env(self, company: Home, tmp_path: Path) -> dict[str, str]:
        env = {**environment(company, tmp_path), "ACCOUNTSCORE_DRAIN_SECONDS": "1"}
        assert company.run("serving", "migrate", env=env).returncode == 0
        return env

    @pytest.fixture
    def crm(self, company: Home) -> Iterator[socket.socket]:
        """A CRM that takes calls and never answers."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            folder = company.path / "connections"
            folder.mkdir(exist_ok=True)
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            (folder / "crm.toml").write_text(
                CONNECTION.format(source="sample", data=company.company, settle=0, url=url)
            )
            silent.settimeout(60)
            yield silent

    def test_while_it_starts(self, company: Home, env: dict[str, str], crm: socket.socket, tmp_path: Path) -> None:
        with locked(tmp_path / "store.db"), running(company, "worker", env=env) as worker:
            wait_for(lambda: handles_sigterm(worker))
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0

    def test_while_a_crm_does_not_answer(
        self, company: Home, env: dict[str, str], crm: socket.socket, tmp_path: Path
    ) -> None:
        store = open_store(env["ACCOUNTSCORE_STORE_URL"])
        connections = load_connections(company.path / "connections", secrets_needed=False)
        score = NewScore("lead-fit", "lead_1", 1_700_000_000_000_000, 1, 50, "low", 0.5, ["Because."])
        with store.write() as writing:
            assert outbox.enqueue(writing, list(connections.values()), [score], 10) == 1
        store.close()
        with running(company, "worker", env=env) as worker:
            call, _ = crm.accept()
            with call:
                worker.send_signal(signal.SIGTERM)
                assert worker.wait(60) == 0
        assert "stopped.in_the_middle" in (company.path / "worker.log").read_text()
