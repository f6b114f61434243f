"""The data of the report's pictures: JSON-ready lists, each a pure function of outcomes and probabilities.

Arguments throughout: `y` (n,) of 0.0 and 1.0, `p` (n,) probabilities, `group` (n,) number of the account of each row, by
which intervals are resampled, `capacity` the share (0 to 1) that people can act upon. Intervals are 95 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from features.kit.clock import from_us
from training import metrics
from training.metrics import Ranking

SHARES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
DISTRIBUTION_BINS = 20
MOST_PERIODS = 24
LEAST_OF_EACH = 10
"""Least rows with, and without, the outcome in a period: an AUC needs both."""
SLICES = 6
RESAMPLES = 200
EARLIEST_DATE_US = 10**14
"""1973: a smaller `time` is a rank, not a moment."""

Points = list[dict[str, float]]


def by_capacity(y: np.ndarray, p: np.ndarray, group: np.ndarray, seed: int = 0) -> list[dict[str, object]]:
    """What the best part of the list holds, by its `share` of the list, with the `rows` in it.

    `precision` {value, low, high}; `lift`, precision over the base rate, likewise; `found`, the share of all outcomes that
    lie in it, likewise; `expected`, the precision that the probabilities promise.
    """
    ranking = Ranking(y, p)
    shares = np.array(SHARES)

    def precision(weights: np.ndarray) -> np.ndarray:
        return ranking.precision_along(weights, shares)

    def lift(weights: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(precision(weights) / ((weights @ y) / weights.sum(axis=1))[:, None])

    draws = metrics.resample(group, seed, {"precision": precision, "lift": lift}, RESAMPLES)
    once = np.ones((1, len(y)))
    value = {"precision": precision(once)[0], "lift": lift(once)[0]}
    best = np.cumsum(-np.sort(-p))
    points: list[dict[str, object]] = []
    for n, share in enumerate(SHARES):
        rows = max(1, round(share * len(y)))
        held = {name: metrics.interval(float(value[name][n]), draws[name][:, n]) for name in value}
        found = metrics.interval(float(value["lift"][n]) * share, draws["lift"][:, n] * share)
        points.append(
            {
                "share": share,
                "rows": rows,
                **{name: estimate.as_dict() for name, estimate in held.items()},
                "found": found.as_dict(),
                "expected": float(best[rows - 1] / rows),
            }
        )
    return points


def calibration(y: np.ndarray, p: np.ndarray, group: np.ndarray, seed: int = 0) -> Points:
    """Ten bins of equal count: mean `predicted` probability, `observed` rate (`low`, `high`), `n` rows."""
    bins = [part for part in np.array_split(np.argsort(p, kind="stable"), metrics.BINS) if len(part)]
    place = np.empty(len(y), dtype=np.int64)
    for number, part in enumerate(bins):
        place[part] = number

    def rates(number: int) -> metrics.Metric:
        here = place == number
        hits = here * y

        def metric(weights: np.ndarray) -> np.ndarray:
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.asarray((weights @ hits) / (weights @ here.astype(float)))

        return metric

    by_bin = {str(number): rates(number) for number in range(len(bins))}
    draws = metrics.resample(group, seed, by_bin, RESAMPLES)
    points = []
    for number, part in enumerate(bins):
        found = metrics.interval(float(y[part].mean()), draws[str(number)])
        points.append(
            {
                "predicted": float(p[part].mean()),
                "observed": found.value,
                "low": found.low,
                "high": found.high,
                "n": len(part),
            }
        )
    return points


def distribution(y: np.ndarray, p: np.ndarray) -> Points:
    """How the probabilities lie: bins `from` - `to` of equal width up to the largest, rows `with` and `without` the outcome."""
    edges = np.linspace(0, max(float(p.max(initial=0.0)), 1e-9), DISTRIBUTION_BINS + 1)
    hits, _ = np.histogram(p[y == 1], edges)
    misses, _ = np.histogram(p[y == 0], edges)
    return [
        {"from": float(a), "to": float(b), "with": int(h), "without": int(m)}
        for a, b, h, m in zip(edges[:-1], edges[1:], hits, misses, strict=True)
    ]


def by_band(
    y: np.ndarray, p: np.ndarray, group: np.ndarray, band: np.ndarray, names: Sequence[str], seed: int = 0
) -> list[dict[str, object]]:
    """How often the outcome came in each band: `band` (n,) text, `names` in the order to show; bands without rows are left out.

    `band`, `rows`, `with_outcome`, `observed` {value, low, high}, `expected` (mean probability).
    """
    here = {name: band == name for name in names if (band == name).any()}

    def rate(mask: np.ndarray) -> metrics.Metric:
        inside, hits = mask.astype(float), mask * y

        def metric(weights: np.ndarray) -> np.ndarray:
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.asarray((weights @ hits) / (weights @ inside))

        return metric

    draws = metrics.resample(group, seed, {name: rate(mask) for name, mask in here.items()}, RESAMPLES)
    return [
        {
            "band": name,
            "rows": int(mask.sum()),
            "with_outcome": int(y[mask].sum()),
            "observed": metrics.interval(float(y[mask].mean()), draws[name]).as_dict(),
            "expected": float(p[mask].mean()),
        }
        for name, mask in here.items()
    ]


def by_period(
    y: np.ndarray, p: np.ndarray, group: np.ndarray, time: np.ndarray | None, capacity: float, seed: int = 0
) -> list[dict[str, object]]:
    """Stability: one line per observation date, per calendar month when there are many, per sixth when time is an order;
    neighbours are put together until each has `LEAST_OF_EACH` rows with and without the outcome.

    `period` ("2026-06-04", "2026-06-04 to 2026-07-30", "2 of 6"), `rows`, `with_outcome`, `base_rate`, `predicted` (mean
    probability), `auc` {value, low, high} (null with one class), `precision_at_capacity`. Empty without time.
    """
    if time is None:
        return []
    found: list[dict[str, object]] = []
    for name, rows in _enough_of_each(_periods(time), y):
        found.append({"period": name, **_summary(y[rows], p[rows], group[rows], capacity, seed)})
    return found


def _enough_of_each(periods: list[tuple[str, np.ndarray]], y: np.ndarray) -> list[tuple[str, np.ndarray]]:
    found: list[tuple[str, str, np.ndarray]] = []
    for name, rows in periods:
        if found and _fewest(y[found[-1][2]]) < LEAST_OF_EACH:
            first, _, before = found.pop()
            found.append((first, name, np.concatenate([before, rows])))
        elif len(rows):
            found.append((name, name, rows))
    if len(found) > 1 and _fewest(y[found[-1][2]]) < LEAST_OF_EACH:
        (first, _, before), (_, last, rows) = found[-2:]
        found[-2:] = [(first, last, np.concatenate([before, rows]))]
    return [(_from_to(first, last), rows) for first, last, rows in found]


def _fewest(y: np.ndarray) -> int:
    return int(min(y.sum(), len(y) - y.sum()))


def _from_to(first: str, last: str) -> str:
    """
    >>> _from_to("2026-06", "2026-07"), _from_to("2 of 6", "4 of 6"), _from_to("2026-06", "2026-06")
    ('2026-06 to 2026-07', '2 to 4 of 6', '2026-06')
    """
    if first == last:
        return first
    return f"{first.removesuffix(f' of {SLICES}')} to {last}"


def _periods(time: np.ndarray) -> list[tuple[str, np.ndarray]]:
    moments = np.unique(time)
    if moments[0] < EARLIEST_DATE_US:
        ordered = np.argsort(time, kind="stable")
        return [(f"{n + 1} of {SLICES}", part) for n, part in enumerate(np.array_split(ordered, SLICES))]
    days = [from_us(int(m)) for m in moments]
    many = len(moments) > MOST_PERIODS
    names = np.array([f"{day:%Y-%m}" if many else f"{day:%Y-%m-%d}" for day in days])
    own = names[np.searchsorted(moments, time)]
    return [(str(name), np.flatnonzero(own == name)) for name in np.unique(names)]


def by_segment(
    y: np.ndarray,
    p: np.ndarray,
    group: np.ndarray,
    masks: Mapping[str, np.ndarray],
    capacity: float,
    least_rows: int,
    seed: int = 0,
) -> list[dict[str, object]]:
    """Quality of each segment ("region = emea" -> mask of the rows) of at least `least_rows` rows, the largest first.

    `segment`, and as `by_period`; also `calibration_error`, `calibration_curve`, and `selected`, the share of its rows
    among the best `capacity` of all rows.
    """
    chosen = selected(p, capacity)
    found: list[dict[str, object]] = []
    for name, mask in sorted(masks.items(), key=lambda item: (-int(item[1].sum()), item[0])):
        if mask.sum() < max(least_rows, 1):
            continue
        own_y, own_p = y[mask], p[mask]
        found.append(
            {
                "segment": name,
                **_summary(own_y, own_p, group[mask], capacity, seed),
                "calibration_error": metrics.point(Ranking(own_y, own_p).calibration_error, len(own_y)),
                "calibration_curve": calibration(own_y, own_p, group[mask], seed),
                "selected": float(chosen[mask].mean()),
            }
        )
    return found


def _summary(y: np.ndarray, p: np.ndarray, group: np.ndarray, capacity: float, seed: int) -> dict[str, object]:
    ranking = Ranking(y, p)
    both = 0 < y.sum() < len(y)
    auc = None
    if both:
        draws = metrics.resample(group, seed, {"auc": ranking.auc}, RESAMPLES)
        auc = metrics.interval(metrics.point(ranking.auc, len(y)), draws["auc"]).as_dict()
    return {
        "rows": len(y),
        "with_outcome": int(y.sum()),
        "base_rate": float(y.mean()),
        "predicted": float(p.mean()),
        "auc": auc,
        "precision_at_capacity": metrics.point(ranking.precision_at(capacity), len(y)),
    }


def selected(p: np.ndarray, capacity: float) -> np.ndarray:
    """(n,) share, 0 to 1, with which each row is among the best `capacity` of all; ties at the line share what is left."""
    taken = capacity * len(p)
    values, place, counts = np.unique(-p, return_inverse=True, return_counts=True)
    before = np.cumsum(counts) - counts
    share = np.clip((taken - before) / counts, 0.0, 1.0)
    assert len(values) == len(share)
    return np.asarray(share[place.reshape(-1)])
