"""Dates, lengths between them, and drift."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.audit.table import audit_table
from tests.kit.audits import clean, codes_of


class TestDates:
    def test_a_length_between_two_dates_that_knows_the_outcome_is_found(self) -> None:
        rng = np.random.default_rng(5)
        table = clean()
        begin = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, len(table)), unit="D")
        table["begin"], table["end"] = begin, begin + pd.to_timedelta(rng.poisson(14 + 40 * table.outcome), unit="D")
        assert "length_knows" in codes_of(audit_table(table, "outcome"), "end")

    def test_a_date_that_most_rows_share_is_the_day_of_the_extraction(self) -> None:
        table = clean()
        rng = np.random.default_rng(8)
        days = pd.Timestamp("2024-06-30") - pd.to_timedelta(
            rng.integers(0, 90, len(table)) * (rng.random(len(table)) < 0.3), unit="D"
        )
        assert "extraction_date" in codes_of(audit_table(table.assign(updated=days), "outcome"), "updated")


class TestDrift:
    def test_an_input_that_drifts_is_found(self) -> None:
        table = clean()
        table["at"] = pd.date_range("2024-01-01", periods=len(table), freq="h")
        table["x"] = np.where(np.arange(len(table)) > 2_400, table.noise + 3, table.noise)
        assert "input_drifts" in codes_of(audit_table(table, "outcome", "at"), "x")

    def test_an_outcome_that_drifts_is_found(self) -> None:
        table = clean()
        table.loc[2_400:, "outcome"] = (np.random.default_rng(6).random(600) < 0.95).astype(int)
        assert any(f.code == "outcome_drifts" for f in audit_table(table, "outcome"))
