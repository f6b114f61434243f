"""Can this source be used, for which model, and what is missing? The report of `python -m features check`.

Every line has severity, table, column, number of rows, the rule, what was found, what is needed, and what to do.
`blocks` stops reading or training, `weakens` costs quality or keeps a model from going live, `info` is worth knowing.
Whether a model can be trained is decided by `labelled_rows`, which `fit` uses, too; this module prints its faults.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable

from features.kit.clock import DAY_US, from_us, to_us
from features.kit.errors import BadInput, Fault, UserMistake
from features.outcomes.asked import Asked
from features.outcomes.needed_tables import tables_for
from features.panel.build import offered, signals_of
from features.readiness.currencies import currency_lines
from features.readiness.early_outcomes import early_outcome_lines
from features.readiness.event_identity import identity_lines
from features.readiness.final_states import final_state_lines
from features.readiness.history_gaps import gap_lines
from features.readiness.labelled_rows import Trainable, trainable
from features.readiness.left_out import left_out_lines
from features.readiness.line import Line
from features.readiness.negative_values import negative_lines
from features.readiness.order_sequence import sequence_lines
from features.readiness.owners import owner_lines
from features.readiness.parents import parent_lines
from features.readiness.population import is_readable, members, population_lines
from features.readiness.repeated_rows import repeated_lines
from features.readiness.text_files import text_file_lines
from features.readiness.time_zones import zone_lines
from features.readiness.words import word_lines
from features.signals.signal import Entity
from features.sources.casts import internal, quote
from features.sources.observed_period import ObservedPeriod
from features.sources.rows_beyond import Beyond, rows_beyond
from features.sources.schema import ENTITIES, NO_SIGNALS, TABLES
from features.sources.source import Source
from features.sources.source_fault import SourceFault

ACTIVE_SHARE, ACTIVE_DAYS = 0.5, 84
"""Share of the eligible entities with an event in the last 84 days below which behaviour says little."""
EMPTY_SHARE = 0.5
SPARSE = ("parent_id", "target_tier")
"""Columns that are rightly empty in most rows."""
FRESH_DAYS = 2
"""A source that ended longer before a nightly run's moment is warned of."""


def usability(source: Source, models: Iterable[Asked]) -> list[Line]:
    """The whole report for these models, the worst first; works on a source with faults (`open_source(...,
    keep_going=True)`)."""
    models = tuple(models)
    lines = [of_fault(fault) for fault in source.faults]
    period = (
        list(period_lines(source, {t for asked in models for t in asked.outcome.told_by(source)}))
        if source.tables
        else []
    )
    lines += period
    lines += left_out_lines(source)
    for name in source.tables:
        lines += table_lines(source, name)
    if not any(line.severity == "blocks" for line in period):
        for asked in models:
            lines += model_lines(source, asked)
        lines += population_lines(source, models)
        for entity in dict.fromkeys(asked.entity for asked in models):
            if source.has(ENTITIES[entity]):
                lines += column_lines(source, entity)
    rank = {"blocks": 0, "weakens": 1, "info": 2}
    return sorted(lines, key=lambda line: rank[line.severity])


def of_fault(fault: Fault) -> Line:
    """Makes a line of a fault of the source."""
    of = fault if isinstance(fault, SourceFault) else None
    return Line(
        severity="blocks",
        table=of.table if of else "",
        column=of.column if of else "",
        rows=of.rows if of else None,
        rule=fault.rule,
        found=of.what if of else f"{fault.where}: {fault.found}",
        needed=fault.rule,
        what_to_do=fault.next_step,
    )


def table_lines(source: Source, name: str) -> Iterable[Line]:
    """Checks a table that could be read: rows, owners, vocabularies, copies, filled columns."""
    definition = TABLES[name]
    rows = source.rows(name)
    if not rows:
        yield Line(
            severity="weakens",
            table=name,
            column="",
            rows=0,
            rule="a table has rows",
            found=source.empty.get(name, "none"),
            needed="at least one",
            what_to_do="fill the file, or see the SELECT and its filter",
        )
        return
    for lines in (
        text_file_lines,
        owner_lines,
        parent_lines,
        word_lines,
        repeated_lines,
        identity_lines,
        sequence_lines,
        gap_lines,
        currency_lines,
        zone_lines,
        final_state_lines,
        negative_lines,
    ):
        yield from lines(source, name)
    labels = definition.kind == "label"  # a snapshot of outcomes has no times, and needs none
    held = [c for c in definition.columns if c.name in source.columns[name] and not (c.required or labels)]
    if held:
        counts = source.query(
            "SELECT "
            + ", ".join(f"count({internal(c.name) if c.type == 'time' else quote(c.name)})" for c in held)
            + f" FROM {quote(name)}"
        )[0]
        for column, filled in zip(held, counts, strict=True):
            # Most accounts belong to no group and are on no list.
            if filled < (1 - EMPTY_SHARE) * rows and not (filled and column.name in SPARSE):
                yield Line(
                    severity="weakens" if filled == 0 and column.name not in NO_SIGNALS else "info",
                    table=name,
                    column=column.name,
                    rows=rows - filled,
                    rule="a delivered column is filled in",
                    found=f"missing in {1 - filled / rows:.0%} of the rows",
                    needed=f"at most {EMPTY_SHARE:.0%}",
                    what_to_do="fill it, or leave the column out",
                )
    lacking = [
        c.name for c in definition.columns if c.name not in source.columns[name] and not (c.required or c.only_given)
    ]
    read = name in tables_for("account") | tables_for("lead")
    for rule, columns in (
        (
            "columns beyond the required ones bring signals"
            if read
            else "the table has columns beyond the required ones",
            [c for c in lacking if c not in NO_SIGNALS],
        ),
        (
            "people sort and filter lists by these columns, and no signal reads them",
            [c for c in lacking if c in NO_SIGNALS],
        ),
    ):
        if columns:
            yield Line(
                severity="info",
                table=name,
                column=", ".join(columns),
                rows=None,
                rule=rule,
                found="not delivered",
                needed="none of them is required",
                what_to_do="add those that you have to the SELECT",
            )


