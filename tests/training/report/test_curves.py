"""The lists that pictures are drawn from agree with arithmetic and with the measures they spread out."""

from __future__ import annotations

import numpy as np
import pytest

from training import metrics
from training.metrics import Ranking, point
from training.report import curves


def scores(n: int = 2000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(y, p, group): calibrated by construction, two rows an account."""
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 4, n)
    return (rng.random(n) < p).astype(float), p, np.arange(n) // 2


class TestByCapacity:
    def test_the_whole_list_holds_everything_at_the_base_rate(self) -> None:
        y, p, group = scores()
        last = curves.by_capacity(y, p, group)[-1]
        assert last["share"] == 1.0
        assert last["lift"]["value"] == pytest.approx(1)  # type: ignore[index]
        assert last["found"]["value"] == pytest.approx(1)  # type: ignore[index]
        assert last["precision"]["value"] == pytest.approx(y.mean(), abs=1e-6)  # type: ignore[index]

    def test_it_is_the_measure_at_each_share(self) -> None:
        y, p, group = scores()
        ranking = Ranking(y, p)
        for line in curves.by_capacity(y, p, group):
            share = float(line["share"])  # type: ignore[arg-type]
            wanted = point(ranking.precision_at(share), len(y))
            assert line["precision"]["value"] == pytest.approx(wanted, abs=1e-6)  # type: ignore[index]
            assert line["precision"]["low"] <= wanted <= line["precision"]["high"]  # type: ignore[index]

    def test_what_a_calibrated_score_promises_comes(self) -> None:
        y, p, group = scores()
        for line in curves.by_capacity(y, p, group)[3:]:
            assert line["expected"] == pytest.approx(line["precision"]["value"], abs=0.06)  # type: ignore[index]


class TestCalibration:
    def test_bins_hold_all_rows_and_their_own_rates(self) -> None:
        y, p, group = scores()
        found = curves.calibration(y, p, group)
        assert sum(b["n"] for b in found) == len(y)
        error = sum(abs(b["observed"] - b["predicted"]) * b["n"] for b in found) / len(y)
        assert error == pytest.approx(point(Ranking(y, p).calibration_error, len(y)), abs=1e-3)
        assert all(b["low"] <= b["observed"] <= b["high"] for b in found)


class TestByBand:
    def test_rates_are_those_of_the_rows_in_each_band(self) -> None:
        y, p, group = scores()
        band = np.where(p > np.quantile(p, 0.9), "high", "low")
        high, low = curves.by_band(y, p, group, band, ["high", "medium", "low"])
        assert (high["band"], low["band"]) == ("high", "low"), "a band that nobody is in is left out"
        assert (high["rows"], high["with_outcome"]) == (200, int(y[band == "high"].sum()))
        observed = high["observed"]
        assert observed["value"] == pytest.approx(y[band == "high"].mean(), abs=1e-6)  # type: ignore[index]
        assert observed["low"] < observed["value"] < observed["high"]  # type: ignore[index]
        assert high["expected"] == pytest.approx(p[band == "high"].mean())
        assert observed["low"] > low["observed"]["high"]  # type: ignore[index]


class TestByPeriod:
    def test_one_line_per_observation_date(self) -> None:
        y, p, group = scores()
        dates = np.array([1_700_000_000_000_000, 1_702_419_200_000_000])[np.arange(len(y)) % 2]
        lines = curves.by_period(y, p, group, dates, 0.1)
        assert [line["period"] for line in lines] == ["2023-11-14", "2023-12-12"]
        assert [line["rows"] for line in lines] == [1000, 1000]
        assert lines[0]["auc"]["value"] == pytest.approx(metrics.auc(y[::2], p[::2]), abs=1e-6)  # type: ignore[index]

    def test_days_with_one_outcome_are_put_together(self) -> None:
        y, p, group = scores()
        order = np.argsort(y, kind="stable")  # all without the outcome come before all with it
        y, p, group, day = y[order], p[order], group[order], np.arange(len(y)) // 100
        lines = curves.by_period(y, p, group, 1_700_000_000_000_000 + day * 86_400_000_000, 0.1)
        assert sum(int(str(line["rows"])) for line in lines) == len(y)
        for line in lines:
            with_outcome, rows = int(str(line["with_outcome"])), int(str(line["rows"]))
            assert min(with_outcome, rows - with_outcome) >= curves.LEAST_OF_EACH
            assert line["auc"] is not None
        assert " to " in str(lines[0]["period"])

    def test_one_outcome_in_all_is_one_line(self) -> None:
        """The sabotaged twin of the rule: where nothing can be put together, nothing is said of the ranking."""
        y, p, group = scores()
        (line,) = curves.by_period(np.zeros_like(y), p, group, np.arange(len(y)), 0.1)
        assert (line["period"], line["auc"]) == ("1 to 6 of 6", None)

    def test_an_order_is_cut_into_sixths_and_without_time_there_are_no_periods(self) -> None:
        y, p, group = scores()
        assert curves.by_period(y, p, group, np.arange(len(y)), 0.1)[0]["period"] == "1 of 6"
        assert curves.by_period(y, p, group, None, 0.1) == []


class TestBySegment:
    def test_a_segment_that_is_wrong_shows_it(self) -> None:
        y, p, group = scores()
        mask = np.arange(len(y)) < 1000
        wrong = np.where(mask, np.clip(p * 2, 0, 0.99), p)
        lines = curves.by_segment(y, wrong, group, {"a": mask, "b": ~mask, "few": np.arange(len(y)) < 10}, 0.1, 200)
        errors = {line["segment"]: line["calibration_error"] for line in lines}
        assert set(errors) == {"a", "b"}
        assert errors["a"] > 0.1 > errors["b"]  # type: ignore[operator]


class TestSelected:
    def test_the_best_are_taken_and_ties_share_the_rest(self) -> None:
        assert curves.selected(np.array([0.9, 0.5, 0.5, 0.1]), 0.5).tolist() == [1.0, 0.5, 0.5, 0.0]
