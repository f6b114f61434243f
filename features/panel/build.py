"""The panel: one row per (entity, as_of), one column per signal."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial, reduce
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.kit import atomic_files
from features.kit.clock import WEEK_US, to_us
from features.kit.errors import UserMistake
from features.kit.writable import require_place
from features.outcomes.outcome import Outcome
from features.panel import placement
from features.panel.distinct_windows import has_members
from features.panel.engines import Engine, make_engine
from features.panel.event_windows import LIFETIME, window_frames
from features.panel.incremental import Carried
from features.panel.lead_company import companies_of, customers, possible_companies, want_company
from features.panel.outcome_columns import asked_outcomes, described_outcomes, eligibility_columns
from features.panel.point_in_time import moments_of, state_frames
from features.panel.told_outcomes import told_before
from features.panel.visibility import KEY, KnownBefore
from features.panel.week_grid import KEYS, Lattice, Memory, lattices
from features.signals.aggregations import (
    DEPTH_WEEKS,
    Earliest,
    Latest,
    LongestSilence,
    State,
    Wanted,
    base_column,
    state_column,
    weighted_column,
    window_column,
)
from features.signals.catalog import definitions
from features.signals.custom import LeftOut, custom_definitions
from features.signals.definition import Definition
from features.signals.signal import FIXED, Entity, Signal, is_signal_column
from features.sources.fingerprint import contents_of
from features.sources.schema import ENTITIES, TABLES
from features.sources.source import Source
from features.sources.time_bounds import Bounds

Frame = nw.LazyFrame[Any]

DAY = dt.timedelta(days=1)
GRID_DAYS = 28


def grid(first: dt.datetime, last: dt.datetime, step_days: int = GRID_DAYS) -> list[dt.datetime]:
    """The `as_of` in [first, last] at 00:00 UTC whose days since 1970-01-01 are a multiple of `step_days`.

    >>> [d.date().isoformat() for d in grid(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 3, 1, tzinfo=dt.UTC))]
    ['2026-01-15', '2026-02-12']
    """
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    start = -(-(first - epoch) // (step_days * DAY))
    return [epoch + n * step_days * DAY for n in range(start, (last - epoch) // (step_days * DAY) + 1)]


def offered(source: Source, entity: Entity) -> tuple[list[Definition], list[LeftOut]]:
    """The definitions that the source's tables and columns allow, custom ones last, and the columns left out."""
    if not source.has(ENTITIES[entity]):
        source.require([ENTITIES[entity]])
        raise UserMistake(
            f"source {source.name!r} has no table {ENTITIES[entity]!r}, which holds the entity {entity!r}; it has {', '.join(source.tables)}"
        )
    known = [d for d in definitions(entity) if d.offered(source.has)]
    custom, left_out = custom_definitions(source, entity, {d.signal.name for d in known} | set(FIXED))
    return [*known, *custom], left_out


def signals_of(source: Source, entity: Entity) -> list[Signal]:
    """The signals that a panel of this source has, in the order of its columns."""
    return [d.signal for d in offered(source, entity)[0]]


