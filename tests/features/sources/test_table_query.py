"""The rows of a table that a condition chooses, and a condition that can do nothing but choose."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.kit.errors import BadInput, UserMistake
from features.sources import table_query
from features.sources.loader import open_source
from features.sources.source import Source
from features.sources.table_query import table_rows
from tests.kit.queried import make_queried


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_queried(tmp_path_factory.mktemp("queried"))


@pytest.fixture(scope="module")
def opened(source: Path) -> Source:
    return open_source(str(source), keep_going=True)


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
        "$1 = 2",
    )

    @pytest.mark.parametrize("where", REFUSED)
    def test_it_is_an_expression_and_nothing_else(
        self, source: Path, opened: Source, where: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(source)
        before = sorted(p.name for p in source.iterdir())
        with pytest.raises(BadInput, match="--where"):
            table_rows(opened, "subscriptions", where)
        assert opened.rows("subscriptions") == 3
        assert sorted(p.name for p in source.iterdir()) == before

    def test_a_number_is_true_where_it_is_not_0_as_sql_says(self, opened: Source) -> None:
        assert table_rows(opened, "subscriptions", "mrr").rows.num_rows == 2

    def test_without_the_guard_another_file_is_read(
        self, source: Path, opened: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin."""
        monkeypatch.setattr(table_query, "_fault_of_shape", lambda *_: None)
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
    def test_an_error_shows_its_place(self, opened: Source, where: str, said: str, marked: str | None) -> None:
        with pytest.raises(BadInput) as caught:
            table_rows(opened, "subscriptions", where)
        text = str(caught.value)
        assert said in text
        if marked is not None:
            line, carets = text.splitlines()[-2:]
            place = slice(carets.index("^"), carets.rindex("^") + 1)
            assert (line[place] or "^") == marked

    def test_no_row_is_in_an_error(self, opened: Source) -> None:
        with pytest.raises(BadInput, match="TRY_CAST") as caught:
            table_rows(opened, "subscriptions", "CAST(account_id AS INTEGER) = 1")
        assert "'a1'" not in str(caught.value)
        assert table_rows(opened, "subscriptions", "TRY_CAST(account_id AS INTEGER) IS NULL").rows.num_rows == 3


class TestRows:
    @pytest.mark.parametrize(
        ("where", "ids"),
        [
            (None, ["s1", "s2", "s3"]),
            ("mrr = 49.5 -- in currency units", ["s1"]),
            ("auto_renew IS NULL", ["s2"]),
            ("status IN ('ended')", ["s3"]),
            ("false", []),
        ],
    )
    def test_a_condition_chooses_rows(self, opened: Source, where: str | None, ids: list[str]) -> None:
        assert table_rows(opened, "subscriptions", where).rows["subscription_id"].to_pylist() == ids

    def test_the_first_by_id_and_time_and_whether_there_are_more(self, opened: Source) -> None:
        found = table_rows(opened, "subscriptions", limit=2)
        assert (found.rows["subscription_id"].to_pylist(), found.more) == (["s1", "s2"], True)
        assert not table_rows(opened, "subscriptions", limit=3).more

    def test_values_have_ordinary_types(self, opened: Source) -> None:
        """Money in currency units, times in UTC; a custom column by its slug."""
        found = table_rows(opened, "subscriptions", "subscription_id = 's1'")
        assert (found.types["mrr"], found.types["event_time"], found.types["remark"]) == ("money", "time", "text")
        row = found.rows.to_pylist()[0]
        assert (row["mrr"], row["event_time"].isoformat()) == (49.5, "2025-01-01T00:00:00+00:00")

    def test_a_table_that_is_absent_or_broken_is_refused(self, opened: Source) -> None:
        with pytest.raises(
            UserMistake, match="has no table 'subscription'; it has accounts, subscriptions; write subscriptions"
        ):
            table_rows(opened, "subscription")
        with pytest.raises(BadInput, match=r"tickets\.sql, line 2"):
            table_rows(opened, "tickets")
