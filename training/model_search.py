"""Logistic regression, boosted trees and their blend: searched on folds, chosen on held-back rows, fitted for good.

The order of simplicity is logistic regression, trees, blend. The simpler one is taken unless the other's log loss on the
held-back rows is lower by more than one standard error of the paired difference (accounts are the units).
"""

from __future__ import annotations

import math
import time as clock
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import lightgbm as lgb
import numpy as np

from features.kit.progress import Progress
from training import linear, trees
from training.calibrate import Affine, log_loss
from training.dataset import Rows
from training.splits import Pair

MOST_ROWS_TO_TUNE = 30_000
"""Tuning reads a sample of accounts of about this size; the chosen models are fitted on all rows."""
DEFAULT_TRIALS = 12
STALE_TRIALS = 4
"""Without --trials the search ends when so many trials in a row brought nothing."""
TUNING_FOLDS = 3
"""Trials are compared on so many folds at most; the chosen settings are then judged on all of them."""
SEARCH_SHARE = 0.6
"""Of the budget; the rest is for the bags on the folds and for the final fits."""
FIRST_TRIALS = 4
"""The defaults and three plain variations; sets under `ROWS_TO_EXPLORE` are not searched further."""
ROWS_TO_EXPLORE = 1_000
"""Below, the best of many trials is the luckiest: on 320 rows of salvirt 34 trials cost 0.02 of AUC on the test rows."""
WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Shares of the trees in a blend that are tried."""
NOISE = 1.0
"""Standard errors by which the less simple must be better."""


@dataclass(frozen=True)
class Trial:
    """One line of the search: what was tried, its held-back log loss, and the settings."""

    kind: str
    loss: float
    seconds: float
    settings: dict[str, object]


@dataclass(frozen=True)
class Recipe:
    """Settings of a model before it is fitted. `tree_share` 0 is logistic regression alone, 1 trees alone."""

    penalty: float = 0.1
    tree_settings: trees.TreeSettings = field(default_factory=trees.TreeSettings)
    tree_count: int = 200
    tree_share: float = 0.5
    monotone: tuple[int, ...] = ()
    seed: int = 0

    @property
    def kind(self) -> str:
        """`logistic regression`, `trees` or `blend`."""
        return {0.0: "logistic regression", 1.0: "trees"}.get(self.tree_share, "blend")


@dataclass(frozen=True)
class Fitted:
    """A fitted recipe: log-odds = slope * ((1 - share) * linear + share * mean of the bag) + level."""

    recipe: Recipe
    linear: linear.FittedLinear | None
    bag: tuple[lgb.Booster, ...]
    calibration: Affine = field(default_factory=Affine)

    def raw(self, x: np.ndarray) -> np.ndarray:
        """Log-odds before calibration, (n,)."""
        share = self.recipe.tree_share
        total = np.zeros(len(x))
        if self.linear is not None:
            total += (1 - share) * self.linear.log_odds(x)
        if self.bag:
            total += share * trees.log_odds(self.bag, x)
        return total

    def log_odds(self, x: np.ndarray) -> np.ndarray:
        """Calibrated log-odds, (n,)."""
        return self.calibration(self.raw(x))


def fit(rows: Rows, recipe: Recipe) -> Fitted:
    """The recipe on rows; parts with no weight are not fitted."""
    wants_linear, wants_trees = recipe.tree_share < 1, recipe.tree_share > 0
    return Fitted(
        recipe,
        linear.fit(rows, recipe.penalty) if wants_linear else None,
        tuple(trees.train(rows, recipe.tree_settings, recipe.monotone, recipe.tree_count, bag_seeds(recipe.seed)))
        if wants_trees
        else (),
    )


@dataclass(frozen=True)
class Held:
    """Predictions for rows that were held back: both parts' log-odds, aligned with `index` into the rows."""

    index: np.ndarray
    linear: np.ndarray
    trees: np.ndarray
    period: np.ndarray
    """(n,) number of the fold or period that held the row back."""

    def blend(self, share: float) -> np.ndarray:
        """(n,) log-odds with this share (0 to 1) of the trees."""
        return (1 - share) * self.linear + share * self.trees

    def join(self, later: Held) -> Held:
        """Both, with the other's periods after the own ones."""
        shift = int(self.period.max()) + 1 if len(self.period) else 0
        return Held(
            np.concatenate([self.index, later.index]),
            np.concatenate([self.linear, later.linear]),
            np.concatenate([self.trees, later.trees]),
            np.concatenate([self.period, later.period + shift]),
        )


