"""From labelled rows to one calibrated, judged model: the path that `fit` and `fit-table` share.

With time: settings are tuned on rolling folds inside the training period; the candidates are compared, and the slope of the
calibration learnt, on those folds and the calibration period; the winner is fitted on everything whose outcome was known
before the test period; the test period judges it and is used for nothing else. `refit_on_all` then repeats the last two
steps one period later, for a model that is handed over with all that is known.

Without time: folds tune, compare, calibrate and judge; each row is judged by a model and a calibration that did not see it.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from features.kit.progress import Progress
from training import linear
from training.budget import allowed
from training.calibrate import LEVEL_SD, Affine, fit_level, fit_slope, log_loss, sigmoid
from training.dataset import Rows
from training.model_search import Choice, Fitted, Held, Search, better_beyond_noise, choose, fit, search
from training.splits import Split

MOVED, GONE = 0.5, 0.9
"""Kolmogorov-Smirnov distance between the oldest and the newest third of the training rows (total variation for words):
above the first a signal is suspected of telling the date, above the second it has no value in common with its past. On
`bank` four economic indices and the month have 1.0, all facts about the customer at most 0.21."""
PROBE_PENALTY = 0.1
DRIFTED = 0.4
"""Log-odds (odds times 1.5) by which the newest held-back period may lie off before the base rate counts as drifting; then
the level is set on the newest rows alone. x_education reaches 0.36 and comes back, `bank` has 0.55 to 0.95 throughout."""
DRIFT_LEVEL_SD = 1.0
SMALL_FOLDS = 0.6
"""When no fold learnt from this share of the training period, trees are counted again on the whole of it."""
NEWEST_SHARE = 0.15


@dataclass(frozen=True)
class LearnSettings:
    """How to learn. With `trials` the clock plays no part, and the same rows and seed give the same model.

    The budget is for learning. The time that a panel takes is printed and not counted.
    """

    budget_s: float | None = 120.0
    trials: int | None = None
    seed: int = 0
    refit_on_all: bool = False
    thorough: bool = False
    """Use the whole budget, though the search stopped gaining."""


@dataclass(frozen=True)
class Learnt:
    """A model, and what its judges saw."""

    rows: Rows
    """All rows, with the signals that the model uses."""
    split: Split
    model: Fitted
    """The model that is handed over."""
    found: Search
    choice: Choice
    judged: np.ndarray
    """Index of the rows that judge: the test period, or every row when there is no time."""
    judged_log_odds: np.ndarray
    """Calibrated log-odds of those rows by models that did not see them."""
    rule_fitted: np.ndarray
    """Index of the rows that a rule to compare with may learn from."""
    moved: tuple[str, ...]
    """Signals left out because they tell the date."""
    held: Held
    shift: float
    """Log-odds by which the newest held-back period lay above its predictions; 0 without time."""
    left_out: str | None = None
    """Rows that the budget did not allow, in a sentence."""


def learn(
    rows: Rows,
    split: Split,
    settings: LearnSettings,
    monotone: Callable[[Rows], list[int]] = lambda rows: [0] * len(rows.signals),
    progress: Progress = lambda text, share: None,
) -> Learnt:
    """Search, choose, calibrate, fit and predict; see the module's text for which rows do what."""
    began = clock.monotonic()
    rows, moved = _without_clocks(rows, split)
    progress("signals", 0.05)
    budget_s, allowance = settings.budget_s, None
    if budget_s is not None and settings.trials is None:
        allowance = allowed(rows, split, budget_s, settings.seed, refit=settings.refit_on_all)
        split, budget_s = allowance.split, max(budget_s - (clock.monotonic() - began), 1.0)
    everything = np.arange(len(rows)) if allowance is None else allowance.rows
    note = None if allowance is None else allowance.note
    found = search(
        rows,
        split.folds,
        monotone=monotone(rows),
        seed=settings.seed,
        budget_s=budget_s,
        trials=settings.trials,
        thorough=settings.thorough,
        progress=lambda text, share: progress(text, 0.05 + 0.75 * share),
    )
    held = found.held
    if split.in_time:
        if max(len(fitted) for fitted, _ in split.folds) < SMALL_FOLDS * len(split.train):
            found = found.recount(rows, split.train, split.calibrate)
        held = held.join(found.hold_back(rows, split.train, split.calibrate))
    choice, slope = _choose(rows, held)
    progress(f"fitting: {found.recipe(choice.tree_share).kind}", 0.85)
    shift = newest_shift(rows, held, choice, slope) if split.in_time else 0.0
    model = _fit(rows, split.before_test, found, choice, slope, shift)
    if not split.in_time:
        log_odds = _cross_calibrated(rows, held, choice)
        level = fit_level(slope * held.blend(choice.tree_share), rows.y[held.index])
        model = replace(model, calibration=Affine(slope, level))
        return Learnt(rows, split, model, found, choice, held.index, log_odds, split.train, moved, held, shift, note)
    log_odds = model.log_odds(rows.x[split.test])
    if settings.refit_on_all:
        progress("refitting on all rows", 0.95)
        held = held.join(found.hold_back(rows, split.before_test, split.test))
        choice, slope = _choose(rows, held)
        shift = newest_shift(rows, held, choice, slope)
        model = _fit(rows, everything, found, choice, slope, shift)
    return Learnt(rows, split, model, found, choice, split.test, log_odds, split.before_test, moved, held, shift, note)


