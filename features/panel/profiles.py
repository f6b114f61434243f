"""What people call an entity by, as of a moment: its name, owner, parent, yearly revenue, renewal and plan.

It is computed like a panel, from the same versions and the same measures, so that the revenue, renewal and plan that people read
are those that the signals have. No column is personal data of a contact: of a lead's mail address only a company's domain is read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc

from features.kit.clock import to_us
from features.panel.build import Frame, columns_of, versions_of
from features.panel.engines import Engine, make_engine
from features.panel.point_in_time import state_frames
from features.panel.visibility import KEY
from features.panel.week_grid import KEYS, lattices
from features.signals import commercial
from features.signals.aggregations import State, Value, base_column, chosen, where
from features.signals.definition import money
from features.signals.firmographic import FREE_MAIL, mail_domain
from features.signals.signal import Entity
from features.sources.schema import ENTITIES
from features.sources.source import Source

COLUMNS: dict[str, pa.DataType] = {
    "name": pa.string(),
    "domain": pa.string(),
    "owner": pa.string(),
    "parent_id": pa.string(),
    "target_tier": pa.string(),
    "arr": pa.float64(),
    "renewal_us": pa.int64(),
    "plan": pa.string(),
    "acted_us": pa.int64(),
}
"""Columns of a profile after `entity_id`; null is unknown. `parent_id` of a lead is its account. `arr` is in currency units, `renewal_us` and `acted_us` are in microseconds
since 1970. `acted_us`: when the source says that somebody last acted upon it; what notes tell is not in it."""
_KNOWN = "is_known"


def _fact(entity: Entity, name: str, column: str, value: Value | None = None) -> State:
    read = value or (lambda: nw.col(column))
    return State(f"profile_{name}", ENTITIES[entity], (column,), value=read, how="max")


def _company_domain() -> nw.Expr:
    domain = mail_domain(nw.col("email"))
    return chosen(where(domain.is_in(FREE_MAIL)) == 0, domain)


def _parent() -> nw.Expr:
    parent = nw.col("parent_id")
    return chosen(where(parent == nw.col("account_id")) == 0, parent)


MEASURES: dict[Entity, dict[str, State]] = {
    "account": {
        "name": _fact("account", "name", "name"),
        "domain": _fact("account", "domain", "domain"),
        "owner": _fact("account", "owner", "owner"),
        "parent_id": _fact("account", "parent_id", "parent_id", _parent),
        "target_tier": _fact("account", "target_tier", "target_tier"),
        "arr": commercial.mrr,
        "renewal_us": commercial.renewal,
        "plan": commercial.plan,
    },
    "lead": {
        "name": _fact("lead", "name", "company"),
        "domain": _fact("lead", "domain", "email", _company_domain),
        "owner": _fact("lead", "owner", "owner"),
        "parent_id": _fact("lead", "parent_id", "account_id"),
    },
}
"""What each column is read from; columns that are not listed are unknown for that kind of entity."""


def profile_parts(
    source: Source, entity: Entity, as_of: dt.datetime, rows: int, ids: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Profiles of every entity that was known before `as_of`, `rows` at a time, sorted by id: `entity_id` and `COLUMNS`. These are
    the entities of a panel at that moment. `ids` limits them.
    """
    running = make_engine("duckdb", source)
    try:
        for part in running.parts(_profiles(running, source, entity, to_us(as_of), ids), "entity_id", rows):
            columns = {n: pc.cast(part[n], t) if n in part.column_names else None for n, t in COLUMNS.items()}
            filled = {n: pa.nulls(part.num_rows, COLUMNS[n]) if c is None else c for n, c in columns.items()}
            yield pa.table({"entity_id": pc.cast(part["entity_id"], pa.string()), **filled})
    finally:
        running.close()


def _profiles(engine: Engine, source: Source, entity: Entity, as_of_us: int, ids: Sequence[str] | None) -> Frame:
    own, key, lattice = ENTITIES[entity], KEY[entity], lattices([as_of_us])[0]
    measures = {name: each for name, each in MEASURES[entity].items() if each.offered(source.has)}
    # Every entity has this one, so that there is a row of those about whom nothing else is recorded.
    known = State(_KNOWN, own)
    frames = []
    for table in (own, *sorted({each.table for each in measures.values()} - {own})):
        asked = [(each, 0) for each in (known, *measures.values()) if each.table == table]
        of = (key, ids) if ids is not None else None
        versions = versions_of(engine, table, columns_of(source, table, custom=False), key, of, None, lattice, asked)
        frames.append(engine.keep(state_frames(engine, versions, asked, lattice.as_ofs, apart=table == own)[0]))
    found = {name: nw.col(base_column(each)) for name, each in measures.items()}
    if source.has("actions", key):
        frames.append(_acted(engine, source, key, as_of_us, ids))
        found["acted_us"] = nw.col("acted_us")
    wide = engine.beside(frames[0], frames[1:], KEYS)
    if "arr" in found:
        found["arr"] = money(12 * found["arr"].fill_null(0))
    return wide.select("entity_id", **found)


def _acted(engine: Engine, source: Source, key: str, as_of_us: int, ids: Sequence[str] | None) -> Frame:
    """When each entity was last acted upon, of what the source itself records: notes may be withdrawn, and the store has them."""
    told = ["_is_note"] if source.told_actions else []
    rows = engine.table("actions", [key, "event_us", "visible_us", *told], (key, ids) if ids is not None else None)
    rows = rows.filter((nw.col("visible_us") < as_of_us) & ~nw.col(key).is_null())
    if told:
        rows = rows.filter(nw.col("_is_note") == nw.lit(False))  # a literal of a column
    own = rows.select(entity_id=nw.col(key), as_of_us=nw.lit(as_of_us, nw.Int64), acted_us=nw.col("event_us"))
    return engine.keep(engine.roll_up(own, KEYS, {"acted_us": "max"}))
