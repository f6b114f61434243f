"""A budget bounds a fit: rows are left out by whole accounts before the work begins."""

from __future__ import annotations

import numpy as np
import pytest

from features.signals.signal import Phrase, Signal
from training import budget
from training.budget import FEWEST_ROWS, allowed
from training.dataset import Rows, make_rows
from training.splits import Split, split_in_time

FAST, SLOW = (1e-12, 1e-12), (1e-6, 1e-6)
"""Seconds a row of a step and of a tree."""


def signal(name: str) -> Signal:
    return Signal(name, "custom", "points", "before as_of", "not recorded", name, Phrase(f"{name} is {{value}}."))


def company(accounts: int = 3_000, months: int = 3) -> tuple[Rows, Split]:
    rng = np.random.default_rng(0)
    n = accounts * months
    time = np.repeat(np.arange(months * 4), accounts // 4).astype(np.int64)
    x = rng.normal(size=(n, 2))
    y = (rng.random(n) < 1 / (1 + np.exp(1.5 - x[:, 0]))).astype(float)
    account = np.tile(np.arange(accounts), months).astype(np.int64)
    rows = make_rows([signal("a"), signal("b")], {"a": x[:, 0], "b": x[:, 1]}, y, time=time, group=account)
    return rows, split_in_time(time, y, 0, account)


class TestAllowed:
    def test_a_budget_that_is_enough_leaves_nothing_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(budget, "_speed", lambda rows: FAST)
        rows, split = company()
        found = allowed(rows, split, 20.0, 0, refit=True)
        assert found.split is split
        assert len(found.rows) == len(rows)
        assert found.note is None

    def test_what_is_too_much_is_left_out_by_whole_accounts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(budget, "_speed", lambda rows: SLOW)
        rows, split = company()
        full = budget._seconds(rows, split, refit=True)
        found = allowed(rows, split, full, 0, refit=True)
        share = len(found.split.before_test) / len(split.before_test)
        assert share == pytest.approx(budget.PLANNED, abs=0.05)
        kept = set(rows.group[found.rows].tolist())
        assert sorted(kept) == sorted(
            set(range(3_000)) - set(rows.group[np.setdiff1d(np.arange(len(rows)), found.rows)].tolist())
        )
        assert set(rows.group[found.split.train].tolist()) <= kept
        assert np.array_equal(found.split.test, split.test), "the test period judges with all of its rows"
        assert found.note is not None
        assert f"{len(found.split.before_test):,} of {len(split.before_test):,} rows" in found.note

    def test_the_time_that_is_planned_is_within_the_budget(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(budget, "_speed", lambda rows: SLOW)
        rows, split = company()
        seconds = budget._seconds(rows, split, refit=False) / 2
        part = allowed(rows, split, seconds, 0, refit=False)
        assert budget._seconds(rows, part.split, refit=False) <= budget.PLANNED * seconds * 1.1
        assert budget._seconds(rows, split, refit=False) > seconds, "without the guard it would take twice the budget"

    def test_no_budget_is_too_small_to_learn_from_anything(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(budget, "_speed", lambda rows: SLOW)
        rows, split = company()
        found = allowed(rows, split, 1e-6, 0, refit=False)
        assert len(found.split.before_test) == pytest.approx(FEWEST_ROWS, rel=0.1)
