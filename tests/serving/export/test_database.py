"""A star in a database has what the folder has, and the same export changes nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from features.kit.errors import UserMistake
from serving.export import star_schema
from serving.export.database import TABLES, Database
from serving.store.connect import open_store
from tests.kit.databases import DATABASES


class TestDatabase:
    @pytest.fixture(params=DATABASES)
    def url(self, request: pytest.FixtureRequest, tmp_path: Path) -> str:
        if request.param == "sqlite":
            return f"sqlite:///{tmp_path}/bi.db"
        return str(request.getfixturevalue("postgres")("template0"))

    @staticmethod
    def dump(url: str) -> dict[str, list[Any]]:
        store = open_store(url)
        with store.read() as connection:
            found = {
                name: sorted(map(tuple, connection.execute(table.select()).all()), key=repr)
                for name, table in TABLES.items()
            }
        store.close()
        return found

    def test_it_has_what_the_folder_has_to_the_bit(
        self, url: str, nights: dict[str, Path], add: Any, star: Path
    ) -> None:
        for night in ("ripe", "first", "second"):
            add(nights[night], url)
        held = self.dump(url)
        for table in star_schema.TABLES:
            rows = pd.read_parquet(star / table.name)
            assert len(held[table.name]) == len(rows) > 0, table.name
        columns = [c.name for c in star_schema.SCORE_FACT.columns]
        by_key = {row[0]: dict(zip(columns, row, strict=True)) for row in held["score_fact"]}
        for row in pq.read_table(star / "score_fact").to_pylist():
            assert {**by_key[row["score_key"]], "as_of": None} == {**row, "as_of": None}
        happened = {row[0]: (row[5], row[4]) for row in held["outcome_fact"]}
        told = pq.read_table(star / "outcome_fact").to_pylist()
        assert happened == {row["score_key"]: (row["happened"], row["entity_id"]) for row in told}

    def test_the_same_export_changes_nothing_and_the_same_moment_is_replaced(
        self, url: str, nights: dict[str, Path], add: Any
    ) -> None:
        add(nights["ripe"], url)
        add(nights["second"], url)
        before = self.dump(url)
        assert add(nights["second"], url).added.rows == {}
        assert self.dump(url) == before
        assert add(nights["again"], url).added.replaced == 1
        after = self.dump(url)
        assert len(after["run_dim"]) == 2
        assert len(after["score_fact"]) == len(before["score_fact"])
        assert len(after["reason_fact"]) < len(before["reason_fact"])
        assert after["outcome_fact"] == before["outcome_fact"]

    def test_an_export_that_fails_halfway_changes_nothing(
        self, url: str, nights: dict[str, Path], add: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The new run and the taking away of the old one are one transaction; committing early would show half of it."""
        add(nights["second"], url)
        before = self.dump(url)
        insert = Database._insert

        def stopping(self: Database, table: Any, parts: Any) -> int:
            if table.name == "reason_fact":
                raise Stop
            return insert(self, table, parts)

        with monkeypatch.context() as patch:
            patch.setattr(Database, "_insert", stopping)
            with pytest.raises(Stop):
                add(nights["again"], url)
            assert self.dump(url) == before
            patch.setattr(Database, "_copy" if url.startswith("p") else "_many", _committing(url))
            with pytest.raises((Stop, sa.exc.SQLAlchemyError)):
                add(nights["again"], url)
        assert self.dump(url) != before, "the sabotaged twin"

    def test_a_foreign_table_of_the_same_name_is_not_touched(self, url: str, nights: dict[str, Path], add: Any) -> None:
        store = open_store(url)
        with store.write() as connection:
            connection.execute(sa.text("CREATE TABLE score_fact (mine integer)"))
        with pytest.raises(UserMistake, match="'score_fact' that is not the star's"):
            add(nights["second"], url)
        with store.read() as connection:
            assert set(sa.inspect(connection).get_table_names()) == {"score_fact"}
        store.close()

    def test_csv_and_other_databases_are_mistakes(self, nights: dict[str, Path], add: Any, tmp_path: Path) -> None:
        with pytest.raises(UserMistake, match="--csv is for a folder"):
            add(nights["second"], f"sqlite:///{tmp_path}/bi.db", csv=True)
        with pytest.raises(UserMistake, match="--to names 'mysql'"):
            add(nights["second"], "mysql://host/bi")

    def test_a_reader_of_one_file_needs_nothing_beside_it(
        self, nights: dict[str, Path], add: Any, tmp_path: Path
    ) -> None:
        add(nights["second"], f"sqlite:///{tmp_path}/bi.db")
        assert [f.name for f in tmp_path.iterdir()] == ["bi.db"]
        with sqlite3.connect(f"file:{tmp_path}/bi.db?mode=ro&immutable=1", uri=True) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        connection.close()


def _committing(url: str) -> Any:
    """Writes as the right one, and commits too early."""
    right = Database._copy if url.startswith("p") else Database._many

    def early(self: Database, table: Any, part: pa.Table) -> None:
        right(self, table, part)
        driver = self._connection.connection.driver_connection
        driver.commit() if url.startswith("p") else driver.execute("COMMIT")  # type: ignore[union-attr]
        if url.startswith("s"):
            driver.execute("BEGIN")  # type: ignore[union-attr]

    return early


class Stop(Exception):
    """The test's own."""
