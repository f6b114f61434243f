"""Finds tables with final states only: a deal that is won in its first version, dated when it was created."""

from __future__ import annotations

from collections.abc import Iterable

from features.readiness.line import Line
from features.sources.casts import quote
from features.sources.schema import TABLES
from features.sources.source import Source
from features.sources.vocabularies import ENDINGS

FEWEST, SHARE = 10, 0.5
"""A table has final states only when at least so many things are over, more than this share of them in their first
version."""


def final_state_lines(source: Source, name: str) -> Iterable[Line]:
    """One line when most things that are over have no version before their end, so that their end has the date of their
    begin."""
    over = ENDINGS.get(name)
    if over is None or not source.has(name, "status"):
        return
    key, listed = quote(TABLES[name].key or ""), ", ".join(f"'{word}'" for word in over)
    things = f"SELECT bool_or(status IN ({listed})) AS over, arg_min(status, (event_us, known_us)) IN ({listed}) AS at_once FROM {quote(name)} GROUP BY {key}"
    ended, at_once = source.query(
        f"SELECT count(*) FILTER (WHERE over), count(*) FILTER (WHERE over AND at_once) FROM ({things})"
    )[0]
    if ended < FEWEST or at_once <= SHARE * ended:
        return
    word = over[0]
    yield Line(
        severity="weakens",
        table=name,
        column="status",
        rows=at_once,
        rule="a thing has a version from before its end, and its end has a date of its own",
        found=f"{at_once:,} of {ended:,} that are {' or '.join(over)} are so in their first version: the table has final states only, and dates them at their beginning",
        needed=f"at most {SHARE:.0%}",
        what_to_do=f"write two SELECTs with UNION ALL: each thing as it began (its creation as event_time, status '{_begun(name)}'), and each that is over "
        f"once more, with the date on which it ended as event_time and status '{word}'",
    )


def _begun(table: str) -> str:
    return {"subscriptions": "active", "orders": "placed"}.get(table, "open")
