"""LightGBM in the form that the scorer takes: small trees, native categories, a bag over seeds, the same bits each time."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import lightgbm as lgb
import numpy as np

from training.dataset import Rows

MOST_LEAVES = 8
"""More would break the table of a tree's 7 conditions from which its exact reasons are read (`models`)."""
SEEDS = 3
MOST_TREES = 400
FEWEST_TREES = 20
PATIENCE = 40
PAYS = 2e-4
"""Log loss, relative, that more trees must gain to be kept."""
ROWS_PER_THREAD = 20_000
"""Below, one thread is as fast, and it does not wait for another process's core."""


@dataclass(frozen=True)
class TreeSettings:
    """What is tuned. The defaults are the first trial; ranges beside the names are what Optuna may try."""

    learning_rate: float = 0.05
    num_leaves: int = MOST_LEAVES  # 3 to 8
    feature_fraction: float = 0.5  # 0.3 to 1
    bagging_fraction: float = 0.8  # 0.5 to 1
    min_data_in_leaf: int = 20  # 5 to 200
    lambda_l2: float = 5.0  # 0.1 to 100
    cat_smooth: float = 10.0  # 1 to 100
    extra_trees: bool = False


def parameters(settings: TreeSettings, rows: Rows, monotone: Sequence[int], seed: int) -> dict[str, object]:
    """LightGBM's parameters; with them the same rows and seed give the same model text."""
    directions = [0 if words is not None else int(m) for words, m in zip(rows.vocabularies, monotone, strict=True)]
    found: dict[str, object] = {
        **asdict(settings),
        "objective": "binary",
        "metric": "binary_logloss",
        "bagging_freq": 1,
        "cat_l2": 10.0,
        "max_cat_to_onehot": 4,
        "feature_pre_filter": False,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads(len(rows)),
        "seed": seed,
        "verbosity": -1,
    }
    # A leaf of 20 rows is too fine for a few hundred: 1 in 25 rows, but never fewer than 5.
    found["min_data_in_leaf"] = max(5, min(settings.min_data_in_leaf, len(rows) // 25))
    if any(directions):
        found["monotone_constraints"] = directions
    return found


def threads(rows: int) -> int:
    """Threads for so many rows, 1 or 2."""
    return 1 if rows < ROWS_PER_THREAD else 2


def dataset(rows: Rows, reference: lgb.Dataset | None = None) -> lgb.Dataset:
    """The rows binned; `reference` shares its bins."""
    names = [f"s{j}" for j in range(len(rows.signals))]
    return lgb.Dataset(
        rows.x,
        rows.y,
        feature_name=names,
        categorical_feature=[names[j] for j in rows.categories],
        reference=reference,
        free_raw_data=False,
        params={
            "feature_pre_filter": False,
            "num_threads": threads(len(rows)),
            "verbosity": -1,
            "force_row_wise": True,
        },
    )


def train(
    rows: Rows, settings: TreeSettings, monotone: Sequence[int], trees: int, seeds: Sequence[int]
) -> list[lgb.Booster]:
    """The bag: one booster per seed."""
    data = dataset(rows)
    return [lgb.train(parameters(settings, rows, monotone, seed), data, trees) for seed in seeds]


def grow(rows: Rows, data: lgb.Dataset, trees: int) -> None:
    """A few trees with the default settings, to see how long they take."""
    lgb.train(parameters(TreeSettings(), rows, [0] * len(rows.signals), 0), data, trees)


def log_odds(bag: Sequence[lgb.Booster], x: np.ndarray, trees: int | None = None) -> np.ndarray:
    """Mean raw score of the bag, (n,)."""
    total = np.zeros(len(x))
    for booster in bag:
        total += np.asarray(booster.predict(x, raw_score=True, num_iteration=trees, num_threads=threads(len(x))))
    return total / max(len(bag), 1)


@dataclass(frozen=True)
class Fold:
    """One fold, binned once for all trials."""

    rows: Rows
    train: lgb.Dataset
    held: Rows
    valid: lgb.Dataset


def bin_folds(rows: Rows, folds: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[Fold]:
    """Folds of (train index, held-back index) as LightGBM reads them."""
    made = []
    for fitted, held in folds:
        own = rows.take(fitted)
        data = dataset(own)
        made.append(Fold(own, data, rows.take(held), dataset(rows.take(held), data)))
    return made


def _in_time(seconds: float | None) -> list[Callable[[lgb.callback.CallbackEnv], None]]:
    """A callback that ends the training when `seconds` are over, not before `FEWEST_TREES`."""
    if seconds is None:
        return []
    end = clock.monotonic() + seconds

    def stop(env: lgb.callback.CallbackEnv) -> None:
        if env.iteration + 1 >= FEWEST_TREES and clock.monotonic() > end:
            raise lgb.callback.EarlyStopException(env.iteration, env.evaluation_result_list or [])

    return [stop]


def cross_validate(
    folds: Sequence[Fold], settings: TreeSettings, monotone: Sequence[int], seed: int, until: float | None = None
) -> tuple[float, int, list[np.ndarray]]:
    """Held-back log loss at the best number of trees, that number, and the held-back log-odds fold by fold.

    `until` is a moment of `time.monotonic`: each fold has its share of what is left, and then takes the trees that it has.
    """
    curves, boosters = [], []
    for number, fold in enumerate(folds):
        left = None if until is None else (until - clock.monotonic()) / (len(folds) - number)
        record: dict[str, dict[str, list[float]]] = {}
        booster = lgb.train(
            parameters(settings, fold.rows, monotone, seed),
            fold.train,
            MOST_TREES,
            valid_sets=[fold.valid],
            callbacks=[lgb.early_stopping(PATIENCE, verbose=False), lgb.record_evaluation(record), *_in_time(left)],
        )
        curves.append(np.array(record["valid_0"]["binary_logloss"]))
        boosters.append(booster)
    length = max(len(c) for c in curves)
    weights = np.array([len(f.held) for f in folds], dtype=float)
    padded = np.array([np.pad(c, (0, length - len(c)), mode="edge") for c in curves])
    mean = weights @ padded / weights.sum()
    trees = int(np.flatnonzero(mean <= mean.min() * (1 + PAYS))[0]) + 1
    held = [log_odds([b], f.held.x, trees) for b, f in zip(boosters, folds, strict=True)]
    return float(mean[trees - 1]), trees, held
