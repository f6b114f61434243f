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
from tests.kit.queried import SUBSCRIPTIONS, make_queried, query


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_queried(tmp_path)


class TestRows:
    def test_each_column_has_its_type_after_our_casts(self, source: Path) -> None:
        found = json.loads(query(source, "accounts", "--json").stdout)
        assert found["columns"] == {
            "account_id": "text",
            "event_time": "time",
            "first_call": "time",
            "score_of_ours": "number",
        }
        assert found["rows"][0] == {
            "account_id": "a1",
            "event_time": "2024-12-01T08:00:00Z",
            "first_call": "2024-05-01T00:00:00Z",
            "score_of_ours": 1.0,
        }

    def test_a_condition_and_a_limit_choose_the_rows(self, source: Path) -> None:
        def ids(*options: str) -> list[str]:
            return [
                row["subscription_id"]
                for row in json.loads(query(source, "subscriptions", "--json", *options).stdout)["rows"]
            ]

        assert ids() == ["s1", "s2", "s3"]
        assert ids("--where", "mrr > 49 AND event_time >= '2025-02-01'") == ["s2"]
        assert ids("--where", "auto_renew IS NULL OR status IN ('ended')", "--limit", "1") == ["s2"]

    def test_csv_output_can_be_read_back(self, source: Path) -> None:
        rows = list(csv.DictReader(io.StringIO(query(source, "subscriptions", "--csv").stdout)))
        assert [row["mrr"] for row in rows] == ["49.5", "100.0", "0.0"]
        assert [row["auto_renew"] for row in rows] == ["true", "", "false"]
        assert rows[0]["remark"] == 'übel, "quoted"'

    def test_only_rows_go_to_the_standard_output(self, source: Path) -> None:
        done = query(source, "subscriptions", "--csv", "--limit", "2")
        assert done.stderr == "2 rows of more: --limit 20 shows the next\n"
        assert len(done.stdout.splitlines()) == 3

    def test_who_was_erased_is_not_shown(self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACCOUNTSCORE_HOME", str(tmp_path / "home"))
        (tmp_path / "home").mkdir()
        Suppressed({"account": {hash_of_id("account", "a1"): None}}).save(tmp_path / "home")
        assert [r["account_id"] for r in json.loads(query(source, "accounts", "--json").stdout)["rows"]] == ["a2"]


class TestTerminal:
    def test_a_wide_terminal_has_a_table_and_a_narrow_one_a_block_per_row(self, source: Path) -> None:
        wide, narrow = (query(source, "accounts", columns=columns).stdout for columns in (100, 50))
        assert wide.splitlines()[:2] == [
            "account_id  event_time           first_call  score_of_ours",
            "text        time                 time        number",
        ]
        assert narrow.splitlines()[:2] == ["row 1", "account_id     text    a1"]

    @pytest.mark.parametrize("columns", [50, 80, 100])
    def test_no_line_is_wider_than_the_terminal_and_no_value_is_cut(self, source: Path, columns: int) -> None:
        long = "word " * 60
        (source / "subscriptions.sql").write_text(SUBSCRIPTIONS.replace('übel, "quoted"', long.strip()))
        shown = query(source, "subscriptions", columns=columns).stdout
        assert all(cell_len(line) <= columns for line in shown.splitlines())
        assert shown.count("word") == 60

    def test_control_characters_of_a_value_are_escaped(self, source: Path) -> None:
        shown = query(source, "subscriptions").stdout
        assert "\x1b" not in shown
        assert "\\x1b[2J" in shown


class TestTables:
    def test_a_broken_table_shows_its_fault(self, source: Path) -> None:
        done = query(source, "tickets")
        assert isinstance(done.exception, BadInput)
        assert "tickets.sql, line 2" in str(done.exception)

    @pytest.mark.parametrize(
        ("table", "said"), [("usage", "it has accounts, subscriptions"), ("subscription", "write subscriptions")]
    )
    def test_an_absent_table_is_refused_with_the_nearest_name(self, source: Path, table: str, said: str) -> None:
        done = query(source, table)
        assert isinstance(done.exception, UserMistake)
        assert said in str(done.exception)

    def test_csv_and_json_together_are_refused(self, source: Path) -> None:
        assert "one of them" in str(query(source, "accounts", "--csv", "--json").exception)

    def test_an_empty_table_shows_no_row(self, source: Path) -> None:
        (source / "usage.sql").write_text(
            "SELECT * FROM accounts_of_nobody WHERE false".replace(
                "accounts_of_nobody", "(SELECT 'a' AS account_id, DATE '2025-01-01' AS event_time)"
            )
        )
        done: Any = query(source, "usage")
        assert (done.stdout, done.stderr) == ("", "0 rows\n")