def build_panel(
    source: Source,
    entity: Entity,
    as_ofs: Sequence[dt.datetime],
    engine: str = "duckdb",
    ids: Sequence[str] | None = None,
    only: Sequence[str] | None = None,
    carried: Path | None = None,
    known_before: dt.datetime | Mapping[str, Sequence[dt.datetime]] | None = None,
    outcomes: Sequence[Outcome] = (),
) -> pa.Table:
    """Signals of every entity that was known before each `as_of`.

    Columns: entity_id (text), as_of (timestamp[us, UTC]), eligibility (text: `eligible`, or why there is no score),
    value (float64, currency units: yearly recurring revenue of an account, open deals of a lead, null when unknown), then one
    column per signal: float64, or text for a category; null is missing. Rows sorted by (as_of, entity_id). The schema's
    metadata has the descriptions of the signals under `signals`.

    `outcomes` are those whose eligibility is reported, all of this entity; by default the entity's usual one.
    `eligibility` and `value` belong to the first. Each further outcome adds one column after `eligibility`; read it
    with `features.panel.outcome_columns.eligibility_of(panel, outcome)`:

        panel = build_panel(source, "account", [as_of], outcomes=[m.outcome for m in models])
        eligible = pc.equal(eligibility_of(panel, models[1].outcome), ELIGIBLE)

    `ids` limits the entities, `only` the signals. `carried` is a folder for the state between nightly runs of one
    `as_of` each (`features.panel.incremental`): the next run reads only the last window and new rows.

    `known_before` excludes rows that became known at or after a moment. One moment applies to all entities; `carried`
    is then read and not updated. A mapping gives each wanted entity its own moments: the panel has one row per entity
    and moment, and a column `known_before` (timestamp[us, UTC]) after as_of. Raises `UserMistake` without `as_ofs` or for unknown signals.
    """
    if not as_ofs:
        raise UserMistake("no as_of given: a panel needs at least one date")
    asked = asked_outcomes(entity, outcomes)
    chosen, _ = offered(source, entity)
    if only is not None:
        unknown = sorted(set(only) - {d.signal.name for d in chosen})
        if unknown:
            raise UserMistake(
                f"source {source.name!r} offers no signal {', '.join(unknown)}; see: python -m features catalog"
            )
        chosen = [d for d in chosen if d.signal.name in set(only)]
    known = _known(entity, known_before)
    own_moments = known is not None and isinstance(known.moments, Mapping)
    if known is not None and isinstance(known.moments, Mapping):
        if ids is not None or carried is not None:
            raise UserMistake("moments of entities say which entities are wanted: give neither ids nor a carried state")
        ids = sorted(known.moments)
    if carried is not None and (len(as_ofs) != 1 or (known is None and ids is not None) or only is not None):
        raise UserMistake("a carried state is for all entities and signals at one as_of")
    running = make_engine(engine, source)
    try:
        parts = [
            _typed(
                running.arrow(_panel(running, source, entity, asked, chosen, lattice, ids, carried, known)),
                asked,
                chosen,
            )
            for lattice in lattices([to_us(a) for a in as_ofs])
        ]
    finally:
        running.close()
    table = pa.concat_tables(parts)
    if own_moments:
        table = _by_moment(table)
    by = ["as_of", "entity_id", *(["known_before"] if own_moments else [])]
    table = table.sort_by([(name, "ascending") for name in by])
    return table.replace_schema_metadata(_described(asked, chosen))


def _known(entity: Entity, before: dt.datetime | Mapping[str, Sequence[dt.datetime]] | None) -> KnownBefore | None:
    if before is None:
        return None
    if isinstance(before, dt.datetime):
        return KnownBefore(entity, to_us(before))
    return KnownBefore(entity, {name: [to_us(each) for each in moments] for name, moments in before.items()})


def _by_moment(table: pa.Table) -> pa.Table:
    """Splits `id@moment` into the id and a column `known_before` after `as_of`."""
    parts = pc.split_pattern(table["entity_id"], "@", max_splits=1, reverse=True)
    moments = pc.cast(pc.cast(pc.list_element(parts, 1), pa.int64()), pa.timestamp("us", "UTC"))
    table = table.set_column(0, "entity_id", pc.list_element(parts, 0))
    return table.add_column(2, "known_before", moments)


def panel_parts(
    source: Source,
    entity: Entity,
    as_of: dt.datetime,
    rows: int,
    engine: str = "duckdb",
    carried: Path | None = None,
    known_before: dt.datetime | None = None,
    ids: Sequence[str] | None = None,
    outcomes: Sequence[Outcome] = (),
) -> Iterator[pa.Table]:
    """The panel of one `as_of` in parts of `rows` entities, the last one smaller, for panels larger than memory.

    DuckDB sorts out of core and yields one part at a time; the other engines build the whole panel first.
    """
    asked, (chosen, _) = asked_outcomes(entity, outcomes), offered(source, entity)
    running, known = make_engine(engine, source), _known(entity, known_before)
    try:
        frame = _panel(running, source, entity, asked, chosen, lattices([to_us(as_of)])[0], ids, carried, known)
        for part in running.parts(frame, "entity_id", rows):
            yield _typed(part, asked, chosen).replace_schema_metadata(_described(asked, chosen))
    finally:
        running.close()


def signal_columns(panel: pa.Table) -> list[str]:
    """The columns of a panel that are signals."""
    return [name for name in panel.column_names if is_signal_column(name)]


def _described(outcomes: tuple[Outcome, ...], chosen: Sequence[Definition]) -> dict[str, str]:
    return {"signals": json.dumps([asdict(d.signal) for d in chosen]), **described_outcomes(outcomes)}


