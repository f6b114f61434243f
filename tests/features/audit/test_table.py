"""The audit of one table: what it reads, what it refuses, and columns of every type."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.audit import table as audit_tables
from features.audit.table import audit_table, read_flat
from features.kit.errors import UserMistake
from tests.kit.audits import base, clean, codes_of, columns_at


class TestTable:
    def test_gaps_of_open_cases_only_say_that_a_case_is_closed(self) -> None:
        table = clean()
        state = np.where(np.arange(len(table)) % 4 == 0, "open", np.where(table.outcome == 1, "Won", "Lost"))
        table = table.drop(columns="outcome").assign(stage=state)
        table["x"] = table.noise.where(table.stage != "open")
        found = audit_table(table, "stage")
        assert codes_of(found, "x") == {"says_closed"}

    def test_a_missing_column_is_refused_with_those_there_are(self) -> None:
        with pytest.raises(UserMistake, match="no column 'when': one of size"):
            audit_table(clean(), "outcome", "when")

    def test_repeated_rows_are_found(self) -> None:
        table = pd.concat([clean(500), clean(500)])
        assert any(f.code == "repeated_rows" for f in audit_table(table, "outcome"))

    def test_a_time_is_read_as_fit_table_reads_it(self, recwarn: pytest.WarningsRecorder) -> None:
        days = pd.date_range("2024-01-01", periods=300)
        rows = clean(300).assign(when=days.strftime("%d.%m.%Y"))
        iso = clean(300).assign(when=days)
        assert audit_table(rows, "outcome", time="when") == audit_table(iso, "outcome", time="when")
        rows.loc[3, "when"] = "soon"
        with pytest.raises(UserMistake, match=r"holds no time in 1 rows \(such as 'soon'\)"):
            audit_table(rows, "outcome", time="when")
        assert not recwarn.list

    @pytest.mark.parametrize(
        ("value", "kind"),
        [
            ([1, 2], pa.list_(pa.int64())),
            ([{"a": 1}], pa.list_(pa.struct([("a", pa.int64())]))),
            ({"a": [1]}, None),
            ([("a", 1)], pa.map_(pa.string(), pa.int64())),
            (b"\xff\x00", pa.binary()),
            (3, pa.duration("s")),
            (3, pa.time32("s")),
            (Decimal(2**60), pa.decimal128(38, 0)),
            (2**63 + 1, pa.uint64()),
        ],
    )
    def test_a_column_of_any_type_that_is_there_for_one_outcome_is_found(
        self, value: object, kind: object, tmp_path: Path
    ) -> None:
        table = clean(600)
        there = [value if v else None for v in table["outcome"]]
        file = pa.Table.from_pandas(table).append_column("lines", pa.array(there, kind))
        pq.write_table(file, tmp_path / "deals.parquet")
        found = audit_table(read_flat(tmp_path / "deals.parquet", label="outcome").frame, "outcome")
        assert any(f.severity == "high" for f in found if "lines" in f.columns)

    def test_the_twin_that_looks_into_lists_fails(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(audit_tables, "holds_no_value", lambda kind: None)
        with pytest.raises(ValueError, match="more than one element"):
            self.test_a_column_of_any_type_that_is_there_for_one_outcome_is_found(
                [1, 2], pa.list_(pa.int64()), tmp_path
            )

    def test_a_label_of_three_values_is_refused(self) -> None:
        with pytest.raises(UserMistake, match="3 different values"):
            audit_table(clean(), "sector")


class TestTroubledTables:
    """Columns without values, of one value, of infinite ones, of mixed types: an answer, no traceback."""

    @pytest.mark.parametrize(
        "column",
        [
            pd.Series([None] * 2_000, dtype="float64"),
            pd.Series([None] * 2_000, dtype=object),
            pd.Series([np.inf, 1.0] * 1_000),
            pd.Series([1, "a"] * 1_000, dtype=object),
            pd.Series([True, None] * 1_000, dtype="boolean"),
            pd.Series([5, None] * 1_000, dtype="Int64"),
            pd.Series(pd.Categorical(["a", "b"] * 1_000)),
        ],
        ids=lambda column: str(column.dtype),
    )
    def test_beside_a_column_that_is_compared_with_all_others(self, column: pd.Series) -> None:  # type: ignore[type-arg]
        table, y, rng = base()
        strong = rng.normal(size=len(y)) + 1.35 * y  # between the two limits, so that the others are the measure
        found = audit_table(table.assign(strong=strong, closing=column), "won")
        assert "strong" in columns_at(found, "high", "medium")

    def test_three_rows_give_an_answer(self) -> None:
        table = pd.DataFrame({"days_to_close": [1.0, 2.0, 3.0], "won": [0, 1, 0]})
        assert isinstance(audit_table(table, "won"), list)
