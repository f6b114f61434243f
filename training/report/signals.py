"""Which signals move the score, and how: what report and card draw of the scorer."""

from __future__ import annotations

import numpy as np

from models.scorer.artefact_schema import SignalSpec
from models.scorer.scorer import Scorer
from models.signal_card import Effects

TOP = 8
POINTS = 8
WORDS = 6
MOST_ROWS = 20_000
"""Rows that effects by bin are taken over; they cost about 30 us each."""


def top_signals(scorer: Scorer, x: np.ndarray, y: np.ndarray, count: int = TOP) -> list[dict[str, object]]:
    """The signals with the largest mean absolute effect on the log-odds over encoded rows `x` (n, k), the largest first.

    `signal`, `label`, `theme`, `importance` (log-odds), `share` of the importance of all signals, and `points`: up to
    `POINTS` groups of equal count of a number (`from`, `to`) or the `WORDS` commonest words of a category (`word`), and one
    with `missing` true, each with the mean `effect`, its 10 % and 90 % quantiles (`low`, `high`), the observed `rate` and `n`.
    """
    if not len(x):
        return []
    effects, _ = scorer.effects(x)
    importance = np.abs(effects).mean(axis=0)
    total = float(importance.sum()) or 1.0
    found: list[dict[str, object]] = []
    for j in np.argsort(-importance, kind="stable")[:count]:
        if importance[j] == 0:
            break
        signal = scorer.spec.signals[j]
        groups = _words(x[:, j], signal.vocabulary) if signal.vocabulary is not None else _numbers(x[:, j])
        absent = np.isnan(x[:, j])
        if absent.any():
            groups.append(({"missing": True}, absent))
        found.append(
            {
                "signal": signal.name,
                "label": signal.label,
                "theme": signal.theme,
                "unit": signal.unit,
                "importance": round(float(importance[j]), 6),
                "share": round(float(importance[j]) / total, 4),
                "points": [{**name, **_group(effects[rows, j], y[rows])} for name, rows in groups],
            }
        )
    return found


def effects_by_bin(scorer: Scorer, x: np.ndarray) -> list[Effects]:
    """The effects of every signal in each bin that the scorer keeps, over encoded rows `x` (n, k): at most `MOST_ROWS` of them, evenly
    spaced.
    """
    x = x[:: max(1, -(-len(x) // MOST_ROWS))]
    effects, _ = scorer.effects(x)
    importance = np.abs(effects).mean(axis=0) if len(x) else np.zeros(len(scorer.spec.signals))
    total = float(importance.sum()) or 1.0
    return [
        Effects(
            round(float(importance[j]) / total, 6),
            [_spread(effects[rows, j]) for rows in _rows_by_bin(signal, x[:, j])],
        )
        for j, signal in enumerate(scorer.spec.signals)
    ]


def _rows_by_bin(signal: SignalSpec, column: np.ndarray) -> list[np.ndarray]:
    """A mask of the rows in each bin, in the order of `Bins.counts`, those without a value last."""
    gone = np.isnan(column)
    if signal.bins is None:
        return [gone]
    known = np.nan_to_num(column)
    place = known if signal.vocabulary is not None else np.searchsorted(signal.bins.edges, known, side="right")
    return [*((place == at) & ~gone for at in range(len(signal.bins.counts))), gone]


def _spread(effects: np.ndarray) -> tuple[float, float, float] | None:
    if not len(effects):
        return None
    low, high = np.quantile(effects, [0.1, 0.9])
    return round(float(effects.mean()), 6), round(float(low), 6), round(float(high), 6)


Groups = list[tuple[dict[str, object], np.ndarray]]


def _numbers(column: np.ndarray) -> Groups:
    known = column[~np.isnan(column)]
    if not len(known):
        return []
    edges = np.unique(np.quantile(known, np.linspace(0, 1, POINTS + 1)))
    if len(edges) == 1:
        return [({"from": float(edges[0]), "to": float(edges[0])}, column == edges[0])]
    place = np.clip(np.searchsorted(edges, column, side="right") - 1, 0, len(edges) - 2)
    groups: Groups = []
    for n in range(len(edges) - 1):
        rows = (place == n) & ~np.isnan(column)
        if rows.any():
            groups.append(({"from": float(column[rows].min()), "to": float(column[rows].max())}, rows))
    return groups


def _words(column: np.ndarray, vocabulary: list[str]) -> Groups:
    counts = [(int((column == code).sum()), word, code) for code, word in enumerate(vocabulary)]
    common = sorted((c for c in counts if c[0]), key=lambda c: (-c[0], c[1]))[:WORDS]
    groups: Groups = [({"word": word}, column == code) for _, word, code in common]
    shown = np.isin(column, [code for _, _, code in common]) | np.isnan(column)
    if (~shown).any():
        groups.append(({"word": "(others)"}, ~shown))
    return groups


def _group(effects: np.ndarray, y: np.ndarray) -> dict[str, object]:
    low, high = np.quantile(effects, [0.1, 0.9])
    return {
        "effect": round(float(effects.mean()), 6),
        "low": round(float(low), 6),
        "high": round(float(high), 6),
        "rate": round(float(y.mean()), 6),
        "n": len(y),
    }
