"""Expected against observed, by hand: per band, per date, and apart by who was acted upon."""

from __future__ import annotations

import math

import numpy as np
import pytest

from features.kit.clock import DAY_US
from models.catalog import get_model
from tests.kit.live_rows import TODAY, live_rows
from training.metrics import Estimate
from training.monitor.actuals import by_action, by_date, judged, numbers, pending_report, ripe, ripe_report

CHURN = get_model("churn-risk")
P, Y = [0.9, 0.8, 0.2, 0.1], [1.0, 0.0, 1.0, 0.0]
BAND = np.array(["high", "high", "low", "low"], dtype=object)


class TestRipe:
    def test_counts_are_those_of_each_band(self) -> None:
        found = ripe(CHURN, live_rows(P, Y, band=BAND))
        assert found is not None
        assert {name: (rows, seen, told.value) for name, (rows, seen, told) in found.counts.items()} == {
            "all": (4, 2, pytest.approx(2.0)),
            "high": (2, 1, pytest.approx(1.7)),
            "low": (2, 1, pytest.approx(0.3)),
        }
        assert found.measures["base_rate"][0] == 0.5
        # Of four pairs three are in order: 0.9 lies above 0.8 and 0.1, and 0.2 above 0.1; 0.2 does not lie above 0.8.
        assert found.measures["auc"][0] == pytest.approx(3 / 4)

    def test_a_rate_that_chance_does_not_give_is_beyond_it(self) -> None:
        p = [0.05] * 800
        often, as_said = ([float(n < count) for n in range(800)] for count in (120, 40))
        wrong, right = (ripe(CHURN, live_rows(p, y)) for y in (often, as_said))
        assert wrong is not None
        assert right is not None
        assert {"base_rate", "all", "low"} <= wrong.beyond
        assert not right.beyond & {"base_rate", "all", "low"}

    def test_without_ripe_rows_there_is_nothing(self) -> None:
        assert ripe(CHURN, live_rows([], [])) is None
        assert ripe_report(None) == {"rows": 0}

    def test_the_report_has_rates_beside_counts(self) -> None:
        found = ripe_report(ripe(CHURN, live_rows(P, Y, band=BAND)))
        everybody = found["bands"][0]  # type: ignore[index]
        assert (everybody["observed"], everybody["observed_rate"], everybody["expected_rate"]) == (2, 0.5, 0.5)


class TestPending:
    def test_what_is_expected_and_what_has_come_already(self) -> None:
        rows = live_rows(P, [math.nan] * 4, band=BAND, so_far=np.array([True, False, False, False]))
        assert pending_report(CHURN, rows)["bands"] == [
            {"band": "all", "rows": 4, "expected": 2.0, "observed_so_far": 1},
            {"band": "high", "rows": 2, "expected": 1.7, "observed_so_far": 1},
            {"band": "low", "rows": 2, "expected": 0.3, "observed_so_far": 0},
        ]
        assert pending_report(CHURN, live_rows([], [])) == {"rows": 0}


class TestByDate:
    def test_ripe_and_pending_rows_never_mix(self) -> None:
        time = np.array([TODAY, TODAY, TODAY, TODAY + 28 * DAY_US])
        lines = by_date(live_rows(P, [1.0, 0.0, 1.0, math.nan], time=time))
        assert [(line["as_of"], line["state"], line["rows"]) for line in lines] == [
            ("2024-10-04", "ripe", 3),
            ("2024-11-01", "pending", 1),
        ]
        assert (lines[0]["observed"], lines[0]["expected"], lines[0]["auc"]) == (2, 1.9, 0.5)
        assert "auc" not in lines[1]


class TestByAction:
    def test_each_part_has_its_own_rows(self) -> None:
        acted, held = np.array([True, False, False, False]), np.array([False, False, False, True])
        found = by_action(CHURN, live_rows(P, Y, acted=acted, held_out=held))
        assert {name: part["rows"] for name, part in found.items()} == {
            "acted_upon": 1,
            "left_alone": 3,
            "holdout": 1,
            "outside_the_holdout": 3,
        }

    def test_a_source_without_actions_has_no_parts(self) -> None:
        assert by_action(CHURN, live_rows(P, Y)) == {}


def test_what_has_no_value_is_null() -> None:
    assert numbers(Estimate(0.123456, math.nan, 1.0)) == {"value": 0.1235, "low": None, "high": 1.0}


def test_a_measure_as_it_was_judged_is_none_where_the_scorer_keeps_none() -> None:
    kept = {"metrics": {"auc": {"value": 0.8}, "odd": 3}}
    assert judged(kept, "auc") == {"value": 0.8}
    assert judged(kept, "odd") is judged(kept, "brier") is judged({}, "auc") is None
