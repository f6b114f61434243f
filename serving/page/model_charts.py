"""What the page about a model draws and writes of a card: curves, and measures with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from models.card import CardBand, CardMeasure, CardSegment, ModelCard
from models.monitor_card import MonitorBand
from serving.page import charts
from serving.page.charts import Point, Table
from serving.page.formats import MISSING, number, percent

ENDS = (0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
"""Where the axes of a curve may end."""


def calibration(card: ModelCard) -> Markup:
    """Promised against observed share in ten groups, with 95 % intervals; empty without such groups."""
    points, rows = [], []
    for group in card.calibration:
        if group.predicted is None or group.observed is None:
            continue
        points.append(Point(group.predicted, group.observed, group.low, group.high))
        rows.append((number(group.n), percent(group.predicted), percent(group.observed), _ends(group.low, group.high)))
    table = Table(("Rows", "Promised", "Came true", "95 % interval"), rows)
    label = "Promised and observed share in ten groups of equal size. On the dashed line a promise is kept exactly."
    largest = end_of([value for p in points for value in (p.x, p.y, p.high or 0.0)])
    return charts.curve(label, points, table, "promised", "came true", label, largest, joined=False)


def gains(card: ModelCard) -> Markup:
    """Share of all outcomes found by working a share of the list, with the capacity marked; empty without such figures."""
    points, rows = [Point(0.0, 0.0)], []
    for row in card.by_capacity:
        if row.found.value is None:
            continue
        points.append(Point(row.share, row.found.value, row.found.low, row.found.high))
        rows.append(
            (percent(row.share), number(row.rows), share(row.found), share(row.precision), measure(row.lift, 1))
        )
    if not rows:
        return Markup("")
    points.append(Point(1.0, 1.0))
    table = Table(("Of the list", "Rows", "Finds", "Of them with the outcome", "Times a draw"), rows)
    label = "How much of all that happened lies in the first part of the list. The dashed line is a draw by lot."
    mark = None if card.capacity_share is None else (card.capacity_share, f"capacity {percent(card.capacity_share)}")
    return charts.curve(label, points, table, "worked, from the top of the list", "found", label, across_at=mark)


def end_of(values: Sequence[float]) -> float:
    """The end of an axis that holds all values.

    >>> end_of([0.01, 0.34]), end_of([]), end_of([0.97])
    (0.4, 0.05, 1.0)
    """
    largest = max(values, default=0.0)
    return next((end for end in ENDS if largest <= end), 1.0)


def band_picture(band: CardBand, end: float) -> Markup:
    """Observed share of a band with its interval, on an axis of 0 to `end`, and what was promised."""
    found = band.observed
    if found.value is None:
        return Markup("")
    said = f"{share(found)} came true, {percent(band.expected)} was promised"
    return charts.interval(found.value, found.low, found.high, band.expected, end, said)


def auc_picture(segment: CardSegment, overall: float | None) -> Markup:
    """The AUC of a segment with its interval, on an axis of 0.5 to 1, and that of all."""
    found = segment.auc
    if found is None or found.value is None:
        return Markup("")
    low, high, of_all = (None if v is None else v - 0.5 for v in (found.low, found.high, overall))
    said = f"{measure(found)}, against {measure(CardMeasure(value=overall))} of all"
    return charts.interval(found.value - 0.5, low, high, of_all, 0.5, said)


def end_of_bands(bands: Sequence[CardBand]) -> float:
    """The end of the axis of `band_picture`."""
    return end_of([v for b in bands for v in (b.observed.value, b.observed.high, b.expected) if v is not None])


def ripe_picture(band: MonitorBand, end: float) -> Markup:
    """What came of a band as a share of its rows, beside what chance explains around the expected share."""
    if band.observed is None or not band.rows or _expected(band).value is None:
        return Markup("")
    low, high, middle = (None if v is None else v / band.rows for v in _numbers(_expected(band)))
    said = f"{band.observed} came, {counted(band.expected)} were expected"
    return charts.interval(band.observed / band.rows, low, high, middle, end, said)


def end_of_ripe(bands: Sequence[MonitorBand]) -> float:
    """The end of the axis of `ripe_picture`."""
    found = [(v, b.rows) for b in bands if b.rows for v in (b.observed, *_numbers(_expected(b)))]
    return end_of([v / rows for v, rows in found if v is not None])


def _expected(band: MonitorBand) -> CardMeasure:
    return band.expected if isinstance(band.expected, CardMeasure) else CardMeasure(value=band.expected)


def _numbers(found: CardMeasure) -> tuple[float | None, float | None, float | None]:
    return found.low, found.high, found.value


def measure(found: CardMeasure | None, digits: int = 3, *, ends: bool = True) -> str:
    """A figure, with its 95 % interval unless `ends` is false.

    >>> measure(CardMeasure(value=0.8481, low=0.823, high=0.872)), measure(CardMeasure(value=4.6), 1), measure(None)
    ('0.848 (0.823 to 0.872)', '4.6', '–')
    """
    if found is None or found.value is None:
        return MISSING
    said, around = f"{found.value:.{digits}f}", between(found, digits)
    return f"{said} ({around})" if ends and around else said


def between(found: CardMeasure, digits: int = 3) -> str:
    """The 95 % interval alone; empty where there is none.

    >>> between(CardMeasure(value=4.6, low=4.12, high=5.2), 1), between(CardMeasure())
    ('4.1 to 5.2', '')
    """
    if found.low is None or found.high is None:
        return ""
    return f"{found.low:.{digits}f} to {found.high:.{digits}f}"


def counted(found: CardMeasure | float | None) -> str:
    """Expected outcomes, with their interval where they have one.

    >>> counted(CardMeasure(value=154.9, low=124.0, high=190.0)), counted(269.6), counted(None)
    ('155 (124 to 190)', '270', '–')
    """
    return measure(found if isinstance(found, CardMeasure) else CardMeasure(value=found), 0)


def difference(found: CardMeasure | None) -> str:
    """A difference with its sign and its interval.

    >>> difference(CardMeasure(value=0.119, low=-0.01, high=0.162))
    '+0.119 (−0.010 to +0.162)'
    """
    if found is None or found.value is None:
        return MISSING
    told = [f"{value:+.3f}".replace("-", "−") for value in (found.value, found.low, found.high) if value is not None]
    return f"{told[0]} ({told[1]} to {told[2]})" if len(told) == 3 else told[0]


def share(found: CardMeasure | None) -> str:
    """A share with its interval.

    >>> share(CardMeasure(value=0.42, low=0.36, high=0.49)), share(CardMeasure(value=0.053, low=0.0, high=0.12))
    ('42 % (36 to 49 %)', '5.3 % (0 to 12 %)')
    """
    if found is None or found.value is None:
        return MISSING
    ends = _ends(found.low, found.high)
    return percent(found.value) if ends == MISSING else f"{percent(found.value)} ({ends})"


def _ends(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return MISSING
    return f"{percent(low).removesuffix(' %')} to {percent(high)}"