def write_panel(panel: pa.Table, out: Path) -> None:
    """Write a panel as Parquet, whole or not at all."""
    require_place(out)
    with atomic_files.writing(out) as beside:
        pq.write_table(panel, beside)


def _population(source: Source, outcomes: Sequence[Outcome]) -> tuple[Wanted, list[nw.Expr]]:
    """The columns `eligibility` (of each outcome) and `value`, and the measures that they need."""
    get = Wanted()
    columns = [
        each.eligibility(get, source).alias(name)
        for each, name in zip(outcomes, eligibility_columns(outcomes), strict=True)
    ]
    if outcomes[0].entity == "lead":
        want_company(get)
    value = outcomes[0].stake.value(get, source)
    return get, [*columns, (nw.lit(None, nw.Float64) if value is None else value).alias("value")]


def _panel(
    engine: Engine,
    source: Source,
    entity: Entity,
    outcomes: Sequence[Outcome],
    chosen: list[Definition],
    lattice: Lattice,
    ids: Sequence[str] | None,
    folder: Path | None,
    known: KnownBefore | None = None,
) -> Frame:
    wanted, fixed = _population(source, outcomes)
    formulas = [d.formula(wanted).alias(d.signal.name) for d in chosen]
    own = ENTITIES[entity]
    tables = sorted({m.table for m in wanted.measures})
    key = KEY[entity]
    spine: Frame | None = None
    frames: list[Frame] = []
    companies: list[Frame] = []
    if folder:
        contents_of(source).keep_in(folder / "contents.json")
    state = _carried(folder / entity, source, lattice.as_ofs[0], known) if folder else None
    if known is not None:
        known.register(source, possible_companies(source) if entity == "lead" else None)
    memory = Memory(partial(state.read, engine), {}) if state else None
    events = [t for t in tables if TABLES[t].kind == "event"]
    for name in [own, *[t for t in tables if t != own]]:
        columns = columns_of(source, name, custom=name == own)
        direct = [
            (m, ago)
            for m, agos in wanted.states.items()
            if m.table == name and not m.via_account
            for ago in sorted(agos)
        ]
        linked = [
            (m, ago) for m, agos in wanted.states.items() if m.table == name and m.via_account for ago in sorted(agos)
        ]
        of = (key, ids) if ids is not None else None
        if direct or name == own:
            # An entity exists from its first row on: over its own table a sum of no rows is null, not 0.
            rows = versions_of(engine, name, columns, key, of, known, lattice, direct)
            found = state_frames(engine, rows, direct, lattice.as_ofs, apart=name == own)
            if name == own:
                spine, found = engine.keep(found[0]), found[1:]
            frames += [engine.keep(f) for f in found]
        if linked:
            near = ("account_id", companies_of(source, ids)) if ids is not None else None
            rows = versions_of(engine, name, columns, "account_id", near, known, lattice, linked)
            companies += [engine.keep(f) for f in state_frames(engine, rows, linked, lattice.as_ofs)]
        if any(m.table == name for m in (*wanted.windows, *wanted.weighted)):
            bounds = _bounds(wanted, name, lattice, state)
            edge = partial(placement.events, owner=key, anchor=lattice.anchor, until_us=lattice.as_ofs[-1])
            rows = engine.table(name, columns, of, bounds, known, edge)
            late = None
            if has_members(name, wanted):
                only_late = None if bounds is None else replace(bounds, late=True)
                late = engine.table(name, columns, of, only_late, known, partial(edge, late=True))
            own_memory = memory if name in events else None
            frames += [engine.keep(f) for f in window_frames(engine, rows, late, name, wanted, lattice, own_memory)]
    assert spine is not None
    if entity == "lead":
        frames.append(engine.keep(customers(engine, source, spine, ids, known)))
    if source.told_outcomes:
        frames.append(engine.keep(told_before(engine, source, entity, spine, ids, known)))
    wide = engine.beside(spine, frames, KEYS)
    if companies:
        account = base_column(State("account", own))
        wide = reduce(
            lambda left, right: left.join(
                right.with_columns(**{account: nw.col("entity_id")}).drop("entity_id"),
                on=[account, "as_of_us"],
                how="left",
            ),
            companies,
            wide,
        )
    wide = _fill(wide, wanted, own)
    if state and memory and known is None:
        state.replace(engine, source, memory.after, lattice.as_ofs[0], events)
    return wide.select("entity_id", "as_of_us", *fixed, *formulas)


