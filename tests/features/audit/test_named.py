"""Names and values together, and columns that are filled in for one outcome."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.audit import named
from features.audit.table import audit_table
from tests.kit.audits import base, columns_at


class TestNamesAndValues:
    def test_both_together_are_high_and_each_alone_is_less(self) -> None:
        table, y, rng = base()
        known, blind = rng.normal(size=len(y)) + 0.4 * y, rng.normal(size=len(y))
        table = table.assign(closing_score=known, closing_noise=blind, other=known)
        found = audit_table(table, "won")
        assert "closing_score" in columns_at(found, "high")
        assert "closing_noise" in columns_at(found, "medium") - columns_at(found, "high")
        assert "other" not in columns_at([f for f in found if f.code == "named_as_later"], "high", "medium")

    def test_a_history_is_not_accused(self) -> None:
        table, y, rng = base()
        table["refunds_last_year"] = rng.poisson(1 + 0.6 * y)
        assert "refunds_last_year" not in columns_at(audit_table(table, "won"), "high")

    def test_the_twin_without_names_misses_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        table, y, rng = base()
        table["closing_score"] = rng.normal(size=len(y)) + 0.4 * y
        monkeypatch.setattr(named, "reading_of", lambda name: None)
        assert "closing_score" not in columns_at(audit_table(table, "won"), "high", "medium")


class TestFilledForOne:
    @pytest.mark.parametrize("nothing", [np.nan, 0.0, -1.0, 999.0, "none", "n/a", ""])
    def test_money_that_moves_for_one_outcome(self, nothing: float | str) -> None:
        table, y, rng = base()
        there = rng.random(len(y)) < np.where(y == 1, 0.35, 0.004)
        amount = pd.Series(rng.lognormal(4, 1, len(y)).round())
        table["amt_7"] = (amount.astype(str) if isinstance(nothing, str) else amount).where(there, nothing)
        assert "amt_7" in columns_at(
            [f for f in audit_table(table, "won") if f.code == "filled_for_one_outcome"], "high"
        )

    def test_what_is_only_more_often_there_is_no_such_finding(self) -> None:
        table, y, rng = base()
        table["phone"] = pd.Series(rng.normal(size=len(y))).where(rng.random(len(y)) < np.where(y == 1, 0.8, 0.4))
        assert "phone" not in columns_at(
            [f for f in audit_table(table, "won") if f.code == "filled_for_one_outcome"], "high", "medium"
        )