def period_lines(source: Source, telling: Collection[str]) -> Iterable[Line]:
    """The observed period, rows outside of it, and tables that stopped early; `telling` are those that outcomes are
    read from."""
    try:
        period = source.observed
    except UserMistake as nothing:
        yield Line(
            severity="blocks",
            table="",
            column="event_time",
            rows=None,
            rule="rows happened before the clock",
            found=str(nothing),
            needed="one",
            what_to_do="check the dates",
        )
        return
    end, clock = from_us(period.last_us), from_us(source.now_us)
    yield Line(
        severity="info",
        table="",
        column="event_time",
        rows=None,
        rule="the end of the data: the newest row not after the clock, and not cut off by a gap of 28 days and 10 x the usual one",
        found=f"{end:%Y-%m-%d}, {(clock - end).days:,} days before the clock",
        needed=f"the nightly run warns above {FRESH_DAYS}",
        what_to_do="nothing"
        if clock - end <= dt.timedelta(days=FRESH_DAYS)
        else f"load what came since, or score as of {end:%Y-%m-%d}",
    )
    for found in rows_beyond(source):
        named = f" ({found.key} {', '.join(map(repr, found.examples))})" if found.examples else ""
        first, last = from_us(found.first_us), from_us(found.last_us)
        ahead = found.side == "after"
        # A contract's agreed end is rightly dated ahead; what people do is not.
        planned = ahead and found.column == "event_time" and TABLES[found.table].kind == "state"
        yield Line(
            severity="info" if planned else "weakens",
            table=found.table,
            column=found.column,
            rows=found.rows,
            rule="a row happened within what was observed" if found.column == "event_time" else "a row is known by now",
            found=f"{found.rows:,} dated {first:%Y-%m-%d}" + (f" to {last:%Y-%m-%d}" if last != first else "") + named,
            needed=f"not after {end:%Y-%m-%d}"
            if found.column == "event_time" and ahead
            else f"not after the clock, {clock:%Y-%m-%d}"
            if ahead
            else f"not before {from_us(period.first_us):%Y-%m-%d}",
            what_to_do="nothing if they are planned: no outcome is read from them before their day"
            if planned
            else f"correct the dates, or leave the rows out: SELECT * FROM (THIS SELECT) WHERE {_within(found, period, clock)}; they do not "
            "move the end, and no outcome is read from them",
        )
    yield from _stopped(source, telling)


def _within(found: Beyond, period: ObservedPeriod, clock: dt.datetime) -> str:
    """SQL condition for rows inside the period; a time that is null is inside."""
    if found.column == "known_time":
        limit = f"<= TIMESTAMPTZ '{clock:%Y-%m-%d %H:%M:%S}+00'"
    elif found.side == "after":
        limit = f"<= TIMESTAMPTZ '{from_us(period.last_us):%Y-%m-%d %H:%M:%S.%f}+00'"
    else:
        limit = f">= TIMESTAMPTZ '{from_us(period.first_us):%Y-%m-%d %H:%M:%S.%f}+00'"
    return f"coalesce({found.column} {limit}, true)"


def _stopped(source: Source, telling: Collection[str]) -> Iterable[Line]:
    """Tables whose newest row is long before the end. Without new companies or people that is no fault. When events
    stop, signals read silence. When outcomes are read from the table, they are known no further."""
    end = from_us(source.observed.last_us)
    for name, table in source.observed.tables.items():
        last = from_us(table.last_us)
        silent = end.date() - last.date()
        if table.stopped:
            entered = TABLES[name].kind == "state" and name not in telling
            known = f": outcomes that it tells are known up to {last:%Y-%m-%d} only" if name in telling else ""
            yield Line(
                severity="info" if entered else "weakens",
                table=name,
                column="event_time",
                rows=None,
                rule="a table reaches as far as the source does",
                found=f"its newest row is of {last:%Y-%m-%d}, {silent.days:,} days before the end",
                needed="a gap like those before",
                what_to_do=f"nothing if no row of {name} was new since, else load what came"
                if entered
                else f"load what came since{known}",
            )


