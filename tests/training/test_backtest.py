"""A replay knows at each moment what was known then, and counts what came true after."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.kit.clock import DAY_US
from features.simulate import simulate
from features.sources.loader import open_source
from models.catalog import get_model
from tests.kit.company import LEAD_SIGNALS, all_but, at, make_source
from training import backtest
from training.backtest import Moment, line, replay, total
from training.errors import TrainingRefused
from training.training_set import Panel, labelled_panel

LEADS = get_model("lead-fit")


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    folder = tmp_path_factory.mktemp("company")
    simulate(folder, accounts=200, leads=1800, days=730, end=dt.date(2026, 1, 1), seed=7, usage_events=2_000)
    source = open_source("sample", folder)
    return labelled_panel(source, replace(LEADS, exclude=all_but(source, LEADS, *LEAD_SIGNALS)))


@pytest.fixture(scope="module")
def replayed(panel: Panel) -> tuple[list[Moment], list[str]]:
    """The last two moments."""
    return replay(LEADS, panel, months=2, trials=1)


class TestReplay:
    def test_lists_catch_more_than_chance(self, replayed: tuple[list[Moment], list[str]]) -> None:
        moments, notes = replayed
        assert len(moments) == 2
        assert all(m.listed.sum() == pytest.approx(0.2 * len(m.y)) for m in moments)
        whole = total(moments)
        assert whole["caught"] > 1.3 * whole["caught_by_chance"]  # type: ignore[operator]
        assert whole["share_caught"]["low"] <= whole["caught"] / whole["with_outcome"] <= whole["share_caught"]["high"]  # type: ignore[index, operator]
        assert "20.0%" in notes[0]

    def test_outcomes_that_were_not_known_then_change_no_list(
        self, panel: Panel, replayed: tuple[list[Moment], list[str]]
    ) -> None:
        moment = replayed[0][-1]
        assert panel.rows.time is not None
        newest = panel.rows.time.max()
        late = panel.rows.time + LEADS.horizon_days * DAY_US > newest
        assert 0 < late.sum() < len(late)
        flipped = np.where(late, 1 - panel.rows.y, panel.rows.y)
        (blind,), _ = replay(LEADS, replace(panel, rows=replace(panel.rows, y=flipped)), months=1, trials=1)
        assert np.array_equal(blind.p, moment.p)
        # The sabotaged twin: a replay that takes no account of the horizon sees the flipped outcomes.
        hasty = replace(LEADS, horizon_days=1)
        (one,), _ = replay(hasty, panel, months=1, trials=1)
        (two,), _ = replay(hasty, replace(panel, rows=replace(panel.rows, y=flipped)), months=1, trials=1)
        assert not np.array_equal(one.p, two.p)

    def test_moments_without_a_past_are_named(self, panel: Panel) -> None:
        moments, notes = replay(LEADS, _first(panel, 8), months=8, trials=1)
        assert 0 < len(moments) < 8
        assert sum("is left out" in note for note in notes) == 8 - len(moments)

    def test_no_moment_at_all_is_refused(self, panel: Panel) -> None:
        with pytest.raises(TrainingRefused, match="deliver a longer history"):
            replay(LEADS, _first(panel, 3), months=2, trials=1)

    def test_outcomes_without_dates_are_refused(self, tmp_path: Path) -> None:
        leads = [{"lead_id": f"l{i}", "event_time": at("2024-01-01"), "channel": "ab"[i % 2]} for i in range(90)]
        labels = [{"lead_id": f"l{i}", "converted": i % 3 == 0} for i in range(90)]
        make_source(tmp_path / "s", {"leads": leads, "lead_labels": labels})
        with pytest.raises(TrainingRefused, match="they have no date"):
            backtest.backtest("lead-fit", str(tmp_path / "s"), tmp_path / "s", trials=1)


def _first(panel: Panel, dates: int) -> Panel:
    assert panel.rows.time is not None
    return replace(panel, rows=panel.rows.take(panel.rows.time <= np.unique(panel.rows.time)[dates - 1]))


class TestByArithmetic:
    def moment(self) -> Moment:
        y = np.array([1.0, 0, 1, 0, 0, 1, 0, 0, 0, 0])
        listed = np.array([1.0, 1, 1, 0, 0, 0, 0, 0, 0, 0])
        rule = np.array([0.0, 1, 0, 1, 0, 1, 0, 0, 0, 0])
        value = np.array([100.0, 10, np.nan, 10, 10, 50, 10, 10, 10, 10])
        return Moment(dt.date(2026, 1, 1), 500, y, np.linspace(0.9, 0.1, 10), listed, rule, "s", np.arange(10), value)

    def test_two_of_three_are_caught(self) -> None:
        found = line(self.moment())
        assert (found["with_outcome"], found["listed"], found["caught"]) == (3, 3.0, 2.0)
        assert found["share_caught"] == pytest.approx(2 / 3, abs=1e-4)
        assert found["precision"] == pytest.approx(2 / 3, abs=1e-4)
        assert found["caught_by_rule"] == 1.0
        assert (found["value_with_outcome"], found["value_caught"]) == (150.0, 100.0)

    def test_the_total_of_two_moments(self) -> None:
        whole = total([self.moment(), self.moment()])
        assert (whole["with_outcome"], whole["caught"], whole["caught_by_chance"]) == (6, 4.0, 1.8)
        assert whole["share_of_value_caught"]["value"] == pytest.approx(100 / 150, abs=1e-6)  # type: ignore[index]


class TestMoments:
    def test_weekly_dates_are_gathered_into_four_weeks(self) -> None:
        weekly = np.arange(9) * 7 * DAY_US
        assert [len(block) for block in backtest._moments(weekly)] == [1, 4, 4]
        assert [len(block) for block in backtest._moments(np.arange(3) * 28 * DAY_US)] == [1, 1, 1]
