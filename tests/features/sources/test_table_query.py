"""The rows of a table that a condition chooses, and a condition that can do nothing but choose."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.kit.errors import BadInput
from features.sources import table_query
from features.sources.loader import open_source
from features.sources.table_query import table_rows
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