def model_lines(source: Source, asked: Asked) -> Iterable[Line]:
    """What keeps a model from being trained, or from going live, by the rules of `features.readiness`."""
    table, needed = ENTITIES[asked.entity], tables_for(asked.entity, asked.themes, asked.outcome)
    broken = [name for name in source.broken if name in needed]
    if broken or (source.faults and source.faults_for([]) and source.has(table)):
        listed = ", ".join(broken) or "files of the source"
        yield Line(
            severity="info",
            table=listed,
            column="",
            rows=None,
            rule="its other rules are checked once the tables that it reads can be read",
            found=f"it reads {listed}, which cannot be read",
            needed="tables without a fault",
            what_to_do="mend the faults, then check again",
            model=asked.name,
        )
        return
    if not source.has(table):
        yield Line(
            severity="info",
            table=table,
            column="",
            rows=None,
            rule=f"it needs the table {table}",
            found="it is not there",
            needed="one SELECT",
            what_to_do=f"write {table}.sql if you want {asked.name}",
            model=asked.name,
        )
        return
    try:
        found = trainable(source, asked)
    except BadInput as refused:
        for fault in refused.faults:
            yield Line(
                severity="blocks",
                table=table,
                column="",
                rows=None,
                rule=fault.rule,
                found=f"{fault.where}: {fault.found}",
                needed=fault.rule,
                what_to_do=fault.next_step,
                model=asked.name,
            )
    else:
        yield from _enough_to_go_live(asked, table, found)
    yield from early_outcome_lines(source, asked)
    if is_readable(source, asked):
        yield _active(source, asked)
    yield Line(
        severity="info",
        table=table,
        column="",
        rows=None,
        rule="signals that the tables allow",
        found=f"{len(signals_of(source, asked.entity)):,}",
        needed="as many as you have tables for",
        what_to_do="see: python -m features catalog",
        model=asked.name,
    )


def column_lines(source: Source, entity: Entity) -> Iterable[Line]:
    """Columns beyond the canonical ones that are no signals of the entity, and why."""
    for column in offered(source, entity)[1]:
        yield Line(
            severity="info",
            table=column.table,
            column=column.column,
            rows=None,
            rule="a column beyond the canonical ones is a signal",
            found=column.why,
            needed="a number, a time, or a vocabulary",
            what_to_do="leave it out of the SELECT, or make it one",
        )


def _enough_to_go_live(asked: Asked, table: str, found: Trainable) -> Iterable[Line]:
    """The gate "enough labels", which can be checked before training."""
    y = found.rows.y
    for kind, wanted, least in (("with", 1, asked.gates.min_positives), ("without", 0, asked.gates.min_negatives)):
        fitted, judged = (int((y[mask] == wanted).sum()) for mask in (found.fitted, found.judged))
        enough = fitted >= least and judged >= least / 4
        yield Line(
            severity="info" if enough else "weakens",
            table=table,
            column="",
            rows=len(y),
            rule=f"rows {kind} the outcome",
            found=f"{fitted:,} to learn from, {judged:,} to judge by",
            needed=f"{least:,} to learn from, a quarter of it to judge by, before a version may go live",
            what_to_do="nothing" if enough else f"more history, or more {table}",
            model=asked.name,
            gate=not enough,
        )


def _active(source: Source, asked: Asked) -> Line:
    now = members(source, [asked])
    eligible = set(now.ids[now.inside[asked.name]].tolist())
    key = f"{asked.entity}_id"
    end = to_us(now.as_of)
    places = [t for t in source.tables if TABLES[t].kind == "event" and source.has(t, key)]
    active: set[str] = set()
    for table in places:
        found = source.query(
            f"SELECT DISTINCT {key} FROM {quote(table)} WHERE visible_us < {end} AND event_us >= {end - ACTIVE_DAYS * DAY_US}"
        )
        active |= {row[0] for row in found} & eligible
    share = len(active) / len(eligible) if eligible else 0.0
    enough = share >= ACTIVE_SHARE
    return Line(
        severity="info" if enough else "weakens",
        table=" + ".join(places) or "usage",
        column=key,
        rows=len(eligible),
        rule=f"share of eligible {ENTITIES[asked.entity]} with an event in {ACTIVE_DAYS} days",
        found=f"{share:.0%}",
        needed=f"{ACTIVE_SHARE:.0%}",
        what_to_do="nothing" if enough else "deliver usage or touches, or the same ids in them",
        model=asked.name,
    )


def verdict(lines: Iterable[Line], asked: Asked) -> str:
    """`ready`, or how many findings keep a model from being trained, or else from going live."""
    needed = tables_for(asked.entity, asked.themes, asked.outcome)
    # A table that cannot be read stops the models that read it; a fault without a table stops all.
    own = [
        line
        for line in lines
        if line.model in ("", asked.name)
        and (line.severity != "blocks" or line.table not in TABLES or line.table in needed)
    ]
    blocking = sum(line.severity == "blocks" for line in own)
    gated = sum(line.gate for line in own)
    n = blocking or gated
    said = "not yet" if blocking else "not yet to go live"
    return f"{said}: {n} thing{'s' if n > 1 else ''} to mend" if n else "ready"
