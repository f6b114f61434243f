"""Writing a scorer: calibration, blend and bag folded into weights and leaves, so that sigmoid(linear + trees) is calibrated."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from features.signals.signal import Signal
from models.definition import Model
from models.scorer import artefact
from models.scorer.artefact_schema import (
    FORMAT,
    NARROWED,
    Bins,
    Golden,
    LinearSpec,
    ScorerSpec,
    Shape,
    SignalSpec,
    VerdictSpec,
    Words,
)
from models.scorer.linear import Linear
from models.scorer.scorer import Scorer
from models.scorer.sigmoid import sigmoid
from models.scorer.trees import merge, parse, tabulate

GOLDEN_ROWS = 64
MOST_BINS = 10
FEWEST_PER_BIN = 50


@dataclass(frozen=True)
class LinearPart:
    """A fitted sum of shapes: log-odds = bias + sum of shapes (see `models.scorer.artefact_schema.Shape` for their meaning)."""

    knots: Sequence[np.ndarray]
    values: Sequence[np.ndarray]
    missing: Sequence[float]
    bias: float


@dataclass(frozen=True)
class Reference:
    """The rows that a scorer is measured by: encoded signals, outcomes, and which rows are the reference population."""

    x: np.ndarray
    """(n, k) float64, encoded: rows of training, from which ranges and shares of missing are read."""
    y: np.ndarray
    """(n,) 0/1."""
    population: np.ndarray
    """(m, k) float64: all eligible entities at the newest training `as_of`; percentiles are against them."""


@dataclass(frozen=True)
class Origin:
    """Where a scorer comes from."""

    source: str | None = None
    data_fingerprint: str | None = None
    trained_from: str | None = None
    trained_to: str | None = None


def write_scorer(
    directory: Path,
    *,
    definition: Model,
    signals: Sequence[Signal],
    vocabularies: Sequence[Sequence[str] | None],
    reference: Reference,
    linear: LinearPart | None = None,
    boosters: Sequence[str] = (),
    tree_share: float = 0.0,
    slope: float = 1.0,
    level: float = 0.0,
    origin: Origin | None = None,
    metrics: dict[str, object] | None = None,
    verdict: VerdictSpec | None = None,
) -> Scorer:
    """Write a scorer directory, load it back, and return it.

    The model is log-odds = slope * ((1 - tree_share) * linear + tree_share * mean of the boosters) + level, with one column
    per signal: numbers as they are, categories as codes, `len(vocabulary)` for an unseen word, NaN for missing. Boosters are
    LightGBM texts of trees with at most 8 leaves. `directory` must not exist.
    """
    k = len(signals)
    origin = origin or Origin()
    spec_linear = _linear(linear, k, slope * (1 - tree_share), level, reference.x)
    files: dict[str, bytes] = {"linear.json": msgspec.json.encode(spec_linear)}
    golden_rows = _golden_rows(reference.x)
    tree_scores = np.zeros(len(golden_rows))
    tree_effects = np.zeros(golden_rows.shape)
    if boosters:
        text = merge(boosters, slope * tree_share / len(boosters))
        trees = parse(text)
        tables = tabulate(trees, k)
        stored = io.BytesIO()
        np.savez_compressed(stored, slots=tables.slots, values=tables.values, base=np.array(tables.base))
        files |= {"booster.txt": text.encode(), "tables.npz": stored.getvalue()}
        tree_scores = _lightgbm_scores(text, golden_rows)
        tree_effects = _lightgbm_effects(text, golden_rows)
    evaluated = Linear(spec_linear)
    terms = evaluated.terms(golden_rows)
    effects = terms - evaluated.means + tree_effects
    files["golden.json"] = msgspec.json.encode(
        Golden(
            rows=[[None if np.isnan(v) else float(v) for v in row] for row in golden_rows],
            trees=tree_scores.tolist(),
            log_odds=(evaluated.total(terms) + tree_scores).tolist(),
            effects=effects.tolist(),
        )
    )
    population = reference.population if len(reference.population) else reference.x
    total = evaluated.total(evaluated.terms(population)) + (_lightgbm_scores(text, population) if boosters else 0.0)
    quantiles = np.quantile(sigmoid(total), np.arange(1, 100) / 100)
    files["scorer.json"] = msgspec.json.encode(
        ScorerSpec(
            format=NARROWED if definition.population else FORMAT,
            model=definition.name,
            title=definition.title,
            entity=definition.entity,
            horizon_days=definition.horizon_days,
            outcome=definition.verb,
            crowd=definition.crowd,
            signals=[_signal(s, v, reference, j) for j, (s, v) in enumerate(zip(signals, vocabularies, strict=True))],
            bands=list(definition.bands),
            base_rate=float(reference.y.mean()),
            quantiles=quantiles.tolist(),
            trained_from=origin.trained_from,
            trained_to=origin.trained_to,
            data_fingerprint=origin.data_fingerprint,
            source=origin.source,
            metrics=metrics or {},
            verdict=verdict,
            population=definition.population or msgspec.UNSET,
        )
    )
    artefact.write_files(directory, files)
    return Scorer.load(directory)


def _linear(part: LinearPart | None, k: int, scale: float, level: float, x: np.ndarray) -> LinearSpec:
    if part is None:
        nothing = Shape(knots=[], values=[0.0], missing=0.0, mean=0.0)
        return LinearSpec(bias=level, shapes=[nothing] * k)
    bare = [
        Shape(
            knots=np.asarray(knots, float).tolist(),
            values=(scale * np.asarray(values, float)).tolist(),
            missing=scale * float(missing),
            mean=0.0,
        )
        for knots, values, missing in zip(part.knots, part.values, part.missing, strict=True)
    ]
    means = Linear(LinearSpec(bias=0.0, shapes=bare)).terms(x).mean(axis=0) if len(x) else np.zeros(k)
    shapes = [msgspec.structs.replace(shape, mean=float(mean)) for shape, mean in zip(bare, means, strict=True)]
    return LinearSpec(bias=scale * part.bias + level, shapes=shapes)


def _golden_rows(x: np.ndarray) -> np.ndarray:
    """Spread over the rows there are, and rows that break weak readers: all missing, unseen words, large numbers."""
    k = x.shape[1]
    spread = x[np.unique(np.linspace(0, len(x) - 1, GOLDEN_ROWS - 4).astype(int))] if len(x) else np.empty((0, k))
    odd = np.stack([np.full(k, np.nan), np.full(k, 1e10), np.zeros(k), np.full(k, -1.0)])
    return np.ascontiguousarray(np.vstack([spread, odd]))


def _lightgbm_scores(text: str, x: np.ndarray) -> np.ndarray:
    """Raw scores by LightGBM itself, against which the fast reader is checked."""
    import lightgbm as lgb

    return np.asarray(lgb.Booster(model_str=text).predict(x, raw_score=True, num_threads=1), dtype=np.float64).reshape(
        len(x)
    )


def _lightgbm_effects(text: str, x: np.ndarray) -> np.ndarray:
    """(n, k) SHAP values by LightGBM itself, against which the reason tables are checked whenever the scorer is loaded."""
    import lightgbm as lgb

    return np.asarray(lgb.Booster(model_str=text).predict(x, pred_contrib=True, num_threads=1))[:, :-1]


def _signal(signal: Signal, vocabulary: Sequence[str] | None, reference: Reference, j: int) -> SignalSpec:
    column = reference.x[:, j]
    present = column[~np.isnan(column)]
    number = vocabulary is None and len(present) > 0
    phrase = signal.phrase
    return SignalSpec(
        name=signal.name,
        theme=signal.theme,
        unit=signal.unit,
        label=signal.label,
        window=signal.window,
        missing=signal.missing,
        words=Words(**phrase.__dict__),
        vocabulary=None if vocabulary is None else list(vocabulary),
        low=float(present.min()) if number else None,
        high=float(present.max()) if number else None,
        missing_share=float(np.isnan(column).mean()) if len(column) else 0.0,
        by_clock=signal.by_clock,
        decimal=signal.decimal,
        topic=signal.about,
        bins=_bins(column, reference.y, vocabulary),
    )


def _bins(column: np.ndarray, y: np.ndarray, vocabulary: Sequence[str] | None) -> Bins:
    gone = np.isnan(column)
    values, outcome = column[~gone], y[~gone]
    if vocabulary is not None:
        edges: list[float] = []
        place, size = values.astype(np.int64), len(vocabulary) + 1
    else:
        bins = int(np.clip(len(values) // FEWEST_PER_BIN, 1, MOST_BINS))
        marks = np.unique(np.quantile(values, np.arange(1, bins) / bins)) if len(values) and bins > 1 else np.empty(0)
        marks = _readable(marks, values)
        edges = marks.tolist()
        place, size = np.searchsorted(marks, values, side="right"), len(marks) + 1
    counts = np.bincount(place, minlength=size)
    hits = np.bincount(place, weights=outcome, minlength=size)
    rates = np.divide(hits, counts, out=np.zeros(size), where=counts > 0)
    return Bins(
        edges=edges,
        rates=rates.tolist(),
        counts=counts.tolist(),
        missing_rate=float(y[gone].mean()) if gone.any() else 0.0,
        missing_count=int(gone.sum()),
        whole=vocabulary is None and len(values) > 0 and _are_whole(values),
    )


def _readable(marks: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The edges, so that a bin can be said in words: whole between whole numbers, and no bin holds two signs or nothing beside
    something, since those are told by other sentences."""
    if not len(values):
        return marks
    whole = _are_whole(values)
    marks = np.ceil(marks) if whole else marks
    if (values < 0).any() or (values == 0).sum() >= FEWEST_PER_BIN:
        marks = np.append(marks, [0.0, 1.0 if whole else np.nextafter(0.0, 1.0)])
    return np.unique(marks[marks > values.min()])


def _are_whole(values: np.ndarray) -> bool:
    return bool((values == np.trunc(values)).all())
