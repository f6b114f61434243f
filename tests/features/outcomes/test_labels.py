"""A window that is not over has no label."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np

from features.kit.clock import FOREVER_US, to_us
from features.outcomes.labels import Outcomes, label
from tests.kit.company import at
from tests.kit.outcomes import HORIZON, churn_of, churned, contract


def labels_where_none_can_be(outcomes: Outcomes, end: dt.datetime, settle_days: int) -> list[str]:
    """Dates whose window, with the days to settle, is not over at the end of the data, and that have a label."""
    found = []
    for days in range(1, 200):
        moment = end - dt.timedelta(days=days)
        y = label(outcomes, ["a"], np.array([to_us(moment)]), HORIZON)[0]
        if days < 90 + settle_days and not np.isnan(y):
            found.append(moment.date().isoformat())
    return found


class TestCensoring:
    def test_a_window_that_is_not_over_has_no_label(self, tmp_path: Path) -> None:
        outcomes = churn_of(tmp_path, contract("a", ("2024-01-01", "active", 10)), end="2025-01-01")
        assert labels_where_none_can_be(outcomes, at("2025-01-01"), 30) == []
        assert churned(outcomes, "a", "2024-09-03") == 0, "120 days before the end it is over"

    def test_censored_rows_taken_for_zeros_are_caught(self, tmp_path: Path) -> None:
        """The sabotaged twin: labels that do not know where the data end."""
        outcomes = churn_of(tmp_path, contract("a", ("2024-01-01", "active", 10)), end="2025-01-01")
        careless = replace(outcomes, known_until_us=FOREVER_US)
        assert len(labels_where_none_can_be(careless, at("2025-01-01"), 30)) == 119
