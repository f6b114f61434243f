"""Small trained scorers for tests: LightGBM and shapes on random data with everything that real data have."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from features.signals.signal import Phrase, Signal
from models.catalog import get_model
from models.scorer.scorer import Scorer
from models.scorer.trees import Tree
from models.scorer.writer import LinearPart, Origin, Reference, write_scorer

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")


def random_rows(n: int, numbers: int = 6, words: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(x, y): numbers with gaps, zeros and large values first, then codes of words, some missing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, numbers)) * np.logspace(0, 6, numbers)
    x[rng.random(x.shape) < 0.15] = np.nan
    x[rng.random(x.shape) < 0.1] = 0.0
    codes = rng.integers(0, len(WORDS), (n, words)).astype(float)
    codes[rng.random(codes.shape) < 0.1] = np.nan
    x = np.hstack([x, codes])
    signal = np.nan_to_num(x[:, 0]) + (np.nan_to_num(x[:, -1], nan=-1) == 2) * 1.5 - np.isnan(x[:, 1]) * 1.0
    y = (rng.random(n) < 1 / (1 + np.exp(-(signal - 1)))).astype(float)
    return x, y


def odd_rows() -> np.ndarray:
    """Missing values, zeros, unseen and negative words, numbers to 1e10 and their neighbours."""
    x, _ = random_rows(500, seed=9)
    x[:50, -1] = np.arange(50) - 10
    x[50:100, 0] = np.logspace(-30, 10, 50)
    x[100:110] = np.nan
    x[110:120] = 0.0
    return x


def edge_rows(forest: list[Tree], k: int) -> np.ndarray:
    """Rows on every threshold and on both its neighbours, on and around zero, and with codes that no word has."""
    rng = np.random.default_rng(1)
    seen = [[0.0, -0.0, 1e-35, -1e-35, 1.1e-35, 1e-40, np.nan, 1e10, -1e10, 1e300] for _ in range(k)]
    for tree in forest:
        for node, feature in enumerate(tree.split_feature):
            if tree.decision_type[node] & 1:
                seen[feature] += [-3.0, -1.0, -0.5, 0.5, 2.7, 5.0, 6.0, 31.0, 32.0, 64.0, 1e6]
            else:
                limit = tree.threshold[node]
                seen[feature] += [limit, float(np.nextafter(limit, np.inf)), float(np.nextafter(limit, -np.inf))]
    return np.column_stack([rng.choice(values, 1_500) for values in seen])


def train_booster(x: np.ndarray, y: np.ndarray, words: int = 2, trees: int = 40, seed: int = 0, **more: Any) -> str:
    k = x.shape[1]
    data = lgb.Dataset(x, y, categorical_feature=list(range(k - words, k)), free_raw_data=False)
    settings = {
        "objective": "binary",
        "num_leaves": 8,
        "learning_rate": 0.2,
        "min_data_in_leaf": 5,
        "max_cat_to_onehot": 2,
        "cat_smooth": 1,
        "min_data_per_group": 5,
        "verbosity": -1,
        "seed": seed,
        "num_threads": 1,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        **more,
    }
    return str(lgb.train(settings, data, trees).model_to_string())


def random_shapes(x: np.ndarray, words: int = 2, seed: int = 0) -> LinearPart:
    rng = np.random.default_rng(seed)
    knots, values = [], []
    for j in range(x.shape[1]):
        if j >= x.shape[1] - words:
            knots.append(np.empty(0))
            values.append(rng.normal(size=len(WORDS) + 1))
        else:
            knots.append(np.unique(np.nanquantile(x[:, j], np.linspace(0, 1, 9))))
            values.append(rng.normal(size=len(knots[-1])))
    return LinearPart(knots, values, rng.normal(size=x.shape[1]).tolist(), -0.5)  # type: ignore[attr-defined]


def make_signals(numbers: int = 6, words: int = 2) -> list[Signal]:
    """Numbers 2, 4 and 5 say the same, so that one reason speaks for them."""
    found = [
        Signal(
            f"number_{i}",
            "usage",
            "count",
            "[as_of - 28 d, as_of)",
            "never",
            f"number {i}",
            Phrase(
                f"Number {i} is {{value}}.", zero=f"Number {i} is nothing.", negative=f"Number {i} fell by {{size}}."
            ),
            topic="same" if i in (2, 4, 5) else "",
        )
        for i in range(numbers)
    ]
    return found + [
        Signal(
            f"word_{i}",
            "firmographic",
            "category",
            "before as_of",
            "not recorded",
            f"word {i}",
            Phrase(f"Word {i} is {{value}}."),
        )
        for i in range(words)
    ]


def make_scorer(
    folder: Path,
    model: str = "churn-risk",
    signals: list[Signal] | None = None,
    seed: int = 0,
    n: int = 1_500,
    rows: tuple[np.ndarray, np.ndarray] | None = None,
    **more: Any,
) -> Scorer:
    """A blend of shapes and a bag of two boosters; `signals` replace the names (6 numbers and 2 words), `rows` the data."""
    x, y = random_rows(n, seed=seed) if rows is None else rows
    described = signals or make_signals()
    return write_scorer(
        folder,
        **{
            "definition": get_model(model),
            "signals": described,
            "vocabularies": [WORDS if s.is_category else None for s in described],
            "reference": Reference(x, y, x[-400:]),
            "linear": random_shapes(x, seed=seed),
            "boosters": [train_booster(x, y, seed=seed + s) for s in range(2)],
            "tree_share": 0.5,
            "slope": 0.9,
            "level": -0.1,
            "origin": Origin("test", "0" * 64, "2024-01-01", "2024-12-31"),
            **more,
        },
    )


def copy_scorer(
    folder: Path,
    model: str = "churn-risk",
    signals: Sequence[Signal] | None = None,
    seed: int = 0,
    n: int = 600,
) -> None:
    """What `make_scorer` writes, made once: it takes half a second."""
    folder.mkdir(parents=True)
    for name, content in _made(model, None if signals is None else tuple(signals), seed, n).items():
        (folder / name).write_bytes(content)


@functools.cache
def _made(model: str, signals: tuple[Signal, ...] | None, seed: int, n: int) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary) / "scorer"
        make_scorer(made, model, None if signals is None else list(signals), seed, n)
        return {file.name: file.read_bytes() for file in made.iterdir()}