@dataclass(frozen=True)
class Search:
    """What tuning found: the best settings of each part, their predictions for the rows held back, and every trial."""

    penalty: float
    tree_settings: trees.TreeSettings
    tree_count: int
    monotone: tuple[int, ...]
    seed: int
    held: Held
    trials: tuple[Trial, ...]

    def recipe(self, tree_share: float) -> Recipe:
        """The settings found, with this share (0 to 1) of the trees."""
        return Recipe(self.penalty, self.tree_settings, self.tree_count, tree_share, self.monotone, self.seed)

    def recount(self, rows: Rows, fitted: np.ndarray, held: np.ndarray) -> Search:
        """The same settings with the number of trees that pays at full size; folds that learn from far less want fewer."""
        fold = trees.bin_folds(rows, [(fitted, held)])
        _, count, _ = trees.cross_validate(fold, self.tree_settings, self.monotone, self.seed)
        return replace(self, tree_count=count)

    def hold_back(self, rows: Rows, fitted: np.ndarray, held: np.ndarray) -> Held:
        """Both parts fitted on some rows, and their predictions for others."""
        own, other = rows.take(fitted), rows.x[held]
        line = linear.fit(own, self.penalty).log_odds(other)
        bag = trees.train(own, self.tree_settings, self.monotone, self.tree_count, bag_seeds(self.seed))
        return Held(held, line, trees.log_odds(bag, other), np.zeros(len(held), dtype=np.int64))


def search(
    rows: Rows,
    folds: Sequence[Pair],
    *,
    monotone: Sequence[int],
    seed: int,
    budget_s: float | None,
    trials: int | None,
    thorough: bool = False,
    progress: Progress = lambda text, share: None,
) -> Search:
    """The best settings of both parts by held-back log loss, and their held-back predictions.

    With `trials` time plays no part; else the search of the trees ends with the budget, or, unless it is `thorough`, when it
    stopped gaining.
    """
    began = clock.monotonic()
    end = began + SEARCH_SHARE * budget_s if budget_s is not None and trials is None else None
    sampled = _sample_folds(rows, folds, seed)
    log: list[Trial] = []
    penalty, line = _search_linear(rows, sampled, log)
    progress("logistic regression", 0.2)
    binned = trees.bin_folds(rows, sampled)
    compared = np.concatenate([held for _, held in sampled[:TUNING_FOLDS]])
    held_y, held_group = rows.y[compared], rows.group[compared]
    tried: list[tuple[float, trees.TreeSettings, int, np.ndarray]] = []
    stale = 0

    def run(settings: trees.TreeSettings) -> float:
        nonlocal stale
        started = clock.monotonic()
        loss, count, held = trees.cross_validate(binned[:TUNING_FOLDS], settings, monotone, seed, end)
        log.append(Trial("trees", loss, clock.monotonic() - started, {**settings.__dict__, "trees": count}))
        gained = not tried or loss < min(t[0] for t in tried) * (1 - trees.PAYS)
        stale = 0 if gained else stale + 1
        tried.append((loss, settings, count, log_loss(held_y, np.concatenate(held))))
        return loss

    def spent() -> float:
        if trials is not None:
            return len([t for t in log if t.kind == "trees"]) / max(trials, 1)
        return (clock.monotonic() - began) / budget_s if budget_s else len(log) / DEFAULT_TRIALS

    def over() -> bool:
        done = len([t for t in log if t.kind == "trees"])
        if (trials is not None and done >= trials) or (done >= FIRST_TRIALS and len(rows) < ROWS_TO_EXPLORE):
            return True
        if trials is not None:
            return False
        longest = max((t.seconds for t in log if t.kind == "trees"), default=0.0)
        tight = budget_s is not None and clock.monotonic() - began + longest > budget_s * SEARCH_SHARE
        return tight or (not thorough and stale >= STALE_TRIALS)

    _optuna(run, over, seed, lambda: progress("trees", min(0.2 + 0.8 * spent(), 1.0)))
    # The best of m trials is lucky by about sqrt(2 ln m) standard errors (the expected maximum of m normal variables);
    # it must beat the defaults by more.
    best = min(tried, key=lambda t: t[0])
    luck = max(NOISE, math.sqrt(2 * math.log(len(tried))))
    chosen = best if better_beyond_noise(best[3], tried[0][3], held_group, luck) else tried[0]
    _, settings, count, _ = chosen
    # The bag of the final model, on the folds: a mean of three is smoother than the one seed that was tuned with.
    held_trees = [
        trees.log_odds(trees.train(f.rows, settings, monotone, count, bag_seeds(seed)), f.held.x) for f in binned
    ]
    index = np.concatenate([held for _, held in sampled])
    period = np.concatenate([np.full(len(held), n) for n, (_, held) in enumerate(sampled)])
    predictions = Held(index, line, np.concatenate(held_trees), period)
    return Search(penalty, settings, count, tuple(monotone), seed, predictions, tuple(log))


