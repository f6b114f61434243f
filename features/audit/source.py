"""Audits a source for one model: proves that no signal looks ahead, checks its tables, and its signals against the
outcome.

The proof: the signals of some entities are computed twice, once from the source as it is and once from a copy in which
nothing exists that was not known before `as_of`. A signal that differs has looked ahead, by whatever way.
"""

from __future__ import annotations

import copy
import datetime as dt
import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.audit import leaks, moments, shape
from features.audit.exclude_advice import with_exclude
from features.audit.finding import MIN_ROWS, AuditedTable, Finding, Rule
from features.audit.raw import raw_findings
from features.audit.table import by_gravity, findings_of
from features.kit.clock import DAY_US, to_us
from features.kit.errors import UserMistake
from features.outcomes.asked import Asked, AskedOutcome
from features.outcomes.labels import Outcomes, OutcomesRefused, label
from features.outcomes.outcome import ELIGIBLE
from features.outcomes.read import read_outcomes
from features.panel.build import build_panel, grid, offered, signal_columns, signals_of
from features.panel.population import narrowed, require_readable
from features.signals.signal import Signal
from features.sources.casts import quote, versions
from features.sources.schema import ENTITIES, TABLES
from features.sources.source import Source

MOST_DATES = 6
PROVED_ENTITIES = 200
"""Entities whose signals are computed twice for the proof."""
FEWEST_PROVED = 50
"""Rows of a panel at one date that are enough of them."""
SLOW_DAYS = 7.0
WARM_UP_DAYS = 84
RECENT_US = 28 * DAY_US
FEWEST_ENDS = 20
"""Ends in the twelve weeks before the last four that a rate is read from."""
ENDINGS = {
    "subscriptions": ("ended",),
    "tickets": ("closed",),
    "opportunities": ("won", "lost"),
    "invoices": ("paid", "void"),
    "leads": ("converted", "disqualified"),
}
"""Statuses in which a thing of a canonical table is over."""
RULES: Sequence[Rule] = (
    leaks.strong_columns,
    leaks.presence,
    leaks.deciding_values,
    moments.order_in_time,
    moments.drift,
    moments.input_drift,
    shape.constants,
    shape.copies,
)
TELLING = ("opportunities", "subscriptions")
"""Tables that outcomes are read from."""
_NUMBER = itertools.count(1)


@dataclass(frozen=True)
class SourceAudit:
    """What was audited, and what was found."""

    findings: list[Finding]
    rows: int
    dates: tuple[dt.datetime, ...]
    positives: int


def audit_source(source: Source, asked: Asked) -> SourceAudit:
    """Every finding about a source's tables and signals for a model; raises `UserMistake` when it cannot tell the outcome."""
    lacking = asked.outcome.lacking(source)
    if lacking:
        raise UserMistake(f"source {source.name!r} cannot be audited for {asked.name}: {lacking}")
    require_readable(source, asked)
    found = table_findings(source)
    outcomes, refused = _outcomes(source, asked)
    found += refused
    dates = _dates(source, asked, outcomes)
    panel = build_panel(source, asked.entity, dates, outcomes=[asked.outcome]) if dates else None
    known = None if panel is None or outcomes is None else _labelled(asked, outcomes, panel)
    table, entities = known or (None, None)
    found += raw_findings(source, asked, entities)
    if panel is not None:
        found += leaking_signals(source, asked, dates[-1], panel=panel)
    if table is not None:
        found += known_by_the_clock(findings_of(table, RULES), signals_of(source, asked.entity))
    rows = 0 if table is None else len(table.outcome)
    if not isinstance(asked, AskedOutcome):
        found = with_exclude(found, asked.name, {s.name for s in signals_of(source, asked.entity)})
    return SourceAudit(by_gravity(found), rows, tuple(dates), 0 if table is None else int(table.outcome.sum()))


def _outcomes(source: Source, asked: Asked) -> tuple[Outcomes | None, list[Finding]]:
    """The outcomes as training reads them, and a finding per reason for refusing them. Labels that only the source's
    own events deny are returned all the same, so that their leaks are found. None when there are no outcomes."""
    try:
        return read_outcomes(source, asked.outcome), []
    except OutcomesRefused as refused:
        told = asked.outcome.told_by(source)
        return refused.as_told, [
            Finding(
                "outcome_refused", "high", told, f"{fault.where}: {fault.found}", f"{fault.rule}: {fault.next_step}"
            )
            for fault in refused.faults
        ]


