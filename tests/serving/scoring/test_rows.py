"""One row of a panel and its score."""

from __future__ import annotations

import datetime as dt
import math

import pyarrow as pa

from serving.scoring.rows import ScoredRow, at_stake, signal_rows

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class TestAtStake:
    def test_it_is_probability_times_value_in_cents(self) -> None:
        assert at_stake(0.333, 100.01) == 33.3  # 33.30333
        assert ScoredRow("a", NOW, 48_000.0, {}, probability=0.37).at_stake == 17_760.0

    def test_unknown_on_either_side_is_unknown_and_zero_is_not(self) -> None:
        assert (at_stake(None, 1.0), at_stake(0.5, None), at_stake(0.0, 1.0)) == (None, None, 0.0)


class TestSignalRows:
    def test_signals_alone_are_taken_and_nan_is_none(self) -> None:
        panel = pa.table({"entity_id": ["a", "b"], "mrr": pa.array([1.0, math.nan]), "plan": ["pro", None]})
        assert signal_rows(panel) == [{"mrr": 1.0, "plan": "pro"}, {"mrr": None, "plan": None}]

    def test_no_rows_are_no_rows(self) -> None:
        assert signal_rows(pa.table({"mrr": pa.array([], pa.float64())})) == []
