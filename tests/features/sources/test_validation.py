"""Everything that is wrong with the tables of a source is said at once: columns, types, values that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.kit.errors import BadInput
from features.sources.loader import open_source
from tests.kit.broken_sources import ACCOUNTS, READ, SUBSCRIPTION, USAGE, Case, assert_advice_works, values, write_sql


class TestFaults:
    def test_all_faults_at_once(self, tmp_path: Path) -> None:
        folder = write_sql(
            tmp_path,
            accounts="SELECT 'a' AS account_id",
            usage="SELECT 'a' AS account_id, 'yesterday' AS event_time",
            subscriptions="SELECT 's' AS subscription_id, 'a' AS account_id, TIMESTAMP '2024-01-01' AS event_time, 'active' AS status, 'x' AS mrr",
            invoice="SELECT 1",
            tickets="SELEKT",
        )
        with pytest.raises(BadInput) as caught:
            open_source(folder)
        wheres = [f.where for f in caught.value.faults]
        assert len(wheres) == 5
        text = str(caught.value)
        assert "accounts.sql, column event_time: it is missing" in text
        assert "usage.sql, column event_time: its type is VARCHAR" in text
        assert "subscriptions.sql, column mrr: its type is VARCHAR" in text
        assert "no canonical table is called 'invoice'" in text
        assert "tickets.sql" in text

    def test_nulls_and_impossible_times_are_counted(self, tmp_path: Path) -> None:
        usage = "SELECT unnest(['a', NULL]) AS account_id, unnest([TIMESTAMP '9999-12-31', TIMESTAMP '2024-01-01']) AS event_time"
        with pytest.raises(BadInput) as caught:
            open_source(write_sql(tmp_path, accounts=ACCOUNTS, usage=usage))
        assert [f.found for f in caught.value.faults] == [
            "1 rows where it is null",
            "1 rows where it lies before 1971-01-01 or after 2200-01-01",
        ]

    def test_the_twin_without_the_two_bad_rows_opens(self, tmp_path: Path) -> None:
        """The sabotaged twin: the same table without its two bad rows opens."""
        usage = "SELECT unnest(['a', 'b']) AS account_id, unnest([TIMESTAMP '2024-12-31', TIMESTAMP '2024-01-01']) AS event_time"
        assert open_source(write_sql(tmp_path, accounts=ACCOUNTS, usage=usage)).rows("usage") == 2

    def test_two_columns_with_the_same_slug_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="which is taken"):
            open_source(write_sql(tmp_path, accounts=ACCOUNTS + ', 1 AS "Deal Size", 2 AS deal_size'))


class TestPython:
    """A source's own Python file, and the line of it that raised."""

    @pytest.mark.parametrize(
        ("text", "where", "said"),
        [
            ("def rows(data):\n    return 1 +\n", "line 2", "SyntaxError"),
            ("import pyarrow\n\ndef rows(data):\n    return {}['a key']\n", "line 4", "KeyError: 'a key'"),
            ("def table(data): ...\n", None, "write a function rows"),
            ("def rows(data):\n    return [{'account_id': 'a'}]\n", None, "returned a list"),
        ],
    )
    def test_what_a_python_file_raised_is_shown_with_its_line(
        self, tmp_path: Path, text: str, where: str | None, said: str
    ) -> None:
        (tmp_path / "accounts.sql").write_text(ACCOUNTS)
        (tmp_path / "usage.py").write_text(text)
        with pytest.raises(BadInput) as caught:
            open_source(str(tmp_path))
        (fault,) = caught.value.faults
        assert said in str(fault)
        assert fault.where == str(tmp_path / "usage.py") + (f", {where}" if where else "")

    def test_a_data_frame_is_accepted(self, tmp_path: Path) -> None:
        (tmp_path / "accounts.sql").write_text(ACCOUNTS)
        frame = "pd.DataFrame({'account_id': ['a'], 'event_time': [pd.Timestamp('2024-01-01').as_unit('us')]})"
        (tmp_path / "usage.py").write_text(f"import pandas as pd\ndef rows(data):\n    return {frame}\n")
        assert open_source(str(tmp_path)).rows("usage") == 1


CASES = [
    Case("a misspelt table", "no canonical table", READ, {"usage.csv": USAGE}, table="usages"),
    Case("a null where none may be", "1 rows where it is null", READ, values("a,2024-01-01,3", ",2024-01-01,3"), is_=1),
    Case("a time that cannot be", "before 1971-01-01", READ, values("a,2024-01-01,3", "b,9999-12-31,3"), is_=1),
    Case(
        "an optional time that cannot be",
        "before 1971-01-01",
        SUBSCRIPTION.format("9 AS mrr, unnest([DATE '9999-12-31', DATE '2024-01-01']) AS term_end"),
        {},
        "count(term_end_us)",
        1,
        "subscriptions",
    ),
    Case(
        "more than 64 bits",
        "too large",
        READ,
        values("a,2024-01-01,3", "b,2024-01-01,99999999999999999999"),
        "sum(quantity)",
        3,
    ),
    Case(
        "two columns of one name",
        "which is taken",
        READ.replace("quantity", '1 AS "Deal Size", 2 AS deal_size'),
        {"usage.csv": USAGE},
    ),
]


class TestAdvice:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_followed_to_the_letter_the_source_opens(self, case: Case, tmp_path: Path) -> None:
        assert_advice_works(case, tmp_path)