def _dates(source: Source, asked: Asked, outcomes: Outcomes | None) -> list[dt.datetime]:
    """The newest dates of the grid whose outcome is known; for a snapshot the end of the data."""
    first, last = source.span
    if outcomes is not None and outcomes.snapshot is not None:
        return [last + dt.timedelta(microseconds=1)]
    known = last - dt.timedelta(days=asked.horizon_days + 30)
    # Before its windows are filled an entity looks silent; short histories have no choice.
    warm = grid(first + dt.timedelta(days=WARM_UP_DAYS), known)
    return (warm or grid(first, known))[-MOST_DATES:]


def _labelled(asked: Asked, outcomes: Outcomes, panel: pa.Table) -> tuple[AuditedTable, pd.DataFrame] | None:
    """One row per entity, at one of the dates (its rows at other dates would say the same again): signals, and outcome."""
    dated = pc.count_distinct(panel["as_of"]).as_py() > 1
    panel = narrowed(panel, asked)
    panel = panel.filter(pc.equal(panel["eligibility"], ELIGIBLE))
    ids = panel["entity_id"].to_numpy(zero_copy_only=False)
    as_of = pc.cast(panel["as_of"], pa.int64()).to_numpy()
    y = label(outcomes, ids, as_of, asked.horizon_days * DAY_US)
    mixed = np.random.default_rng(0).permutation(len(ids))
    mixed = mixed[~np.isnan(y[mixed])]
    rows = np.sort(mixed[np.unique(ids[mixed].astype(str), return_index=True)[1]])
    outcome = y[rows].astype(int)
    if min(outcome.sum(), len(outcome) - outcome.sum()) < 10:
        return None
    frame = panel.select(signal_columns(panel)).take(pa.array(rows)).to_pandas()
    moment = pd.Series(pd.to_datetime(as_of[rows], unit="us"))
    order = as_of[rows] if dated else np.arange(len(rows))
    entities = pd.DataFrame({"entity_id": ids[rows], "as_of_us": as_of[rows], "y": outcome})
    return AuditedTable(frame, outcome, order, dated, asked.name, moment), entities


def as_known(source: Source, as_of: dt.datetime, entity_key: str, ids: Sequence[str]) -> Source:
    """A copy of the source in which only the given entities exist, and of them only what was visible before `as_of`."""
    as_of_us = to_us(as_of)
    schema = f"known_{next(_NUMBER)}"
    source.connection.execute(f"CREATE SCHEMA {schema}")
    source.connection.register("proved_ids", pa.table({"proved": pa.array(list(ids), pa.string())}))
    known = copy.copy(source)
    for cached in ("fingerprint", "contents", "observed"):
        known.__dict__.pop(cached, None)
    known.connection = source.connection.cursor()
    known.schemas, known.scans = dict(source.schemas), {}
    for name in source.tables:
        definition = TABLES[name]
        if definition.kind in ("label", "reference"):
            continue  # no signal reads them
        whole = f"{quote(source.schemas[name])}.{quote(name)}"
        described = [row[0] for row in source.query(f"DESCRIBE {whole}")]
        derived = ("from_us", "until_us", "created_us") if definition.kind == "state" else ()
        columns = ", ".join(quote(c) for c in described if c not in derived)
        select = f"SELECT {columns} FROM {whole} WHERE visible_us < {as_of_us}"
        if entity_key in described and name != "leads":
            select += f" AND {quote(entity_key)} IN (SELECT proved FROM proved_ids)"
        if definition.kind == "state":
            select = versions(select, quote(definition.key or ""))
        source.connection.execute(f"CREATE TABLE {schema}.{quote(name)} AS {select}")
        known.schemas[name] = schema
    known.connection.execute(f"SET search_path = '{schema},main'")
    return known


