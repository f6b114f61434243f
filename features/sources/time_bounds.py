"""Time bounds for reading an event table, written as SQL that lets Parquet skip the rows outside."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """Bounds as int64 microseconds since 1970; None is no bound."""

    since_us: int | None = None
    """Only events from this moment on ..."""
    known_since_us: int | None = None
    """... and older events that became known from this moment on (only together with `since_us`)."""
    until_us: int | None = None
    """Only events before this moment."""
    late: bool = False
    """Only rows that became known after they happened."""


@dataclass(frozen=True)
class Scan:
    """A table that stays in its files: its SELECT, the DuckDB type of its event_time, and whether it has a known_time."""

    select: str
    kind: str
    has_known: bool

    def rows(self, bounds: Bounds) -> str:
        """SQL of the rows within bounds, on the file's own time columns, so that Parquet's statistics skip the others."""
        moment = "make_timestamptz" if "TIME ZONE" in self.kind else "make_timestamp"
        shared = [] if bounds.until_us is None else [f"event_time < {moment}({bounds.until_us})"]
        if bounds.late:
            # The first condition concerns one column only, so that the reader skips whole vectors without a late row.
            shared += ["known_time IS NOT NULL", "known_time > event_time"] if self.has_known else ["false"]
        if bounds.since_us is None:
            return _where(self.select, shared)
        since = f"event_time >= {moment}({bounds.since_us})"
        parts = [_where(self.select, [since, *shared])]
        if bounds.known_since_us is not None and self.has_known:
            known = f"known_time >= {moment}({bounds.known_since_us})"
            parts.append(_where(self.select, [known, f"NOT {since}", *shared]))
        return " UNION ALL ".join(parts)


def rows_of(table: str, bounds: Bounds) -> str:
    """SQL of the rows within bounds of a table in memory; `table` is its quoted name."""
    conditions = [] if bounds.until_us is None else [f"event_us < {bounds.until_us}"]
    if bounds.late:
        conditions.append("known_us > event_us")
    if bounds.since_us is not None:
        recent = f"event_us >= {bounds.since_us}"
        known = "" if bounds.known_since_us is None else f" OR known_us >= {bounds.known_since_us}"
        conditions.append(f"({recent}{known})")
    return _where(f"SELECT * FROM {table}", conditions)


def _where(select: str, conditions: list[str]) -> str:
    return f"{select} WHERE {' AND '.join(conditions)}" if conditions else select
