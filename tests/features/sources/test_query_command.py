"""`features query` shows rows as a source reads them, on a terminal, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from features.kit.errors import BadInput, UserMistake
from features.sources.suppression import Suppressed, hash_of_id
from tests.kit.queried import SUBSCRIPTIONS, query


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "accounts.sql").write_text(
        "SELECT unnest(['a1', 'a2']) AS account_id, TIMESTAMPTZ '2024-12-01 10:00:00+02' AS event_time, "
        "DATE '2024-05-01' AS \"First Call\", unnest([1, 2]) AS score_of_ours"
    )
    (tmp_path / "subscriptions.sql").write_text(SUBSCRIPTIONS)
    (tmp_path / "tickets.sql").write_text("SELECT *\nFROM nowhere")
    return tmp_path


class TestRows:
    def test_types_after_our_casts(self, source: Path) -> None:
        found = json.loads(query(source, "accounts", "--json").stdout)
        assert found["columns"] == {
            "account_id": "text", "event_time": "time", "first_call": "time", "score_of_ours": "number"
        }  # fmt: skip
        assert found["rows"][0] == {
            "account_id": "a1", "event_time": "2024-12-01T08:00:00Z", "first_call": "2024-05-01T00:00:00Z", "score_of_ours": 1.0
        }  # fmt: skip

    def test_where_and_limit(self, source: Path) -> None:
        def ids(*options: str) -> list[str]:
            return [
                row["subscription_id"]
                for row in json.loads(query(source, "subscriptions", "--json", *options).stdout)["rows"]
            ]

        assert ids() == ["s1", "s2", "s3"]
        assert ids("--where", "mrr > 49 AND event_time >= '2025-02-01'") == ["s2"]
        assert ids("--where", "mrr = 49.5 -- in currency units") == ["s1"]
        assert ids("--where", "auto_renew IS NULL OR status IN ('ended')", "--limit", "1") == ["s2"]
        assert ids("--where", "false") == []

    def test_csv_reads_back(self, source: Path) -> None:
        rows = list(csv.DictReader(io.StringIO(query(source, "subscriptions", "--csv").stdout)))
        assert [row["mrr"] for row in rows] == ["49.5", "100.0", "0.0"]
        assert [row["auto_renew"] for row in rows] == ["true", "", "false"]
        assert rows[0]["remark"] == 'übel, "quoted"'

    def test_only_rows_on_the_standard_output(self, source: Path) -> None:
        done = query(source, "subscriptions", "--csv", "--limit", "2")
        assert done.stderr == "2 rows of more: --limit 20 shows the next\n"
        assert len(done.stdout.splitlines()) == 3

    def test_who_was_erased_is_not_shown(self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACCOUNTSCORE_HOME", str(tmp_path / "home"))
        (tmp_path / "home").mkdir()
        Suppressed({"account": {hash_of_id("account", "a1"): None}}).save(tmp_path / "home")
        assert [r["account_id"] for r in json.loads(query(source, "accounts", "--json").stdout)["rows"]] == ["a2"]


class TestTerminal:
    def test_a_table_where_there_is_room_else_a_block_each(self, source: Path) -> None:
        wide, narrow = (query(source, "accounts", columns=columns).stdout for columns in (100, 50))
        assert wide.splitlines()[:2] == [
            "account_id  event_time           first_call  score_of_ours",
            "text        time                 time        number",
        ]
        assert narrow.splitlines()[:2] == ["row 1", "account_id     text    a1"]

    @pytest.mark.parametrize("columns", [50, 80, 100])
    def test_nothing_is_wider_than_the_terminal_or_cut(self, source: Path, columns: int) -> None:
        long = "word " * 60
        (source / "subscriptions.sql").write_text(SUBSCRIPTIONS.replace('übel, "quoted"', long.strip()))
        shown = query(source, "subscriptions", columns=columns).stdout
        assert all(cell_len(line) <= columns for line in shown.splitlines())
        assert shown.count("word") == 60

    def test_a_value_does_not_steer_the_terminal(self, source: Path) -> None:
        shown = query(source, "subscriptions").stdout
        assert "\x1b" not in shown
        assert "\\x1b[2J" in shown


class TestTables:
    def test_a_table_with_a_fault_says_it(self, source: Path) -> None:
        done = query(source, "tickets")
        assert isinstance(done.exception, BadInput)
        assert "tickets.sql, line 2" in str(done.exception)

    @pytest.mark.parametrize(
        ("table", "said"), [("usage", "it has accounts, subscriptions"), ("subscription", "write subscriptions")]
    )
    def test_a_table_that_is_not_there(self, source: Path, table: str, said: str) -> None:
        done = query(source, table)
        assert isinstance(done.exception, UserMistake)
        assert said in str(done.exception)

    def test_one_form_at_a_time(self, source: Path) -> None:
        assert "one of them" in str(query(source, "accounts", "--csv", "--json").exception)

    def test_an_empty_table(self, source: Path) -> None:
        (source / "usage.sql").write_text(
            "SELECT * FROM accounts_of_nobody WHERE false".replace(
                "accounts_of_nobody", "(SELECT 'a' AS account_id, DATE '2025-01-01' AS event_time)"
            )
        )
        done: Any = query(source, "usage")
        assert (done.stdout, done.stderr) == ("", "0 rows\n")
