"""Compares expected with observed outcomes: per band, per date, and by who was acted upon. Ripe and pending rows are kept apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.kit.clock import from_us
from models.definition import Model
from training.metrics import Estimate
from training.monitor import estimated_performance
from training.monitor.live_rows import LiveRows

BAND = "band "


@dataclass(frozen=True)
class Ripe:
    """The outcomes of ripe rows, beside what a calibrated model would see."""

    rows: int
    outcomes: int
    measures: dict[str, tuple[float, Estimate]]
    """Measure -> observed value, and estimate with its interval."""
    counts: dict[str, tuple[int, int, Estimate]]
    """"all" and each band -> rows, observed outcomes, expected ones."""
    beyond: frozenset[str]
    """Measures and counts that lie outside what chance gives once in a hundred times."""


def ripe(definition: Model, part: LiveRows, seed: int = 0) -> Ripe | None:
    """Judge rows that are ripe, all of them; None when there is none."""
    n = len(part.p)
    if not n:
        return None
    masks = {"all": np.ones(n, dtype=bool)}
    masks |= {name: part.band == name for name, _ in definition.bands if (part.band == name).any()}
    draws = estimated_performance.if_calibrated(
        part.p, part.group, part.listed, {BAND + k: m for k, m in masks.items()}, seed
    )
    beyond = set()

    def told(name: str, found: float, value: float) -> Estimate:
        low, high = estimated_performance.span(draws[name], estimated_performance.VERY_SURE)
        if found < low or found > high:
            beyond.add(name.removeprefix(BAND))
        return Estimate(value, *estimated_performance.span(draws[name]))

    measures = {}
    promised = estimated_performance.expected(part.p, part.listed)
    for name, found in estimated_performance.came_true(part.y, part.p, part.listed).items():
        measures[name] = (found, told(name, found, promised[name]))
    counts = {
        name: (int(m.sum()), int(part.y[m].sum()), told(BAND + name, float(part.y[m].sum()), float(part.p[m].sum())))
        for name, m in masks.items()
    }
    return Ripe(n, int(part.y.sum()), measures, counts, frozenset(beyond))


def ripe_report(found: Ripe | None) -> dict[str, object]:
    """A `Ripe` as JSON-ready values."""
    if found is None:
        return {"rows": 0}
    return {
        "rows": found.rows,
        "with_outcome": found.outcomes,
        "quality": {
            name: {"came_true": _number(true), "promised": numbers(told), "beyond_chance": name in found.beyond}
            for name, (true, told) in found.measures.items()
        },
        "bands": [
            {
                "band": name,
                "rows": rows,
                "observed": seen,
                "expected": numbers(told),
                "observed_rate": round(seen / rows, 4),
                "expected_rate": round(told.value / rows, 4),
                "beyond_chance": name in found.beyond,
            }
            for name, (rows, seen, told) in found.counts.items()
        ],
    }


def pending_report(definition: Model, part: LiveRows, seed: int = 0) -> dict[str, object]:
    """Rows whose window is not over: what is expected of them, what has come already, and the quality estimated."""
    if not len(part.p):
        return {"rows": 0}
    bands = []
    for name in ("all", *(name for name, _ in definition.bands)):
        mask = np.ones(len(part.p), dtype=bool) if name == "all" else part.band == name
        if mask.any():
            told, seen = round(float(part.p[mask].sum()), 1), int(part.so_far[mask].sum())
            bands.append({"band": name, "rows": int(mask.sum()), "expected": told, "observed_so_far": seen})
    estimates = estimated_performance.promised(part.p, part.group, part.listed, seed)
    return {
        "rows": len(part.p),
        "bands": bands,
        "estimated_quality": {name: numbers(estimate) for name, estimate in estimates.items()},
    }


def by_date(watched: LiveRows) -> list[dict[str, object]]:
    """One line per date and state (ripe, pending), oldest first."""
    out = []
    for date in np.unique(watched.time):
        for state, mask in (("ripe", watched.ripe), ("pending", watched.pending)):
            rows = mask & (watched.time == date)
            if not rows.any():
                continue
            p, y = watched.p[rows], watched.y[rows] if state == "ripe" else watched.so_far[rows]
            line: dict[str, object] = {
                "as_of": from_us(int(date)).date().isoformat(),
                "state": state,
                "rows": int(rows.sum()),
                "expected": round(float(p.sum()), 1),
                "observed" if state == "ripe" else "observed_so_far": int(y.sum()),
                "estimated_auc": _number(estimated_performance.expected_auc(p)),
            }
            if state == "ripe":
                line["auc"] = _number(estimated_performance.came_true(y, p, watched.listed[rows])["auc"])
            out.append(line)
    return out


def by_action(definition: Model, watched: LiveRows, seed: int = 0) -> dict[str, dict[str, object]]:
    """Ripe rows apart: acted upon, left alone, and the holdout; empty without a table of actions.

    Outcomes below those expected of the acted upon are what acting does, if their rows are like the holdout's: only the
    holdout was left alone by lot.
    """
    if watched.acted is None:
        return {}
    parts = {
        "acted_upon": watched.acted,
        "left_alone": ~watched.acted,
        "holdout": watched.held_out,
        "outside_the_holdout": ~watched.held_out,
    }
    report = {}
    for name, mask in parts.items():
        rows = watched.ripe & mask
        report[name] = ripe_report(ripe(definition, watched.take(rows), seed))
    return report


def numbers(estimate: Estimate) -> dict[str, float | None]:
    """An estimate as JSON-ready values; what has no value is null."""
    return {name: _number(getattr(estimate, name)) for name in ("value", "low", "high")}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def judged(metrics: Mapping[str, object], name: str) -> dict[str, float] | None:
    """A measure as judged when the scorer was made (`ScorerSpec.metrics`), None when it is not kept."""
    kept = metrics.get("metrics")
    found = kept.get(name) if isinstance(kept, dict) else None
    return found if isinstance(found, dict) and "value" in found else None
