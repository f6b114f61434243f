"""Which SELECT reads a column in the type that it must have, tried on the column's values."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from features.sources import cast_advice
from features.sources.schema import Type


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
    def test_the_best_way(self, kind: Type, values: list[str], read: list[object] | None) -> None:
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

    def test_what_could_be_read_otherwise_is_said(self) -> None:
        with duckdb.connect() as connection:
            for kind, value, said in (("time", "03/04/2024", "%m/%d/%Y"), ("money", "1,234", "thousands")):
                select = f"SELECT '{value}' AS v"
                found = cast_advice.reading(connection, select, "v", kind, "VARCHAR")  # type: ignore[arg-type]  # one of Type
                assert found is not None
                assert said in found.remark