def bag_seeds(seed: int) -> list[int]:
    """The seeds of the boosters of a bag; different seeds share none."""
    return [seed * 100 + n for n in range(trees.SEEDS)]


def _sample_folds(rows: Rows, folds: Sequence[Pair], seed: int) -> list[Pair]:
    largest = max(len(fitted) + len(held) for fitted, held in folds)
    if largest <= MOST_ROWS_TO_TUNE:
        return list(folds)
    names, place = np.unique(rows.group, return_inverse=True)
    kept = np.random.default_rng(seed).random(len(names)) < MOST_ROWS_TO_TUNE / largest
    chosen = kept[place.reshape(-1)]
    return [(fitted[chosen[fitted]], held[chosen[held]]) for fitted, held in folds]


def _search_linear(rows: Rows, folds: Sequence[Pair], log: list[Trial]) -> tuple[float, np.ndarray]:
    """The penalty with the least held-back log loss, and its held-back log-odds."""
    y = np.concatenate([rows.y[held] for _, held in folds])
    started = clock.monotonic()
    paths = [linear.fit_path(rows.take(fitted)) for fitted, _ in folds]
    spent = (clock.monotonic() - started) / len(linear.PENALTIES)
    found = []
    for n, penalty in enumerate(linear.PENALTIES):
        z = np.concatenate([path[n].log_odds(rows.x[h]) for path, (_, h) in zip(paths, folds, strict=True)])
        found.append((float(log_loss(y, z).mean()), penalty, z))
        log.append(Trial("logistic regression", found[-1][0], spent, {"penalty": penalty}))
    _, penalty, z = min(found, key=lambda f: f[0])
    return penalty, z


def _optuna(
    run: Callable[[trees.TreeSettings], float], over: Callable[[], bool], seed: int, tick: Callable[[], None]
) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=8)
    study = optuna.create_study(direction="minimize", sampler=sampler)
    plain = trees.TreeSettings()
    for settings in (
        plain,
        replace(plain, extra_trees=True),
        replace(plain, num_leaves=4),
        replace(plain, min_data_in_leaf=100),
    ):
        study.enqueue_trial(_as_trial(settings))
    while True:
        trial = study.ask()
        settings = trees.TreeSettings(
            learning_rate=0.05,
            num_leaves=trial.suggest_int("num_leaves", 3, trees.MOST_LEAVES),
            feature_fraction=trial.suggest_float("feature_fraction", 0.2, 1.0),
            bagging_fraction=trial.suggest_float("bagging_fraction", 0.5, 1.0),
            min_data_in_leaf=trial.suggest_int("min_data_in_leaf", 5, 200, log=True),
            lambda_l2=trial.suggest_float("lambda_l2", 0.1, 100.0, log=True),
            cat_smooth=trial.suggest_float("cat_smooth", 1.0, 100.0, log=True),
            extra_trees=trial.suggest_categorical("extra_trees", [False, True]),
        )
        study.tell(trial, run(settings))
        tick()
        if over():
            return


def _as_trial(settings: trees.TreeSettings) -> dict[str, object]:
    return {name: value for name, value in settings.__dict__.items() if name != "learning_rate"}


def better_beyond_noise(loss: np.ndarray, simpler_loss: np.ndarray, group: np.ndarray, noise: float = NOISE) -> bool:
    """Is the mean of `loss` lower than that of `simpler_loss` by more than `noise` standard errors, accounts as units?"""
    gain = simpler_loss - loss
    place = np.unique(group, return_inverse=True)[1].reshape(-1)
    sums = np.bincount(place, weights=gain - gain.mean())
    error = float(np.sqrt(np.sum(sums**2))) / len(gain)
    return bool(gain.mean() > noise * error)


@dataclass(frozen=True)
class Choice:
    """The share of the trees, with the held-back log loss of every candidate."""

    tree_share: float
    losses: dict[str, float]


def choose(held: Held, y: np.ndarray, group: np.ndarray) -> Choice:
    """By held-back log loss, the simpler winning ties: logistic regression before trees before blend."""
    losses = {share: log_loss(y, held.blend(share)) for share in (0.0, *WEIGHTS, 1.0)}
    blend = min(WEIGHTS, key=lambda share: float(losses[share].mean()))
    chosen = 0.0
    for share in (1.0, blend):
        pays = losses[share].mean() < losses[chosen].mean() * (1 - trees.PAYS)
        if pays and better_beyond_noise(losses[share], losses[chosen], group):
            chosen = share
    found = {"logistic regression": losses[0.0], "trees": losses[1.0], "blend": losses[blend]}
    return Choice(chosen, {name: float(loss.mean()) for name, loss in found.items()})
