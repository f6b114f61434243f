"""What a score and its reasons cost beside LightGBM's own calls: `python -m tests.benchmarks.bench_reasons`.

Every path is timed in turn within one round, on one thread, so that a neighbour on the machine slows all alike; the medians
over the rounds make the ratios. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import lightgbm as lgb
import numpy as np

from models.scorer.scorer import Scorer
from models.scorer.sigmoid import sigmoid
from tests.kit.scorers import make_scorer, make_signals, random_rows, random_shapes, train_booster


def compare(paths: dict[str, Callable[[], object]], rounds: int, repeats: int) -> dict[str, float]:
    """Median microseconds of one call of each path."""
    taken: dict[str, list[float]] = {name: [] for name in paths}
    for path in paths.values():
        path()
    for _ in range(rounds):
        for name, path in paths.items():
            started = time.perf_counter()
            for _ in range(repeats):
                path()
            taken[name].append((time.perf_counter() - started) / repeats * 1e6)
    return {name: statistics.median(times) for name, times in taken.items()}


def measure(scorer: Scorer, text: str, x: np.ndarray, rounds: int = 15) -> dict[str, float]:
    """Microseconds a row and ratios to `Booster.predict`, for one row and for the batch `x`."""
    booster = lgb.Booster(model_str=text)
    figures: dict[str, float] = {}
    for kind, rows, repeats in (("one", np.ascontiguousarray(x[:1]), 100), ("batch", x, 1)):

        def score_and_reasons(rows: np.ndarray = rows) -> object:
            log_odds, effects = scorer.explain(rows)
            return sigmoid(log_odds), effects

        def plain(rows: np.ndarray = rows) -> object:
            return booster.predict(rows, raw_score=True, num_threads=1)

        def score(rows: np.ndarray = rows) -> object:
            return scorer.probability(rows)

        found = compare(
            {"booster_predict": plain, "score": score, "score_and_reasons": score_and_reasons}, rounds, repeats
        )
        few = np.ascontiguousarray(rows[:200])
        contrib = compare({"pred_contrib": lambda f=few: booster.predict(f, pred_contrib=True, num_threads=1)}, 5, 1)  # type: ignore[misc]
        for name, micros in found.items():
            figures[f"{kind}_{name}_us"] = round(micros / len(rows), 2)
        figures[f"{kind}_pred_contrib_us"] = round(contrib["pred_contrib"] / len(few), 2)
        for name in ("score", "score_and_reasons"):
            figures[f"{kind}_{name}_vs_booster_predict"] = round(found[name] / found["booster_predict"], 2)
        figures[f"{kind}_reasons_speedup_vs_pred_contrib"] = round(
            figures[f"{kind}_pred_contrib_us"] / figures[f"{kind}_score_and_reasons_us"], 1
        )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scorer", type=Path, help="a scorer directory; without it one of 40 signals is trained")
    parser.add_argument("--trees", type=int, default=300)
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--trees-only", action="store_true", help="without a linear part")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if options.scorer:
            scorer = Scorer.load(options.scorer)
            text = (options.scorer / "booster.txt").read_text()
            x = sample(scorer, options.rows)
        else:
            x, y = random_rows(max(options.rows, 4_000), numbers=36, words=4)
            scorer = make_scorer(
                Path(scratch) / "scorer",
                signals=make_signals(36, 4),
                rows=(x, y),
                linear=None if options.trees_only else random_shapes(x, words=4),
                tree_share=1.0 if options.trees_only else 0.5,
                boosters=[train_booster(x, y, words=4, trees=options.trees, learning_rate=0.05)],
            )
            text = (Path(scratch) / "scorer" / "booster.txt").read_text()
        figures = measure(scorer, text, np.ascontiguousarray(x[: options.rows]))
    for name, figure in figures.items():
        print(f"{name:45s} {figure:10.2f}")
    print(json.dumps(figures))


def sample(scorer: Scorer, rows: int, seed: int = 0) -> np.ndarray:
    """Rows within the ranges and vocabularies that a scorer knows, a tenth missing."""
    rng = np.random.default_rng(seed)
    x = np.empty((rows, len(scorer.names)))
    for j, signal in enumerate(scorer.spec.signals):
        if signal.vocabulary is not None:
            x[:, j] = rng.integers(0, len(signal.vocabulary) + 1, rows)
        else:
            x[:, j] = rng.uniform(signal.low or 0.0, signal.high or 1.0, rows)
    x[rng.random(x.shape) < 0.1] = np.nan
    return x


if __name__ == "__main__":
    main()
