"""Cells: one search for all signals, and a finer partition in place of a coarser one."""

from __future__ import annotations

import numpy as np
import pytest

from models.scorer.bins import Cells


class TestCells:
    def test_one_search_equals_one_per_signal(self) -> None:
        rng = np.random.default_rng(0)
        cuts = [np.sort(rng.normal(size=size)) for size in (0, 1, 5, 300)]
        cells = Cells(cuts)
        x = np.column_stack([rng.choice([*own, 0.0, 1e300, -1e300, np.inf, -np.inf, np.nan], 500) for own in cuts])
        assert np.array_equal(cells.find(x), np.vstack([cells.find(row[None, :]) for row in x]))

    def test_a_coarser_one_is_refused(self) -> None:
        with pytest.raises(ValueError, match="lacks a cut"):
            Cells([np.array([1.0])]).within(Cells([np.array([2.0])]))
