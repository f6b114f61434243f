"""Migrations make exactly the tables of the code, and a store of another revision is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select, text

from features.kit.errors import UserMistake
from serving.store.connect import Store, open_store, upsert
from serving.store.migrate import migrate
from serving.store.tables import REVISION, metadata, signals
from tests.kit.store_rows import signal_row

pytestmark = pytest.mark.both_databases


class TestMigrate:
    def test_the_newest_migration_is_the_revision_that_the_code_asks_for(self, store: Store) -> None:
        assert store.revision() == REVISION
        store.require_revision()

    def test_migrations_make_exactly_the_tables_of_the_code(self, store: Store) -> None:
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

        def difference() -> list[object]:
            with store.read() as connection:
                found = compare_metadata(MigrationContext.configure(connection), metadata)
            flat = [each for item in found for each in (item if isinstance(item, list) else [item])]
            return [each for each in flat if "comment" not in each[0]]  # they are for readers of the code

        assert difference() == []
        with store.write() as connection:  # the sabotaged twin: a table that nobody migrated
            connection.execute(text("CREATE TABLE stray (id INTEGER)"))
        assert difference()

    def test_repeating_it_changes_nothing(self, store: Store) -> None:
        with store.write() as connection:
            upsert(connection, signals, [signal_row("a", 1)], unique=("entity", "entity_id"))
        assert migrate(store) == REVISION
        with store.read() as connection:
            assert len(connection.execute(select(signals)).all()) == 1

    def test_a_store_that_was_never_set_up_is_told_how(self, tmp_path: Path) -> None:
        fresh = open_store(f"sqlite:///{tmp_path}/fresh.db")
        with pytest.raises(UserMistake, match=r"never set up.*python -m serving migrate"):
            fresh.require_revision()
        fresh.close()

    def test_another_revision_is_refused(self, store: Store) -> None:
        with store.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
        with pytest.raises(UserMistake, match=r"revision 0000.*needs " + REVISION):
            store.require_revision()
