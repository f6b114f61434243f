"""The canonical tables and their columns."""

from __future__ import annotations

import pytest

from features.sources.casts import ADDED
from features.sources.schema import ENTITIES, KNOWN_TIME, TABLES, Table


class TestColumns:
    def test_every_canonical_column_has_a_meaning(self) -> None:
        assert all(c.meaning for t in TABLES.values() for c in t.columns)


class TestTables:
    @pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
    def test_a_thing_with_versions_is_named_by_a_required_column(self, table: Table) -> None:
        """Only the tables of states have versions; their key is in every row, as is the time."""
        assert (table.key is not None) == (table.kind == "state")
        for name in ("event_time", *([table.key] if table.key else [])):
            column = table.column(name)
            assert column is not None
            assert column.required or table.kind in ("label", "action")

    @pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
    def test_no_column_is_named_twice_or_takes_an_internal_name(self, table: Table) -> None:
        names = [column.name for column in (*table.columns, KNOWN_TIME)]
        assert len(set(names)) == len(names)
        assert not set(names) & set(ADDED)

    @pytest.mark.parametrize(("entity", "table"), ENTITIES.items())
    def test_an_entity_is_named_by_the_key_of_its_table(self, entity: str, table: str) -> None:
        assert TABLES[table].key == f"{entity}_id"

    def test_a_column_that_is_not_there_is_none(self) -> None:
        assert TABLES["usage"].column("mrr") is None