def known_by_the_clock(findings: Iterable[Finding], signals: Sequence[Signal]) -> list[Finding]:
    """The findings, with a lower severity where the only suspicion of a signal is that it is strong and it counts time.

    The age of a lead may well rank best, and is known at every moment. Proofs of a leak keep their severity.
    """
    clocks = {signal.name for signal in signals if signal.by_clock}
    return [
        replace(f, severity="medium") if f.code == "too_good" and clocks.issuperset(f.columns) else f for f in findings
    ]


def grave_findings(
    source: Source, asked: Asked, as_of: dt.datetime, themes: Collection[str], panel: pa.Table
) -> list[Finding]:
    """Findings of high severity about the source itself that concern a model with signals of these themes; `panel` is that which
    the model is learnt from, or some rows of it."""
    chosen = [d for d in offered(source, asked.entity)[0] if d.signal.theme in themes]
    names = {d.signal.name for d in chosen}
    tables = {m.table for d in chosen for m in d.needs.measures} | {ENTITIES[asked.entity], *TELLING}
    leaking = leaking_signals(source, asked, as_of, names, panel)
    return [f for f in [*table_findings(source, tables), *leaking] if f.severity == "high"]


def leaking_signals(
    source: Source,
    asked: Asked,
    as_of: dt.datetime,
    only: Collection[str] | None = None,
    panel: pa.Table | None = None,
) -> list[Finding]:
    """Signals (all by default) that are not the same when nothing later is there.

    Where a `panel` of the source has enough rows at `as_of`, its entities and its signals are those that are proved.
    """
    key = f"{asked.entity}_id"
    held = None if panel is None else panel.filter(pc.equal(panel["as_of"], pa.scalar(as_of, panel["as_of"].type)))
    if held is not None and held.num_rows < FEWEST_PROVED:
        held = None
    ids = _proved(source, asked, as_of, None if held is None else held["entity_id"])
    if not ids:
        return []
    if held is None:
        wanted = only if only is None else [s.name for s in signals_of(source, asked.entity) if s.name in only]
        whole = build_panel(source, asked.entity, [as_of], ids=ids, only=wanted)
    else:
        whole = held.filter(pc.is_in(held["entity_id"], pa.array(ids, pa.string()))).sort_by("entity_id")
    known = as_known(source, as_of, key, ids)
    # The signals of the whole source: a custom column may have no value before as_of, and would not be offered then.
    names = [n for n in signal_columns(whole) if only is None or n in only]
    both = [n for n in names if n in {s.name for s in signals_of(known, asked.entity)}]
    before = build_panel(known, asked.entity, [as_of], ids=ids, only=both)
    found = []
    for name in both:
        left, right = whole[name].to_pylist(), before[name].to_pylist()
        wrong = sum(a != b for a, b in itertools.zip_longest(left, right))
        if wrong:
            found.append(
                Finding(
                    "signal_leaks",
                    "high",
                    (name,),
                    f"at {as_of:%Y-%m-%d} it differs for {wrong:,} of {len(ids):,} entities when rows known later are removed",
                    "it looks ahead: mend its definition or the source, and do not put a model live that uses it",
                    {"entities": wrong},
                )
            )
    return found


def _proved(source: Source, asked: Asked, as_of: dt.datetime, among: pa.ChunkedArray | None) -> list[str]:
    """Some entities that are known before `as_of`, always the same ones."""
    key, table = f"{asked.entity}_id", ENTITIES[asked.entity]
    where = f"visible_us < {to_us(as_of)}"
    if among is not None:
        source.connection.register("provable_ids", pa.table({"provable": among}))
        where += f" AND {key} IN (SELECT provable FROM provable_ids)"
    found = source.query(
        f"SELECT DISTINCT {key} FROM {quote(table)} WHERE {where} ORDER BY hash({key}), 1 LIMIT {PROVED_ENTITIES}"
    )
    return [row[0] for row in found]


def table_findings(source: Source, tables: Collection[str] | None = None) -> list[Finding]:
    """What the tables (all by default) show by themselves: rows that come late, repeat, or know how the thing ended."""
    found: list[Finding] = []
    for name in source.tables:
        definition = TABLES[name]
        if tables is not None and name not in tables:
            continue
        if definition.kind in ("label", "reference") or not source.rows(name):
            continue
        found += _late(source, name) + _repeated(source, name)
        if name in ENDINGS:
            found += _born_ended(source, name)
    return found


