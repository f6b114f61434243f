"""Reads tables of ready labels (`churn_labels`, `lead_labels`), and refuses those that cannot be true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.kit.clock import FOREVER_US, from_us
from features.kit.errors import Fault
from features.outcomes.labels import Outcomes, OutcomesRefused
from features.outcomes.outcome import Outcome
from features.outcomes.recorded import created, frame_of, known_until, within_observed
from features.sources.schema import ENTITIES
from features.sources.source import Source

CONTRADICTED, CONTRADICTED_NOTE = 0.95, 0.5
"""Share of the ready outcomes that the source's own events deny: above the first they are no outcomes of this company,
above the second every report says so. Of RavenStack's 533 departures 532 are denied: its contracts run on."""
FEWEST_TO_CONTRADICT = 20
BEFORE_CREATION_SHARE = 0.1
"""Outcomes dated before their entity existed: above this share the labels belong to other data."""


@dataclass(frozen=True)
class Denied:
    """Ready labels checked against the source's own events; those that cannot be checked are not in it."""

    denied: pd.Series
    """One bool per outcome that can be checked."""
    said: str
    """What denies it: "a paid contract runs on for more than 30 days after it"."""
    rows: str
    """What the outcomes are called: `departures`."""
    instead: str
    """What to do where the labels are wrong."""


DeniedBy = Callable[[Source, pd.DataFrame], Denied | None]
"""From the source and its positives (entity_id, and time_us where they have dates); None where no table can tell."""


def read_ready(source: Source, outcome: Outcome, denied_by: DeniedBy, once: bool = False) -> Outcomes:
    """The outcome's table of ready labels: dated when a positive has a date, else a snapshot.

    Raises `OutcomesRefused` when it is of other entities, contradicts itself, or is denied by the source's own events.
    """
    assert outcome.labels is not None
    entity, table, key, flag = outcome.entity, outcome.labels, f"{outcome.entity}_id", outcome.flag
    rows = frame_of(source.arrow(table, seen=True)).rename(columns={key: "entity_id"})
    known = created(source, entity)
    faults = []
    strangers = ~rows["entity_id"].isin(known.index)
    where = f"source {source.name!r}, table {table}"
    if strangers.all():
        some = ", ".join(map(repr, rows["entity_id"].head(3)))
        faults.append(
            Fault(
                where=where,
                found=f"none of its {len(rows):,} {key} is in the table of its entity (first: {some})",
                rule=f"{key} names an entity of the source",
                next_step="write the same identifiers in both SELECTs",
            )
        )
    positives = rows[rows[flag].fillna(False).astype(bool)]
    dated = "time_us" in rows and bool((positives["time_us"] < FOREVER_US).any())
    if not dated:
        both = rows.groupby("entity_id")[flag].nunique() > 1
        if both.any():
            faults.append(
                Fault(
                    where=where,
                    found=f"{int(both.sum()):,} entities are both {flag} and not, such as {both.index[both.to_numpy()][0]!r}",
                    rule="an outcome without a date is one per entity",
                    next_step="keep one row per entity, or deliver event_time",
                )
            )
    else:
        seen = positives[positives["time_us"] < FOREVER_US]
        early = seen["time_us"] < seen["entity_id"].map(known).fillna(-1)
        if early.mean() > BEFORE_CREATION_SHARE:
            faults.append(
                Fault(
                    where=f"{where}, column event_time",
                    found=f"{int(early.sum()):,} of {len(seen):,} outcomes ({early.mean():.0%}) are dated before their entity existed, such as "
                    f"{_early(seen[early].iloc[0], known)}",
                    rule=f"an outcome comes after the first version of its entity; at most {BEFORE_CREATION_SHARE:.0%} may not",
                    next_step=f"give the first version in {ENTITIES[entity]} the date on which it was first known as event_time, or leave these rows "
                    f"out of {table}",
                )
            )
    denied, notes = contradictions(denied_by(source, positives), where)
    if faults:
        raise OutcomesRefused(f"the outcomes of source {source.name!r}", [*faults, *denied])
    told = _told(source, outcome, rows, positives, dated, notes, once)
    if denied:
        refused = OutcomesRefused(f"the outcomes of source {source.name!r}", denied)
        refused.as_told = told
        raise refused
    return told


def _told(
    source: Source,
    outcome: Outcome,
    rows: pd.DataFrame,
    positives: pd.DataFrame,
    dated: bool,
    notes: tuple[str, ...],
    once: bool,
) -> Outcomes:
    """The outcomes as the rows state them, unchecked."""
    entity, table, flag = outcome.entity, str(outcome.labels), outcome.flag
    end, stopped = known_until(source, table)
    notes = (*notes, *stopped)
    if not dated:
        values = rows.dropna(subset=flag).drop_duplicates("entity_id").set_index("entity_id")[flag].astype(float)
        return Outcomes(
            entity,
            table,
            pd.DataFrame({"entity_id": [], "time_us": np.empty(0, np.int64)}),
            values,
            end,
            0,
            notes,
            once,
        )
    events = positives[positives["time_us"] < FOREVER_US][["entity_id", "time_us"]]
    events = events.sort_values(["entity_id", "time_us"])
    return Outcomes(entity, table, within_observed(source, events, end), None, end, 0, notes, once)


def _early(outcome: pd.Series, known: pd.Series) -> str:
    first = known[outcome["entity_id"]]
    return f"{outcome['entity_id']!r}: {from_us(outcome['time_us']):%Y-%m-%d}, its first version is of {from_us(first):%Y-%m-%d}"


def contradictions(checked: Denied | None, where: str) -> tuple[list[Fault], tuple[str, ...]]:
    """Ready outcomes that the source's own events deny: a fault when nearly all are, a note when most are."""
    if checked is None or len(checked.denied) < FEWEST_TO_CONTRADICT or checked.denied.mean() < CONTRADICTED_NOTE:
        return [], ()
    denied = checked.denied
    found = f"{int(denied.sum()):,} of {len(denied):,} {checked.rows} that can be checked are denied by the source's own events: {checked.said}"
    if denied.mean() < CONTRADICTED:
        return [], (f"Of the labels, {found}. What the model predicts is the label, not what the events show.",)
    fault = Fault(
        where=where,
        found=found,
        rule=f"labels and events agree on the outcome; at most {CONTRADICTED:.0%} may differ",
        next_step=f"check identifiers and dates of both tables, or {checked.instead}",
    )
    return [fault], ()
