"""What `/readyz` says of the store is true, and a store that is locked holds up no score. On real databases."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, delete, func, insert, select, text

from models import champion_pointer
from serving.errors import RegistryFailed
from serving.registry_sync import sync
from serving.scoring import recorder
from serving.scoring.held import Scoring
from serving.settings import ServingSettings
from serving.store.connect import open_store
from serving.store.probe import Probe
from serving.store.tables import decisions, signals
from tests.kit.databases import NewDatabase
from tests.kit.inside import Inside, running_inside
from tests.kit.running import wait_for
from tests.kit.scorers import copy_scorer
from tests.kit.store_rows import signal_row

SCORE = "/v1/churn-risk/score"
BODY = {"records": [{"entity_id": "acme", "signals": {"number_0": 1.0}}]}


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with running_inside(tmp_path_factory.mktemp("home")) as running:
        yield running


@contextlib.contextmanager
def locked(inside: Inside) -> Iterator[None]:
    """Another connection writes and does not come to an end."""
    other = sqlite3.connect(inside.state.settings.base.home / "store.db", isolation_level=None)
    other.execute("PRAGMA busy_timeout = 20000")
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def ready(inside: Inside) -> dict[str, Any]:
    inside.state.probe._asked_at = float("-inf")
    found: dict[str, Any] = inside.client.get("/readyz").json()
    return found


def ask(inside: Inside) -> tuple[float, list[str]]:
    """Seconds, and what is said of the store."""
    began = time.monotonic()
    answer = inside.client.post(SCORE, json=BODY)
    assert answer.status_code == 200
    result = answer.json()["results"][0]
    assert "probability" in result
    return time.monotonic() - began, [w for w in result["warnings"] if "the store is" in w]


class TestALockedStore:
    LATE = "the store is locked or slow: this score may not be recorded"

    def test_is_told_and_holds_up_no_score(self, inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
        assert (ready(inside)["status"], ready(inside)["store"]) == ("ready", "reached")
        assert ask(inside)[1] == []
        monkeypatch.setattr(recorder, "LATE_SECONDS", 0.3)

        def recorded() -> int:
            with inside.state.store.read() as connection:
                return int(connection.execute(select(func.count()).select_from(decisions)).scalar_one())

        kept = recorded()
        with locked(inside):
            asked = [ask(inside) for _ in range(5)]
            now = ready(inside)
            assert (now["status"], now["store"]) == ("degraded", "unwritable")
        assert max(took for took, _ in asked) < 5
        assert [said for _, said in asked] == [[self.LATE]] * 5
        wait_for(lambda: recorded() == kept + 5)  # they were kept when the lock was gone
        wait_for(lambda: not inside.state.part(Scoring).recorder.late)
        assert ready(inside)["store"] == "reached"
        assert "accountscore_decisions_late_total 5.0" in inside.client.get("/metrics").text

    def test_without_the_bound_it_waits_for_the_lock(self, inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(recorder, "LATE_SECONDS", 3600.0)
        with ThreadPoolExecutor() as pool:
            with locked(inside):
                asked = pool.submit(ask, inside)
                with pytest.raises(TimeoutError):
                    asked.result(1.5)
            assert asked.result(30)[1] == []

    def test_what_waits_in_memory_is_bounded(self, inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(recorder, "LATE_SECONDS", 0.1)
        monkeypatch.setattr(recorder, "LATE_ROWS", 3)
        with locked(inside):
            assert [ask(inside)[1] for _ in range(8)] == [[self.LATE]] * 8
            assert len(inside.state.part(Scoring).recorder._waiting) == 3
        wait_for(lambda: not inside.state.part(Scoring).recorder.late)


class TestPostgres:
    def test_one_that_is_read_only_is_told(self, postgres: NewDatabase) -> None:
        url = postgres()
        probe = Probe(url)
        assert probe.writable() is True
        admin = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {admin.url.database} SET default_transaction_read_only = on"))
        probe._store.engine.dispose()
        probe._asked_at = float("-inf")
        assert probe.writable() is False
        probe.close()
        admin.dispose()

    def test_one_that_is_locked_is_told(self, postgres: NewDatabase) -> None:
        url = postgres()
        probe, store = Probe(url), open_store(url)
        with store.write() as connection:
            connection.execute(text("LOCK TABLE generations IN EXCLUSIVE MODE"))
            assert probe.writable() is False
        probe._asked_at = float("-inf")
        assert probe.writable() is True
        probe.close()
        store.close()


def test_signals_of_a_later_moment_are_a_fault(inside: Inside) -> None:
    later = 4_000_000_000_000_000

    def look() -> dict[str, Any]:
        inside.state.probe._looked_at = float("-inf")
        return ready(inside)

    assert look()["signals"] == "in time"
    with inside.writing() as connection:
        connection.execute(insert(signals), [signal_row("from-tomorrow", later)])
    found = look()
    assert (found["status"], found["signals"]) == ("degraded", "ahead of the clock")
    with inside.writing() as connection:
        connection.execute(delete(signals).where(signals.c.as_of == later))
    assert look()["signals"] == "in time"


class TestTheRegistryIsLost:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> ServingSettings:
        copy_scorer(tmp_path / "made", n=600)
        with champion_pointer.locked(tmp_path, "churn-risk"):
            champion_pointer.put_live(tmp_path, "churn-risk", tmp_path / "made", 3)
        return ServingSettings.from_env({"ACCOUNTSCORE_HOME": str(tmp_path)})

    def test_sync_says_so_and_makes_none(self, settings: ServingSettings) -> None:
        file = settings.base.home / "mlflow.db"
        with pytest.raises(RegistryFailed, match=r"registry is lost.*mlflow.db.*churn-risk is live"):
            sync(settings)
        assert not file.exists()
        file.touch()
        with pytest.raises(RegistryFailed, match="registry is lost"):
            sync(settings)
        assert file.stat().st_size == 0

    def test_an_empty_one_does_not_know_what_is_live(
        self, settings: ServingSettings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Such as the twin without the first guard makes."""
        monkeypatch.setattr("serving.registry_sync._require_registry", lambda _: None)
        with pytest.raises(RegistryFailed, match="version 3 is live and the registry does not know it"):
            sync(settings)
        assert (settings.base.home / "mlflow.db").stat().st_size
