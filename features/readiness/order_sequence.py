"""Finds orders that were shipped, cancelled or returned before they were placed: their dates are wrong, or their words are."""

from __future__ import annotations

from collections.abc import Iterable

from features.kit.clock import DAY_US
from features.readiness.line import Line
from features.sources.source import Source
from features.sources.vocabularies import words_of

EXAMPLES = 3


def sequence_lines(source: Source, name: str) -> Iterable[Line]:
    """One line per status that orders have before their first version with the status placed."""
    if name != "orders":
        return
    later = ", ".join(f"'{word}'" for word in words_of("orders", "status") if word != "placed")
    placed = "min(event_us) FILTER (WHERE status = 'placed') OVER (PARTITION BY order_id) AS placed_us"
    found = source.query(
        f"SELECT status, count(*), min(order_id, {EXAMPLES}), max(placed_us - event_us) FROM (SELECT *, {placed} FROM orders) "
        f"WHERE status IN ({later}) AND event_us < placed_us GROUP BY status ORDER BY status"
    )
    for status, rows, examples, most_us in found:
        step = f"correct event_time in the SELECT: the day on which the order was {status}, not that of its record"
        if most_us < DAY_US:
            step += "; all are less than a day apart, as when one of the two has a time of day or another zone than the other"
        yield Line(
            severity="weakens",
            table="orders",
            column="event_time",
            rows=rows,
            rule=f"an order is placed before it is {status}",
            found=f"{rows:,} rows are {status} before the order was placed (order_id {', '.join(map(repr, examples))})",
            needed="none",
            what_to_do=step,
        )
