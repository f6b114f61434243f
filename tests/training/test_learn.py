"""A model is learnt from earlier rows than it is judged by, with the same bits for the same seed; what tells the date is left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.scorer.writer import Origin
from tests.kit.rows import QUICK, dated_rows, in_time, make_rows
from training import export, metrics
from training.calibrate import log_loss
from training.fit_table import table_definition
from training.learn import Learnt, learn, probabilities
from training.splits import split_without_time


class TestLearn:
    def test_it_ranks_and_is_calibrated_on_later_rows(self, learnt: Learnt) -> None:
        y, p = learnt.rows.y[learnt.judged], probabilities(learnt)
        assert metrics.auc(y, p) > 0.75
        assert p.mean() == pytest.approx(y.mean(), abs=0.05)

    def test_the_judged_rows_are_later_than_all_that_was_learnt_from(self, learnt: Learnt) -> None:
        assert learnt.rows.time is not None
        assert learnt.rows.time[learnt.judged].min() > learnt.rows.time[learnt.split.before_test].max()

    def test_the_outcomes_of_the_test_period_change_nothing(self, learnt: Learnt) -> None:
        rows = dated_rows()
        y = rows.y.copy()
        y[learnt.judged] = 1 - y[learnt.judged]
        blind = learn(replace(rows, y=y), learnt.split, QUICK)
        assert np.array_equal(blind.judged_log_odds, learnt.judged_log_odds)

    def test_the_same_seed_and_trials_give_the_same_bits(self, learnt: Learnt, tmp_path: Path) -> None:
        rows = dated_rows()
        again = learn(rows, in_time(rows), QUICK)
        definition = table_definition("y", "lead")
        shas = {
            export.write(tmp_path / name, definition, one, one.rows.x[:100], Origin(), {}).sha256
            for name, one in (("one", learnt), ("two", again))
        }
        assert len(shas) == 1

    def test_another_seed_gives_another_bag(self, learnt: Learnt) -> None:
        rows = dated_rows()
        other = learn(rows, in_time(rows), replace(QUICK, seed=5))
        assert other.model.bag
        assert not np.array_equal(other.judged_log_odds, learnt.judged_log_odds)

    def test_without_time_every_row_is_judged_by_strangers(self) -> None:
        rows = replace(dated_rows(1500), time=None)
        found = learn(rows, split_without_time(rows.y, rows.group), QUICK)
        assert sorted(found.judged) == list(range(1500))
        inside = found.model.log_odds(rows.x[found.judged])
        y = rows.y[found.judged]
        # The sabotaged twin: judged by the model that was fitted on the same rows, it looks better than it is.
        assert log_loss(y, inside).mean() < log_loss(y, found.judged_log_odds).mean()


class TestClocks:
    def test_a_signal_that_tells_the_date_is_left_out(self) -> None:
        rows = dated_rows()
        x = np.column_stack([rows.x, np.arange(len(rows), dtype=float)])
        found = learn(replace(make_rows(x, rows.y, {2: ("a", "b", "c", "d")}), time=rows.time), in_time(rows), QUICK)
        assert found.moved == ("s4",)
        assert len(found.rows.signals) == 4

    def test_steady_signals_stay(self, learnt: Learnt) -> None:
        assert learnt.moved == ()