def _late(source: Source, name: str) -> list[Finding]:
    if "known_time" not in source.columns[name]:
        return []
    late, rows, days = source.query(
        f"SELECT count(*) FILTER (known_us > event_us), count(*), "
        f"quantile_cont((known_us - event_us) / 86400e6, 0.95) FILTER (known_us > event_us) FROM {quote(name)}"
    )[0]
    if not late:
        return []
    slow = days > SLOW_DAYS and late > 0.05 * rows
    return [
        Finding(
            "arrives_late",
            "medium" if slow else "low",
            (name,),
            f"{late / rows:.1%} of its {rows:,} rows are known after they happened, 95 % of them within {days:.1f} days",
            "counts over the last days run low at first; known_time keeps training honest about it",
            {"share": late / rows, "days": float(days)},
        )
    ]


def _repeated(source: Source, name: str) -> list[Finding]:
    derived = {"from_us", "until_us", "created_us"}
    columns = [quote(row[0]) for row in source.query(f"DESCRIBE {quote(name)}") if row[0] not in derived]
    # By hash, so that a table of any size is counted in one pass; two different rows of one hash are 1 in 10^19.
    rows, different = source.query(
        f"SELECT count(*), approx_count_distinct(h) FROM (SELECT hash({', '.join(columns)}) AS h FROM {quote(name)})"
    )[0]
    if different > 0.9 * rows:
        return []
    different = source.query(
        f"SELECT count(DISTINCT h) FROM (SELECT hash({', '.join(columns)}) AS h FROM {quote(name)})"
    )[0][0]
    share = 1 - different / rows
    if share < 0.01:
        return []
    return [
        Finding(
            "repeated_rows",
            "medium",
            (name,),
            f"{rows - different:,} of its {rows:,} rows ({share:.1%}) are exact copies of another",
            "SELECT DISTINCT when they are one thing delivered twice; copies count twice and may lie on both sides of a split",
            {"rows": rows - different, "share": share},
        )
    ]


def _born_ended(source: Source, name: str) -> list[Finding]:
    key = quote(TABLES[name].key or "")
    ends = ", ".join(f"'{status}'" for status in ENDINGS[name])
    born, things = source.query(
        f"SELECT count(*) FILTER (first_status IN ({ends})), count(*) FROM "
        f"(SELECT arg_min(status, event_us) AS first_status FROM {quote(name)} GROUP BY {key})"
    )[0]
    if born < MIN_ROWS or born < 0.2 * things or _dated_at_the_end(source, name):
        return []
    return [
        Finding(
            "ended_from_the_start",
            "high",
            (f"{name}.status",),
            f"{born:,} of {things:,} have an end ({', '.join(ENDINGS[name])}) in their first version",
            "the source holds last states only: write one row per dated change, the end with the time at which it came",
            {"things": born, "share": born / things},
        )
    ]


def _dated_at_the_end(source: Source, name: str) -> bool:
    """Whether things that are over in their first version stand at the time at which they ended, as wins by their close date do.

    An end that is dated at the begin of its thing knows the future, and the newest things have not ended yet: such ends run dry
    before the end of the data. Ends at their own time go on to the last day at the rate that they had.
    """
    key, ends = quote(TABLES[name].key or ""), ", ".join(f"'{status}'" for status in ENDINGS[name])
    period = source.observed.tables.get(name)
    last = period.last_us if period is not None and period.stopped else to_us(source.span[1])
    recent, before = source.query(
        f"SELECT count(*) FILTER (first_us > {last - RECENT_US}), count(*) FILTER (first_us <= {last - RECENT_US} AND first_us > {last - 4 * RECENT_US}) "
        f"FROM (SELECT arg_min(status, event_us) AS first_status, min(event_us) AS first_us FROM {quote(name)} GROUP BY {key}) "
        f"WHERE first_status IN ({ends})"
    )[0]
    # Half the rate, and two standard errors of a count below it.
    return bool(before >= FEWEST_ENDS and recent + 2 * np.sqrt(max(recent, 1)) >= before / 3 / 2)
