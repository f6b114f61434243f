"""Columns that are filled in when a thing ends."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.audit.table import audit_table
from tests.kit.audits import clean, codes_of, tickets


class TestDates:
    def test_dates_set_after_the_row_and_lengths_to_them_are_found(self) -> None:
        rng = np.random.default_rng(7)
        table = clean()
        table["at"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, len(table)), unit="D")
        hours = rng.integers(2, 400, len(table))
        table["until"], table["hours"] = table["at"] + pd.to_timedelta(hours, unit="h"), hours
        table["term"] = table["at"] + pd.to_timedelta(rng.choice([30, 90, 365], len(table)), unit="D")
        found = audit_table(table, "outcome", "at")
        assert "set_later" in codes_of(found, "until")
        assert codes_of(found, "hours") == {"is_a_length"}
        assert "set_later" not in codes_of(found, "term"), "agreed terms come in a few lengths"


class TestCompletedLater:
    @pytest.mark.parametrize("time", [None, "raised"])
    def test_what_comes_with_the_end_is_found(self, time: str | None) -> None:
        found = audit_table(tickets(), "outcome", time)
        assert "set_later" in codes_of(found, "finished")
        assert codes_of(found, "stars") == {"filled_with_end"}
        assert codes_of(found, "state") == {"restates_end"}

    def test_what_is_there_from_the_begin_is_not(self) -> None:
        """A gap that occurs in open and ended rows alike has nothing to do with the end."""
        found = audit_table(tickets(), "outcome")
        assert codes_of(found, "team") == codes_of(found, "size") == set()

    def test_when_every_row_has_ended_a_gap_is_a_question(self) -> None:
        found = audit_table(tickets(still_open=0.0), "outcome")
        assert codes_of(found, "stars") == {"may_be_filled_later"}
        assert {f.severity for f in found} <= {"medium", "low"}

    def test_agreed_terms_are_no_end(self) -> None:
        table = tickets()
        term = pd.to_timedelta(np.random.default_rng(1).choice([30, 90, 365], len(table)), unit="D")
        table = table.assign(finished=(table.raised + term).where(table.finished.notna()))
        assert {f.code for f in audit_table(table, "outcome")} == {"date"}

    def test_without_an_order_of_the_dates_nothing_is_said(self) -> None:
        table = tickets()
        swapped = np.arange(len(table)) % 2 == 0
        table["raised"] = table.raised.where(swapped, table.raised + pd.Timedelta(days=40))
        assert "set_later" not in {f.code for f in audit_table(table, "outcome")}
