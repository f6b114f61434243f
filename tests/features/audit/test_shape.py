"""Columns that are an id, one value, a copy of another or a clock."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.audit.table import audit_table
from tests.kit.audits import clean, codes_of


class TestShape:
    def test_identifiers_constants_dates_and_copies_are_found(self) -> None:
        table = clean().assign(
            key=lambda d: [f"k{i}" for i in range(len(d))],
            same="yes",
            seen=lambda d: (
                pd.Timestamp("2024-01-01")
                + pd.to_timedelta(np.random.default_rng(4).integers(0, 300, len(d)), unit="D")
            ),
            branch=lambda d: d.sector.map({"steel": 1, "retail": 2, "software": 3}),
            clock=lambda d: np.arange(len(d)) // 100,
        )
        found = audit_table(table, "outcome")
        assert "identifier" in codes_of(found, "key")
        assert "constant" in codes_of(found, "same")
        assert "date" in codes_of(found, "seen")
        assert "same_column" in codes_of(found, "branch")
        assert "tells_the_date" in codes_of(found, "clock")
