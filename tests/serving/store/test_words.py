"""What people call the rows of each table."""

from __future__ import annotations

from serving.store.tables import generations, metadata
from serving.store.words import RECORDS, counted


def test_every_table_that_holds_somebodys_records_has_a_word() -> None:
    assert RECORDS.keys() == metadata.tables.keys() - {generations.name}


def test_tables_without_a_word_or_a_row_are_left_out() -> None:
    assert counted({"generations": 5, "inbox": 0, "api_keys": 12_345}) == "12,345 API keys"
    assert counted({"generations": 5}) == "nothing"
