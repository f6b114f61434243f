"""A Postgres that is read-only or locked is told. On a real database."""

from __future__ import annotations

from sqlalchemy import create_engine, text

from serving.store.connect import open_store
from serving.store.probe import Probe
from tests.kit.databases import NewDatabase


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
