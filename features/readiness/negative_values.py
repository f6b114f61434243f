"""Finds negative numbers in columns that cannot be negative: a credit is not recurring revenue."""

from __future__ import annotations

from collections.abc import Iterable

from features.readiness.line import Line
from features.sources.casts import quote
from features.sources.schema import TABLES
from features.sources.source import Source

AMOUNTS = {
    ("subscriptions", "mrr"): (
        "a credit is not recurring revenue; such a version is read as paying what the one before it paid",
        "leave credits out: SELECT * FROM (THIS SELECT) WHERE mrr >= 0; they belong to invoices",
    ),
    ("invoices", "amount"): (
        "a bill is 0 or more; a credit note takes from what is owed",
        "leave credit notes out: SELECT * FROM (THIS SELECT) WHERE amount >= 0, and set the bill that one cancels to void",
    ),
    ("orders", "amount"): (
        "an order is 0 or more; a return is a version of the order with the status returned",
        "leave the negative rows out: SELECT * FROM (THIS SELECT) WHERE amount >= 0, and write each return as a version of its order, with its date and "
        "the status returned",
    ),
    ("costs", "amount"): (
        "a cost is 0 or more",
        "turn the sign when all are below 0: SELECT * REPLACE (abs(amount) AS amount) FROM (THIS SELECT); add a refund to the cost of its month",
    ),
}
"""Rule and next step per column; other columns get the general rule."""
SIZES = {
    "accounts": ("employees", "annual_revenue"),
    "leads": ("employees", "annual_revenue"),
    "opportunities": ("amount",),
    "subscriptions": ("seats", "term_months"),
    "usage": ("quantity",),
    "orders": ("quantity",),
    "tickets": ("first_response_minutes",),
}
"""Per table the other columns that cannot be below 0."""


def negative_lines(source: Source, name: str) -> Iterable[Line]:
    """A line per column with values below 0 that it cannot have, as the source delivers them."""
    asked = [column for table, column in AMOUNTS if table == name] + list(SIZES.get(name, ()))
    held = [column for column in asked if source.has(name, column)]
    if not held:
        return
    raw = quote(f"raw_{name}")
    counts = ", ".join(f"count(*) FILTER (WHERE {quote(c)} < 0), min({quote(c)})" for c in held)
    found = source.query(f"SELECT {counts} FROM {raw}")[0]
    for place, column in enumerate(held):
        rows, least = found[2 * place : 2 * place + 2]
        if not rows:
            continue
        plain = (
            f"{column} is 0 or more",
            f"correct them, or make them unknown: SELECT * REPLACE (CASE WHEN {column} >= 0 THEN {column} END AS {column}) FROM (THIS SELECT)",
        )
        rule, step = AMOUNTS.get((name, column), plain)
        key = TABLES[name].key
        some = (
            source.query(f"SELECT {quote(key)} FROM {raw} WHERE {quote(column)} < 0 ORDER BY 1 LIMIT 1")[0][0]
            if key
            else None
        )
        named = "" if some is None else f" ({key} {str(some)!r})"
        yield Line(
            severity="weakens",
            table=name,
            column=column,
            rows=rows,
            rule=rule,
            found=f"{rows:,} rows below 0, the lowest {least:,}{named}",
            needed="0 or more",
            what_to_do=step,
        )