def newest_shift(rows: Rows, held: Held, choice: Choice, slope: float) -> float:
    """Log-odds by which the newest held-back period lies above what was predicted for it."""
    here = held.period == held.period.max()
    return fit_level(slope * held.blend(choice.tree_share)[here], rows.y[held.index][here], DRIFT_LEVEL_SD)


def _choose(rows: Rows, held: Held) -> tuple[Choice, float]:
    y, group = rows.y[held.index], rows.group[held.index]
    choice = choose(held, y, group)
    return choice, fit_slope(held.blend(choice.tree_share), y, held.period)


def _fit(rows: Rows, index: np.ndarray, found: Search, choice: Choice, slope: float, shift: float = 0.0) -> Fitted:
    """The chosen recipe on some rows, with a level at which its mean probability there is the observed rate.

    When the base rate drifts (`shift` beyond `DRIFTED`) the level is the newest rows' instead.
    """
    own = rows.take(index)
    model = fit(own, found.recipe(choice.tree_share))
    z, y, sd = slope * model.raw(own.x), own.y, LEVEL_SD
    if abs(shift) > DRIFTED:
        assert own.time is not None
        newest = own.time >= np.quantile(own.time, 1 - NEWEST_SHARE)
        z, y, sd = z[newest], y[newest], DRIFT_LEVEL_SD
    return replace(model, calibration=Affine(slope, fit_level(z, y, sd)))


def _cross_calibrated(rows: Rows, held: Held, choice: Choice) -> np.ndarray:
    """Held-back log-odds, each fold calibrated by what the other folds say."""
    z, y = held.blend(choice.tree_share), rows.y[held.index]
    out = np.empty(len(z))
    for fold in np.unique(held.period):
        here = held.period == fold
        slope = fit_slope(z[~here], y[~here], held.period[~here])
        out[here] = slope * z[here] + fit_level(slope * z[~here], y[~here])
    return out


def _without_clocks(rows: Rows, split: Split) -> tuple[Rows, tuple[str, ...]]:
    """Leave out signals that tell the date; a suspect stays when it helps on held-back rows.

    Such a signal takes values in the future that were never learnt from, so that a model that leans on it is guessing.
    Fewer signals is the simpler model: it wins ties.
    """
    if not split.in_time:
        return rows, ()
    assert rows.time is not None
    base = split.before_test[np.argsort(rows.time[split.before_test], kind="stable")]
    third = len(base) // 3
    distance = np.array(
        [
            _distance(rows.x[base[:third], j], rows.x[base[-third:], j], w is not None)
            for j, w in enumerate(rows.vocabularies)
        ]
    )
    steady, lasting = np.flatnonzero(distance < MOVED), np.flatnonzero(distance < GONE)
    if len(steady) == len(rows.signals) or not len(steady):
        return rows, ()
    kept = lasting if len(lasting) > len(steady) and _worth_it(rows.keep(lasting), rows.keep(steady), split) else steady
    return rows.keep(kept), tuple(s.name for j, s in enumerate(rows.signals) if j not in set(kept.tolist()))


def _worth_it(more: Rows, fewer: Rows, split: Split) -> bool:
    """Does a plain logistic regression on `more` signals beat that on `fewer` on held-back rows, beyond noise?"""
    pairs = [*split.folds, (split.train, split.calibrate)]
    losses = [
        np.concatenate(
            [
                log_loss(r.y[held], linear.fit(r.take(fitted), PROBE_PENALTY).log_odds(r.x[held]))
                for fitted, held in pairs
            ]
        )
        for r in (more, fewer)
    ]
    return better_beyond_noise(losses[0], losses[1], more.group[np.concatenate([held for _, held in pairs])])


def _distance(older: np.ndarray, newer: np.ndarray, is_category: bool) -> float:
    """How far two samples are apart, 0 to 1, over what is present in both; missing is not a value here."""
    a, b = older[~np.isnan(older)], newer[~np.isnan(newer)]
    if len(a) < 50 or len(b) < 50:
        return 0.0
    values = np.unique(np.concatenate([a, b]))
    if is_category:
        size = len(values)
        share_a = np.bincount(np.searchsorted(values, a), minlength=size) / len(a)
        share_b = np.bincount(np.searchsorted(values, b), minlength=size) / len(b)
        return float(np.abs(share_a - share_b).sum() / 2)
    below_a = np.searchsorted(np.sort(a), values, side="right") / len(a)
    below_b = np.searchsorted(np.sort(b), values, side="right") / len(b)
    return float(np.abs(below_a - below_b).max())


def probabilities(learnt: Learnt) -> np.ndarray:
    """Calibrated probabilities of the judged rows."""
    return sigmoid(learnt.judged_log_odds)
