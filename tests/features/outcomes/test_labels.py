"""A window that is not over has no label."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from features.kit.clock import FOREVER_US, to_us
from features.outcomes.labels import NEVER_US, Outcomes, came_at, label, ripe, so_far
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


def dated(*events: tuple[str, int], until: int = 100, settle: int = 0, once: bool = False) -> Outcomes:
    """Outcomes at small moments, so that every expected value is read off the call."""
    frame = pd.DataFrame(events, columns=["entity_id", "time_us"]).sort_values(["entity_id", "time_us"])
    return Outcomes("account", "subscriptions", frame, None, until, settle, once=once)


def labels(outcomes: Outcomes, asked: list[tuple[str, int]], horizon: int = 10) -> list[float]:
    ids, moments = zip(*asked, strict=True)
    return [float(y) for y in label(outcomes, list(ids), np.array(moments), horizon)]


class TestLabel:
    def test_the_window_is_closed_at_as_of_and_open_at_its_end(self) -> None:
        found = labels(dated(("a", 20)), [("a", 20), ("a", 11), ("a", 10), ("a", 21), ("b", 20)])
        assert found == [1.0, 1.0, 0.0, 0.0, 0.0]

    def test_it_is_known_once_the_window_and_the_days_to_settle_are_over(self) -> None:
        found = labels(dated(("a", 85), until=100, settle=5), [("a", 85), ("a", 86)])
        assert found[0] == 1.0
        assert np.isnan(found[1]), "ends at 96, and is certain at 101"

    def test_what_comes_once_has_no_label_after_it_came(self) -> None:
        found = labels(dated(("a", 20), once=True), [("a", 15), ("a", 30)])
        assert found[0] == 1.0
        assert np.isnan(found[1])

    def test_a_snapshot_has_one_label_whatever_the_moment(self) -> None:
        snapshot = replace(dated(), snapshot=pd.Series({"a": 1.0, "b": 0.0}))
        found = labels(snapshot, [("a", 5), ("b", 500), ("c", 5)])
        assert found[:2] == [1.0, 0.0]
        assert np.isnan(found[2])


class TestMoments:
    def test_the_first_outcome_at_or_after_a_moment(self) -> None:
        found = dated(("a", 20), ("a", 30), ("b", 5))
        moments = np.array([20, 21, 31, 0, 0])
        assert came_at(found, ["a", "a", "a", "b", "c"], moments).tolist() == [20, 30, NEVER_US, 5, NEVER_US]

    def test_of_no_outcome_at_all_none_comes(self) -> None:
        assert came_at(dated(), ["a"], np.array([0])).tolist() == [NEVER_US]

    def test_so_far_counts_what_is_recorded_in_a_window_that_is_not_over(self) -> None:
        found = dated(("a", 95), until=100)
        assert so_far(found, ["a", "b"], np.array([94, 94]), 10).tolist() == [True, False]

    def test_as_recorded_before_a_moment_later_outcomes_are_not_there(self) -> None:
        earlier = dated(("a", 20), ("b", 40)).until(30)
        assert earlier.events["entity_id"].tolist() == ["a"]
        assert earlier.known_until_us == 30

    def test_a_window_is_ripe_when_its_outcome_is_certain_and_a_snapshot_never_is(self) -> None:
        found = dated(until=100, settle=5)
        assert ripe(found, 85, 10)
        assert not ripe(found, 86, 10)
        assert not ripe(replace(found, snapshot=pd.Series({"a": 1.0})), 0, 10)
