"""Panels with a knowledge cutoff that is earlier than `as_of`.

A row counts iff `known_time < known_before` and, as always, `known_time < as_of` and `event_time < as_of`. So a change
that was agreed before `known_before` and happened since (a renewal, a planned end) is seen. Such a panel shows what the
passing of time alone changes (`serving.score_change`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from features.signals.signal import Entity
from features.sources.casts import internal, quote, versions
from features.sources.schema import TABLES
from features.sources.source import Source
from features.sources.time_bounds import Bounds

KEY: dict[Entity, str] = {"account": "account_id", "lead": "lead_id"}
_MOMENTS, _COMPANIES = "known_moments", "known_moments_of_companies"


@dataclass(frozen=True)
class KnownBefore:
    """Knowledge cutoff in int64 microseconds: one for all entities, or several for each.

    With cutoffs of its own, an entity is computed once per cutoff, under the id `id@moment`.
    """

    entity: Entity
    moments: int | Mapping[str, Sequence[int]]

    @property
    def is_of_each(self) -> bool:
        """Whether entities have cutoffs of their own."""
        return not isinstance(self.moments, int)

    def register(self, source: Source, companies: str | None) -> None:
        """Registers the cutoffs for the SQL of `rows`, whose results must be read before the next call.

        `companies` is a SELECT of lead_id and account_id: the accounts that may be a lead's company. A lead sees them
        as known before its own cutoff.
        """
        if isinstance(self.moments, int):
            return
        pairs = [(name, us) for name, moments in self.moments.items() for us in sorted(set(moments))]
        source.connection.register(_MOMENTS, _table(pairs))
        if companies is not None:
            found = source.query(
                f"SELECT DISTINCT c.account_id, m.us FROM ({companies}) c JOIN {_MOMENTS} m ON c.lead_id = m.id"
            )
            source.connection.register(_COMPANIES, _table(found))

    def rows(self, source: Source, table: str, bounds: Bounds | None, owner: str) -> str:
        """SQL of a table's rows, with the columns of the table; `owner` is the column that names whose rows they are.

        With cutoffs per entity these are the rows of those entities only, once per cutoff; a lead's account gets the
        moment in its id as well.
        """
        definition = TABLES[table]
        whole = quote(table) if bounds is None else f"({source.recent(table, bounds)})"
        state = definition.kind == "state" and definition.key is not None
        if isinstance(self.moments, int):
            if not state:
                return f"(SELECT * FROM {whole} WHERE known_us < {self.moments})"
            return _states(source, table, self.moments)
        linked = self.entity == "lead" and owner == "account_id"
        moments = _COMPANIES if linked else _MOMENTS
        names = [n for n in dict.fromkeys((owner, "account_id")) if definition.column(n)]
        named = ", ".join(f"r.{quote(n)} || '@' || m.us AS {quote(n)}" for n in names)
        joined = f"JOIN {moments} m ON r.{quote(owner)} = m.id"
        if not state:
            return f"(SELECT r.* REPLACE ({named}) FROM {whole} r {joined} AND r.known_us < m.us)"
        key, columns = quote(definition.key or ""), ", ".join(_columns(source, table))
        # All versions of a thing that is or was theirs: when it went to another owner, their version ended.
        versioned = f"""
            SELECT base.*, hash(base) AS tie_hash, asked.us AS known_before_us
            FROM (SELECT {columns} FROM {whole}) base JOIN (
                SELECT DISTINCT t.{key} AS asked_key, m.us FROM {whole} t JOIN {moments} m ON t.{quote(owner)} = m.id
            ) asked ON base.{key} = asked.asked_key AND base.known_us < asked.us"""
        placed = versions(versioned, f"{key}, known_before_us", "tie_hash")
        return (
            f"(SELECT r.* EXCLUDE (tie_hash, known_before_us) REPLACE ({named}) FROM ({placed}) r "
            f"{joined} AND r.known_before_us = m.us)"
        )


def touched(source: Source, entity: Entity, known_from_us: int, as_of_us: int) -> list[str]:
    """Sorted ids of entities whose panel at `as_of` may differ from the one with the cutoff `known_from_us`: a row
    about them, about a thing that was theirs, or about a lead's company became known since."""
    own, companies = KEY[entity], []
    found: set[str] = set()
    for table in source.tables:
        definition = TABLES[table]
        names = [c.name for c in definition.columns]
        if definition.kind not in ("event", "state"):
            continue
        new = f"known_us >= {known_from_us} AND visible_us < {as_of_us}"
        owners = [name for name in (own, "account_id") if name in names]
        if definition.kind == "event":
            bounds = Bounds(known_from_us, known_from_us, as_of_us)
            rows = f"({source.recent(table, bounds)}) t WHERE {new}"
        else:
            key = quote(definition.key or "")
            rows = f"{quote(table)} t WHERE {key} IN (SELECT {key} FROM {quote(table)} WHERE {new})"
        for owner in dict.fromkeys(owners):
            if owner == own:
                found |= {row[0] for row in source.query(f"SELECT DISTINCT {quote(owner)} FROM {rows}")}
            elif definition.kind == "state":
                companies.append(f"SELECT account_id FROM {rows}")
    if companies and entity == "lead":
        found |= {
            row[0]
            for row in source.query(
                f"SELECT DISTINCT lead_id FROM leads WHERE account_id IN ({' UNION '.join(companies)})"
            )
        }
    return sorted(each for each in found if each is not None)


def _states(source: Source, table: str, moment: int) -> str:
    """Version rows known before a moment, with intervals that ignore later rows. Only keys with a later row are
    recomputed."""
    key, columns = quote(TABLES[table].key or ""), ", ".join(_columns(source, table))
    later = f"SELECT {key} FROM {quote(table)} WHERE known_us >= {moment}"
    known = f"SELECT {columns} FROM {quote(table)} WHERE known_us < {moment} AND {key} IN ({later})"
    return (
        f"(SELECT {columns}, from_us, until_us, created_us FROM {quote(table)} WHERE {key} NOT IN ({later}) "
        f"UNION ALL SELECT {columns}, from_us, until_us, created_us FROM ({versions(known, key)}))"
    )


def _columns(source: Source, table: str) -> list[str]:
    """A state table's columns without derived intervals, in the order that breaks ties."""
    definition = TABLES[table]
    held = [c for c in definition.columns if not c.only_given or source.has(table, c.name)]
    names = [internal(c.name) if c.type == "time" else quote(c.name) for c in held]
    return [*names, "known_us", "visible_us", *map(quote, source.custom[table])]


def _table(rows: Sequence[tuple[str, int]]) -> pa.Table:
    return pa.table(
        {"id": pa.array([r[0] for r in rows], pa.string()), "us": pa.array([r[1] for r in rows], pa.int64())}
    )
