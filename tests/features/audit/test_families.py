"""Columns that go along with a proven leak."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.audit import families
from features.audit.finding import Finding
from features.audit.table import audit_table
from tests.kit.audits import base, columns_at


class TestFamilies:
    def found(self) -> list[Finding]:
        table, y, rng = base(3_000)
        there = rng.random(len(y)) < np.where(y == 1, 0.8, 0.02)
        whole = rng.gamma(2, 15, len(y)) + 25 * y
        shared = rng.random(len(y)) > 0.3
        table = table.assign(
            cancel_reason=pd.Series(rng.choice(["a", "b"], len(y))).where(there),
            box_9=pd.Series(rng.normal(size=len(y))).where(there),
            takeout_1=pd.Series(rng.choice(["u", "v"], len(y))).where(there & (rng.random(len(y)) < 0.9)),
            takeout_2=rng.normal(size=len(y)),
            days_to_close=whole,
            weekly=whole / 7,
            firm_age=pd.Series(rng.normal(size=len(y))).where(shared),
            firm_size=pd.Series(rng.normal(size=len(y))).where(shared),
        )
        return audit_table(table, "won")

    def test_columns_related_to_a_proven_leak_are_raised(self) -> None:
        found = self.found()
        assert "box_9" in columns_at(found, "high"), "filled in on the same rows"
        assert "weekly" in columns_at(found, "high"), "computed from it"
        along = [f for f in found if f.code == "goes_with_a_leak"]
        assert "takeout_2" in columns_at(along, "medium"), "its name begins alike"
        assert not {"firm_age", "firm_size", "size", "sector"} & columns_at(found, "high")
        assert not {"firm_age", "firm_size", "size", "sector"} & columns_at(along, "medium")

    def test_the_twin_without_families_misses_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(families, "along_with", lambda *_: [])
        assert "takeout_2" not in columns_at(self.found(), "high", "medium")

    def test_a_ratio_with_a_proven_length_is_raised(self) -> None:
        table, y, rng = base(3_000)
        whole = rng.gamma(2, 15, len(y)) + 25 * y
        quarter = rng.random(len(y)) * whole
        table = table.assign(days_to_close=whole, v1=quarter, v2=(quarter / whole).round(3))
        found = [f for f in audit_table(table, "won") if f.code == "goes_with_a_leak"]
        assert "v2" in columns_at(found, "high")
        assert any(
            "v1 / days_to_close" in f.evidence or "days_to_close / v1" in f.evidence or "/ (turned)" in f.evidence
            for f in found
        )

    def test_one_that_is_good_alone_accuses_no_other(self) -> None:
        honest = Finding("too_good", "high", ("a_b",), "", "", {"auc": 0.85})
        assert not families.proves(honest)
        assert families.proves(Finding("too_good", "high", ("a_b",), "", "", {"auc": 0.95}))
