"""The canonical tables and their columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from features.sources.casts import ADDED
from features.sources.fingerprint import fingerprint
from features.sources.schema import ENTITIES, KNOWN_TIME, TABLES, Table
from tests.kit.company import make_source, random_company


class TestColumns:
    def test_every_canonical_column_has_a_meaning(self) -> None:
        assert all(c.meaning for t in TABLES.values() for c in t.columns)


class TestTables:
    @pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
    def test_a_thing_with_versions_is_named_by_a_required_column(self, table: Table) -> None:
        """Only the tables of states have versions; their key is in every row, as is the time."""
        assert (table.key is not None) == (table.kind == "state")
        if table.kind == "reference":
            assert table.column("event_time") is None
            assert KNOWN_TIME not in table.canonical
            return
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


class TestOnlyGiven:
    """A source without `event_id` or `currency` is what it was before these columns were canonical."""

    def as_before(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[tuple[str, ...]]]:
        """The fingerprint of a company by the schema without such columns, and the tables that have one."""
        with monkeypatch.context() as patched:
            for name, table in list(TABLES.items()):
                older = replace(table, columns=tuple(c for c in table.columns if not c.only_given))
                patched.setitem(TABLES, name, older)
            return self.now(folder)

    def now(self, folder: Path) -> tuple[str, list[tuple[str, ...]]]:
        source = make_source(folder, random_company(2, accounts=4, days=60))
        return fingerprint(source), source.query(
            "SELECT DISTINCT table_name FROM duckdb_columns() WHERE column_name IN ('event_id', 'currency')"
        )

    def test_its_tables_and_its_fingerprint_are_what_they_were(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert self.now(tmp_path / "now") == self.as_before(tmp_path / "before", monkeypatch)

    def test_a_column_that_every_table_gets_would_change_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The twin."""
        before = self.as_before(tmp_path / "before", monkeypatch)
        for name, table in list(TABLES.items()):
            always = tuple(replace(column, only_given=False) for column in table.columns)
            monkeypatch.setitem(TABLES, name, replace(table, columns=always))
        assert self.now(tmp_path / "always")[0] != before[0]

    def test_a_delivered_one_is_kept(self, tmp_path: Path) -> None:
        tables = random_company(2, accounts=4, days=60)
        tables["usage"] = [row | {"event_id": f"e{n}"} for n, row in enumerate(tables["usage"])]
        source = make_source(tmp_path, tables)
        assert source.query("SELECT count(DISTINCT event_id) FROM usage") == [(len(tables["usage"]),)]
        assert "event_id" not in source.custom["usage"]
