"""Which SELECT reads a column in the type that it must have, tried on the column's values."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from features.kit.errors import BadInput
from features.sources import cast_advice
from features.sources.schema import Type
from tests.kit.broken_sources import READ, SUBSCRIPTION, Case, assert_advice_works, broken, followed, values


class TestReading:
    """Which SELECT reads a column, tried on its values."""

    @pytest.mark.parametrize(
        ("kind", "values", "read"),
        [
            ("money", ["$1,049.00", "USD 9", "-7.5", "£3", "5 kr"], [1049.0, 9.0, -7.5, 3.0, 5.0]),
            ("money", ["1.049,00 €", "9,50", "CHF 1'000,25"], [1049.0, 9.5, 1000.25]),
            ("money", ["word1", "word2"], None),
            ("integer", ["word1", "word2"], None),
            ("integer", ["51-200", "10,000+", "> 500", "20 people"], [51, 10_000, 500, 20]),
            ("integer", ["1.234", "2.345"], [1234, 2345]),
            ("number", ["12 %", "5,5%"], [0.12, 0.055]),
            ("time", ["2024-01-01T10:00:00Z", "2024-01-01 12:00:00+02"], ["2024-01-01 10:00:00"] * 2),
            ("time", ["03/04/2024 10:15 PM", "12/31/2024 09:00 AM"], ["2024-03-04 22:15:00", "2024-12-31 09:00:00"]),
            ("time", ["Jan 3, 2024"], ["2024-01-03 00:00:00"]),
            ("time", ["1700000000000"], ["2023-11-14 22:13:20"]),
            ("time", ["20240103"], ["2024-01-03 00:00:00"]),
            ("time", ["p1", "p2"], None),
            ("boolean", ["Ja", "Nein"], [True, False]),
        ],
    )
    def test_the_best_cast_of_a_column_is_found(self, kind: Type, values: list[str], read: list[object] | None) -> None:
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("given", pa.table({"n": range(len(values)), "v": values}))
            found = cast_advice.reading(connection, "SELECT * FROM given", "v", kind, "VARCHAR")
            if read is None:
                assert found is None
                return
            assert found is not None
            item = f"CAST(CAST({found.expression} AS TIMESTAMP) AS VARCHAR)" if kind == "time" else found.expression
            rows = connection.execute(f"SELECT {item} FROM given ORDER BY n").fetchall()
            assert (
                [row[0] for row in rows] == pytest.approx(read)
                if kind in ("money", "number")
                else [row[0] for row in rows] == read
            )

    def test_an_ambiguous_cast_says_what_it_assumes(self) -> None:
        with duckdb.connect() as connection:
            for kind, value, said in (("time", "03/04/2024", "%m/%d/%Y"), ("money", "1,234", "thousands")):
                select = f"SELECT '{value}' AS v"
                found = cast_advice.reading(connection, select, "v", kind, "VARCHAR")  # type: ignore[arg-type]  # one of Type
                assert found is not None
                assert said in found.remark


CASES = [
    Case(
        "a fixed column of numbers",
        "its type is VARCHAR",
        READ,
        values("a,2024-01-01,3", "b,2024-01-01,many"),
        "sum(quantity)",
        3,
    ),
    Case(
        "days of another order",
        "event_time is time",
        READ.replace("csv')", "csv', all_varchar = true)").replace("quantity", "1 AS quantity"),
        values("a,03.04.2024,3", "b,13.04.2024,3"),
        "max(event_us)",
        1_712_966_400_000_000,
    ),
    Case(
        "seconds since 1970",
        "its type is BIGINT",
        READ,
        values("a,1700000000,3", "b,1700000001,3"),
        "max(event_us)",
        1_700_000_001_000_000,
    ),
    Case(
        "days of a spreadsheet",
        "its type is BIGINT",
        READ,
        values("a,45000,3", "b,45001,3"),
        "min(event_us)",
        1_678_838_400_000_000,
    ),
    Case(
        "ids that became floats",
        "its type is DOUBLE",
        READ.replace("account_id", "CAST(account_id AS DOUBLE) AS account_id"),
        values("100057,2024-01-01,3", "8,2024-01-01,3"),
        "min(account_id)",
        "100057",
    ),
    Case(
        "dollars",
        "mrr is money",
        SUBSCRIPTION.format("unnest(['$1,049.00', '$9']) AS mrr"),
        {},
        "max(mrr)",
        104_900,
        "subscriptions",
    ),
    Case(
        "a decimal comma",
        "mrr is money",
        SUBSCRIPTION.format("unnest(['1.049,50 €', '9,00 €']) AS mrr"),
        {},
        "max(mrr)",
        104_950,
        "subscriptions",
    ),
    Case(
        "per cent",
        "discount is number",
        SUBSCRIPTION.format("9 AS mrr, unnest(['12 %', '5%']) AS discount"),
        {},
        "max(discount)",
        0.12,
        "subscriptions",
    ),
    Case(
        "a flag in German",
        "auto_renew is boolean",
        SUBSCRIPTION.format("9 AS mrr, unnest(['Nein', 'Ja']) AS auto_renew"),
        {},
        "count(*) FILTER (WHERE auto_renew)",
        1,
        "subscriptions",
    ),
    Case(
        "words for a number",
        "seats is integer",
        SUBSCRIPTION.format("9 AS mrr, unnest(['few', 'many']) AS seats"),
        {},
        table="subscriptions",
    ),
]


class TestAdvice:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_followed_to_the_letter_the_source_opens(self, case: Case, tmp_path: Path) -> None:
        assert_advice_works(case, tmp_path)

    def test_advice_that_was_not_tried_fails_in_the_next_round(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: the cast is named by the type of the column alone."""
        monkeypatch.setattr(
            "features.sources.validation.cast_advice",
            lambda _connection, _select, column, _kind: (
                f"wrap it: SELECT * REPLACE (CAST({column.name} AS BIGINT) AS {column.name}) FROM (THIS SELECT)"
            ),
        )
        case = Case("", "", READ, values("a,2024-01-01,51-200", "b,2024-01-01,7"))
        with pytest.raises(BadInput, match="51-200"):
            followed(*broken(case, tmp_path))
