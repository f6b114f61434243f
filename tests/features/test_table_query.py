"""`features query` shows rows as a source reads them, and its condition can do nothing but choose."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from features.__main__ import app
from features.kit.errors import BadInput, UserMistake
from features.sources import table_query
from features.sources.loader import open_source
from features.sources.suppression import Suppressed, hash_of_id
from features.sources.table_query import table_rows

SUBSCRIPTIONS = """SELECT unnest(['s1', 's2', 's3']) AS subscription_id, unnest(['a1', 'a2', 'a1']) AS account_id,
  unnest([DATE '2025-01-01', DATE '2025-02-01', DATE '2025-03-01']) AS event_time, unnest(['active', 'active', 'ended']) AS status,
  unnest([49.5, 100, 0]) AS mrr, unnest([true, NULL, false]) AS auto_renew, unnest(['übel, "quoted"', NULL, chr(27) || '[2J']) AS "Remark Ä" """


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "accounts.sql").write_text(
        "SELECT unnest(['a1', 'a2']) AS account_id, TIMESTAMPTZ '2024-12-01 10:00:00+02' AS event_time, "
        "DATE '2024-05-01' AS \"First Call\", unnest([1, 2]) AS score_of_ours"
    )
    (tmp_path / "subscriptions.sql").write_text(SUBSCRIPTIONS)
    (tmp_path / "tickets.sql").write_text("SELECT *\nFROM nowhere")
    return tmp_path


def query(folder: Path, table: str, *options: str, columns: int = 80) -> Result:
    return CliRunner().invoke(app, ["query", str(folder), table, *options], env={"COLUMNS": str(columns)})


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


class TestCondition:
    REFUSED = (
        "1=1; DROP TABLE subscriptions",
        "1=1) UNION SELECT * FROM read_text('/etc/passwd') WHERE (1=1",
        "1) FROM range(3) WHERE (1",
        "EXISTS (SELECT 1 FROM read_text('/etc/passwd'))",
        "account_id IN (SELECT account_id FROM accounts)",
        "1=1) ORDER BY (mrr",
        "COPY (SELECT 1) TO 'out.csv'",
        "SELECT 1",
        "1, 2) --",
        "/* ",
        "",
        "  ; ",
        "count(*) > 1",
        "read_text('/etc/passwd') = ''",
        "mrr",
        "$1 = 2",
    )

    @pytest.mark.parametrize("where", REFUSED)
    def test_it_is_an_expression_and_nothing_else(
        self, source: Path, where: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(source)
        before = sorted(p.name for p in source.iterdir())
        opened = open_source(str(source), keep_going=True)
        if where == "mrr":  # a number is true where it is not 0, as SQL says
            assert table_rows(opened, "subscriptions", where).rows.num_rows == 2
            return
        with pytest.raises(BadInput, match="--where"):
            table_rows(opened, "subscriptions", where)
        assert opened.rows("subscriptions") == 3
        assert sorted(p.name for p in source.iterdir()) == before

    def test_without_the_guard_another_file_is_read(self, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin."""
        monkeypatch.setattr(table_query, "_fault_of_shape", lambda *_: None)
        opened = open_source(str(source), keep_going=True)
        where = f"EXISTS (SELECT 1 FROM read_text('{source / 'accounts.sql'}'))"
        assert table_rows(opened, "subscriptions", where).rows.num_rows == 3

    @pytest.mark.parametrize(
        ("where", "said", "marked"),
        [
            ("statu = 'ended'", "write status in the place of statu", "statu"),
            ("mrr >\n  3 AND nothing", "write one of subscription_id", "nothing"),
            ("'ä' = status AND mrr >> 'x'", "mend the condition at the caret", "mrr >> 'x'"),
            ("status = ", "syntax error", "^"),
            ("event_time > 'yesterday'", "'yesterday' is not of the type", "'yesterday'"),
        ],
    )
    def test_an_error_shows_its_place(self, source: Path, where: str, said: str, marked: str | None) -> None:
        done = query(source, "subscriptions", "--where", where)
        assert isinstance(done.exception, BadInput)
        text = str(done.exception)
        assert said in text
        if marked is not None:
            line, carets = text.splitlines()[-2:]
            place = slice(carets.index("^"), carets.rindex("^") + 1)
            assert (line[place] or "^") == marked

    def test_no_row_is_in_an_error(self, source: Path) -> None:
        done = query(source, "subscriptions", "--where", "CAST(account_id AS INTEGER) = 1")
        assert "TRY_CAST" in str(done.exception)
        assert "'a1'" not in str(done.exception)
        assert (
            query(source, "subscriptions", "--where", "TRY_CAST(account_id AS INTEGER) IS NULL", "--csv").exit_code == 0
        )


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
