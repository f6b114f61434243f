"""Finds rows whose account or lead is not in the source: no signal sees them. Often the same id is written
differently."""

from __future__ import annotations

from collections.abc import Iterable

from features.readiness.line import Line
from features.sources.casts import quote
from features.sources.schema import ENTITIES, TABLES
from features.sources.source import Source

ORPHAN_SHARE = 0.05
WRITINGS = (
    ("they end in '.0', as ids do that were numbers with decimals", "regexp_replace({}, '\\.0+$', '')"),
    ("they have spaces around them", "trim({})"),
    ("they differ in upper and lower case", "lower({})"),
    ("they differ in leading zeros", "ltrim({}, '0')"),
    ("they are written with an exponent", "CAST(CAST(CAST({} AS DOUBLE) AS BIGINT) AS VARCHAR)"),
)
"""Ways in which one id is written differently, and the SQL that makes both sides alike."""


def owner_lines(source: Source, name: str) -> Iterable[Line]:
    """One line per entity table that lacks ids of this table; when ids written alike are found, the line says how to
    write them."""
    definition, rows = TABLES[name], source.rows(name)
    for holder in ENTITIES.values():
        key = TABLES[holder].key or ""
        if name == holder or not source.has(holder) or not source.has(name, key):
            continue
        named, held = (
            f"SELECT {key} AS id FROM {quote(name)} WHERE {key} IS NOT NULL",
            f"SELECT {key} AS id FROM {quote(holder)}",
        )
        lost = source.query(f"SELECT count(*) FROM ({named}) WHERE id NOT IN ({held})")[0][0]
        if not lost:
            continue
        some = source.query(f"SELECT min(id) FROM ({named}) WHERE id NOT IN ({held})")[0][0]
        found, step = (
            f"{lost / rows:.1%} of the rows name none, such as {some!r}",
            f"deliver these {holder}, or the same ids in both tables",
        )
        for why, writing in WRITINGS:
            same = "TRY(" + writing.format("id") + ")"
            missing = source.query(
                f"SELECT count(*) FROM ({named}) WHERE coalesce({same}, id) NOT IN (SELECT coalesce({same}, id) FROM ({held}))"
            )[0][0]
            if missing <= lost / 2:
                found += f"; {lost - missing:,} of them do when ids are written alike: {why}"
                replaced = f"SELECT * REPLACE ({writing.format(f'CAST({key} AS VARCHAR)')} AS {key}) FROM (THIS SELECT)"
                step = f"write in {definition.name} and in {holder}: {replaced}"
                break
        yield Line(
            severity="weakens" if lost > ORPHAN_SHARE * rows else "info",
            table=name,
            column=key,
            rows=lost,
            rule=f"it names a row of {holder}",
            found=found,
            needed=f"at most {ORPHAN_SHARE:.0%}",
            what_to_do=step,
        )