def versions_of(
    engine: Engine,
    name: str,
    columns: Sequence[str],
    owner: str,
    ids: tuple[str, Sequence[str]] | None,
    known: KnownBefore | None,
    lattice: Lattice,
    asked: Sequence[tuple[State, int]],
) -> Frame:
    """The versions that are in force at one of the moments."""
    moments = [moment for _, moment, _ in moments_of(lattice.as_ofs, (ago for _, ago in asked))]
    return engine.table(name, columns, ids, None, known, partial(placement.versions, owner=owner, moments=moments))


def _carried(folder: Path, source: Source, as_of_us: int, known: KnownBefore | None) -> Carried:
    """The carried state that this run may use: it holds no row that became known later."""
    if known is None:
        return Carried.open(folder, source, as_of_us)
    assert isinstance(known.moments, int)
    return Carried.open(folder, source, min(as_of_us, known.moments), quiet=True)


def _bounds(wanted: Wanted, table: str, lattice: Lattice, state: Carried | None) -> Bounds | None:
    """Time bounds of the events to read: the last window only, unless a measure needs all history and no state is
    carried."""
    if TABLES[table].kind != "event":
        return None
    window, until = lattice.as_ofs[0] - DEPTH_WEEKS * WEEK_US, lattice.as_ofs[-1]
    if state is not None and state.at_us is not None:
        # When the state is old, a row known before it and seen since may have happened before the window.
        return Bounds(min(window, state.at_us), state.at_us, until)
    return Bounds(None if any(wanted.of(kind, table) for kind in LIFETIME) else window, None, until)


def columns_of(source: Source, table: str, custom: bool) -> list[str]:
    """The columns of a table under the names that signals use; `custom` adds those beyond the canonical ones (the
    entity's own table only)."""
    definition = TABLES[table]
    columns = [
        c.name.removesuffix("_time") + "_us" if c.name.endswith("_time") else c.name
        for c in definition.columns
        if c.type != "time" and not c.only_given
    ]
    columns += [f"{c.name.removesuffix('_time')}_us" for c in definition.columns if c.type == "time"]
    versions = ["from_us", "until_us", "created_us"] if definition.kind == "state" else []
    return [*columns, "visible_us", *versions, *(source.custom[table] if custom else ())]


def _fill(wide: Frame, wanted: Wanted, own: str) -> Frame:
    """Counts over no rows become 0."""
    filled: dict[str, nw.Expr] = {}

    def full(name: str) -> nw.Expr:
        return nw.col(name).fill_null(0)

    for measure, windows in wanted.windows.items():
        for window in windows:
            name = window_column(measure, window)
            filled[name] = full(name)
        if not windows and not isinstance(measure, (Latest, Earliest, LongestSilence)):
            filled[base_column(measure)] = full(base_column(measure))
    for measure, weights in wanted.weighted.items():
        for weight in weights:
            filled[weighted_column(measure, weight)] = full(weighted_column(measure, weight))
    linked = (
        ~nw.col(base_column(State("account", own))).is_null() if any(m.via_account for m in wanted.states) else None
    )
    for state, agos in wanted.states.items():
        if (state.how in ("sum", "distinct") and state.table != own) or state.via_account:
            for ago in agos:
                name = state_column(state, ago)
                filled[name] = (
                    nw.when(linked).then(full(name)) if state.via_account and linked is not None else full(name)
                )
    return wide.with_columns(**filled) if filled else wide


def _typed(result: pa.Table, outcomes: Sequence[Outcome], chosen: list[Definition]) -> pa.Table:
    as_of = pc.cast(pc.cast(result["as_of_us"], pa.int64()), pa.timestamp("us", "UTC"))
    columns: dict[str, Any] = {
        "entity_id": pc.cast(result["entity_id"], pa.string()),
        "as_of": as_of,
        **{name: pc.cast(result[name], pa.string()) for name in eligibility_columns(outcomes)},
        "value": pc.cast(result["value"], pa.float64()),
    }
    for definition in chosen:
        kind = pa.string() if definition.signal.is_category else pa.float64()
        columns[definition.signal.name] = pc.cast(result[definition.signal.name], kind)
    return pa.table(columns)
