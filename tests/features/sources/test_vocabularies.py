"""The words that canonical columns understand: every usual spelling means one word, the same in Python and in SQL."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from features.sources.overlay import overlay
from features.sources.schema import TABLES
from features.sources.vocabularies import ENDINGS, WORDS, understood, understood_sql, words_of
from tests.kit.checked import account
from tests.kit.company import at, make_source

COLUMNS = sorted(WORDS)


def spellings(table: str, column: str) -> list[str]:
    """Every spelling as systems write it, and some words that are none."""
    plain = [name for word, others in WORDS[table, column].items() for name in (word, *others)]
    forms = (str, str.upper, lambda name: name.replace("_", " ").title(), lambda name: name.replace("_", "-"))
    humps = [name.split("_")[0] + "".join(part.title() for part in name.split("_")[1:]) for name in plain]
    padded = [f"  {name}. " for name in plain]
    return [*(form(name) for form in forms for name in plain), *humps, *padded, "fax", "", " ", "Größe", "it's"]


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_sql_understands_what_python_does(table: str, column: str) -> None:
    texts = spellings(table, column)
    with duckdb.connect() as connection:
        connection.register("given", pa.table({"n": range(len(texts)), "t": texts}))
        sql = understood_sql(table, column, "t")
        found = [row[0] for row in connection.execute(f"SELECT {sql} FROM given ORDER BY n").fetchall()]
    assert found == [understood(table, column, text) for text in texts]


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_each_spelling_is_of_one_word(table: str, column: str) -> None:
    meant = defaultdict(set)
    for word, others in WORDS[table, column].items():
        for name in (word, *others):
            meant[name.replace("_", "")].add(word)
    assert {name: words for name, words in meant.items() if len(words) > 1} == {}


@pytest.mark.parametrize(
    ("table", "column", "text", "word"),
    [
        ("touches", "kind", "emailOpened", "email_open"),
        ("touches", "kind", "EMAIL-OPENED", "email_open"),
        ("subscriptions", "status", "Cancelled", "ended"),
        ("leads", "seniority", "C-Suite", "c_level"),
        ("tickets", "priority", "P1", "urgent"),
        ("touches", "kind", "fax", "fax"),
        ("accounts", "industry", "Retail", "Retail"),
    ],
)
def test_a_word_is_found_by_its_spelling_and_another_stays(table: str, column: str, text: str, word: str) -> None:
    assert understood(table, column, text) == word


def test_a_column_without_words_is_read_as_it_is() -> None:
    assert words_of("accounts", "industry") == ()
    assert understood_sql("accounts", "industry", "t") == "t"


def test_every_column_with_words_is_a_canonical_text_and_every_ending_is_one_of_its_words() -> None:
    for table, column in COLUMNS:
        found = TABLES[table].column(column)
        assert found is not None
        assert found.type == "text"
    for table, endings in ENDINGS.items():
        assert set(endings) <= set(words_of(table, "status")), table


class TestRead:
    def test_a_webhook_is_read_as_a_file_is(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"accounts": [account(kind="Customer")]})
        changed = overlay(source, "accounts", [{"account_id": "a", "event_time": at("2024-03-01"), "kind": "INTERNAL"}])
        assert sorted(changed.query("SELECT kind FROM accounts")) == [("customer",), ("internal",)]

    def test_signals_count_them(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from features.panel.build import build_panel

        rows = [{"account_id": "a", "event_time": at("2024-02-01"), "kind": "Meeting", "direction": "Inbound"}]
        source = make_source(tmp_path / "one", {"accounts": [account()], "touches": rows})
        assert build_panel(source, "account", [at("2024-02-02")], only=["talks_28d"])["talks_28d"].to_pylist() == [1.0]
        # The twin: words as they stand.
        monkeypatch.setattr("features.sources.casts.understood_sql", lambda table, column, text: text)
        source = make_source(tmp_path / "two", {"accounts": [account()], "touches": rows})
        assert build_panel(source, "account", [at("2024-02-02")], only=["talks_28d"])["talks_28d"].to_pylist() == [0.0]
