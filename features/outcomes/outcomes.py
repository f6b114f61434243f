"""Did it happen in `[as_of, as_of + horizon)`? Facts later than `as_of` are read here and nowhere else.

- Churn: the last paid subscription ends inside the window and no paid one starts within 30 days. A downgrade to free is
  churn, a contraction is not. From `churn_labels` when the source has it, else from the versions of `subscriptions`.
- Conversion: the lead's company wins an opportunity or starts to pay inside the window. From `lead_labels` when the
  source has it, else from `opportunities` and `subscriptions`, by `account_id`, or by mail domain when it is not a free
  mail provider's and belongs to exactly one account.
- A window that is not over at the end of what was observed (`features.sources.observed_period`) has no label: NaN, never 0. The end is
  that of the tables that tell the outcome, where they stopped long before the others did: contracts of last year do not say
  who left since. Rows that happened after the end, or became known after the clock,
  tell nothing.
- A ready outcome without dates is a snapshot: one label per entity, whatever the horizon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from features.kit.clock import DAY_US, FOREVER_US, from_us
from features.kit.errors import BadInput, Fault
from features.signals.firmographic import FREE_MAIL
from features.signals.signal import Entity
from features.sources.schema import ENTITIES
from features.sources.source import Source

RETURN_DAYS = 30
"""A customer who pays again within so many days has not left."""
NEVER_US = FOREVER_US + 1
PAYING = ("active", "notice")
CONTRADICTED, CONTRADICTED_NOTE = 0.95, 0.5
"""Share of the ready outcomes that the source's own events deny: above the first they are no outcomes of this company,
above the second every report says so. Of RavenStack's 533 departures 532 are denied: its contracts run on."""
FEWEST_TO_CONTRADICT = 20
BEFORE_CREATION_SHARE = 0.1
"""Outcomes dated before their entity existed: above this share the labels belong to other data."""


class OutcomesRefused(BadInput):
    """Raised when a source tells of no outcome, or tells of it in a way that cannot be true; holds every reason at once."""


@dataclass(frozen=True)
class Outcomes:
    """What came true, entity by entity."""

    entity: Entity
    origin: str
    """The tables that it was read from."""
    events: pd.DataFrame
    """entity_id and time_us of each outcome, sorted; empty for a snapshot."""
    snapshot: pd.Series | None
    """entity_id -> 0.0 or 1.0 when the outcome has no date."""
    known_until_us: int
    """What was observed ends here (in the tables that tell the outcome): a later outcome would not be recorded."""
    settle_us: int
    """How long after an outcome it is certain (churn: nobody came back)."""
    notes: tuple[str, ...] = ()
    """What a reader of the figures must know of the outcomes."""
    spells: pd.DataFrame | None = None
    """For churn from subscriptions: entity_id, start_us, end_us of time paid for, returns within 30 days joined."""


def label(
    outcomes: Outcomes, entity_id: Sequence[str] | np.ndarray, as_of_us: np.ndarray, horizon_us: int
) -> np.ndarray:
    """(n,) 1.0 it happened in `[as_of, as_of + horizon)`, 0.0 it did not, NaN when that is not known.

    Not known: the window (and, for churn, the 30 days after it) is not over at the end of the data; the customer had
    left, or the lead's company had bought, before `as_of` without our knowing; a snapshot has no row for the entity.
    """
    ids = pd.Series(entity_id)
    if outcomes.snapshot is not None:
        return ids.map(outcomes.snapshot).to_numpy(dtype=np.float64)
    as_of = np.asarray(as_of_us, dtype=np.int64)
    following = _first_at_or_after(outcomes.events, ids, as_of)
    y = (following < as_of + horizon_us).astype(np.float64)
    y[as_of + horizon_us + outcomes.settle_us > outcomes.known_until_us] = np.nan
    if outcomes.entity == "lead":
        # A company buys once: one that had bought before as_of, without our knowing, can no more be won.
        y[came_at(outcomes, ids.to_numpy(), np.zeros_like(as_of)) < as_of] = np.nan
    if outcomes.spells is not None:
        end = _first_at_or_after(outcomes.spells.rename(columns={"end_us": "time_us"}), ids, as_of)
        start = _first_at_or_after(outcomes.spells.rename(columns={"start_us": "time_us"}), ids, as_of)
        y[(end == NEVER_US) | (start <= end)] = np.nan
    return y


def ripe(outcomes: Outcomes, as_of_us: int, horizon_us: int) -> bool:
    """Whether what came true of `[as_of, as_of + horizon)` is certain by now; never of a snapshot, whose outcomes have no date."""
    return outcomes.snapshot is None and as_of_us + horizon_us + outcomes.settle_us <= outcomes.known_until_us


def came_at(outcomes: Outcomes, entity_id: Sequence[str] | np.ndarray, as_of_us: np.ndarray) -> np.ndarray:
    """(n,) int64 microseconds: each entity's first outcome at or after `as_of`; `NEVER_US` when there is none."""
    return _first_at_or_after(outcomes.events, pd.Series(entity_id), np.asarray(as_of_us, dtype=np.int64))


def _first_at_or_after(events: pd.DataFrame, ids: pd.Series, moments: np.ndarray) -> np.ndarray:
    """Time of each entity's first event at or after a moment; NEVER_US when there is none."""
    if events.empty:
        return np.full(len(ids), NEVER_US)
    owner, names = pd.factorize(events["entity_id"])
    times = events["time_us"].to_numpy(dtype=np.int64)
    clock = np.unique(np.concatenate([times, moments]))
    keys = owner * len(clock) + np.searchsorted(clock, times)
    order = np.argsort(keys, kind="stable")
    asked = pd.Index(names).get_indexer(pd.Index(ids))
    place = np.searchsorted(keys[order], asked * len(clock) + np.searchsorted(clock, moments))
    inside = np.minimum(place, len(keys) - 1)
    hit = (asked >= 0) & (place < len(keys)) & (owner[order][inside] == asked)
    return np.where(hit, times[order][inside], NEVER_US)


def read_outcomes(source: Source, entity: Entity) -> Outcomes:
    """The outcomes of a source; raises `OutcomesRefused` when it records none or its labels contradict themselves."""
    table = ENTITIES[entity]
    if not source.has(table):
        wanted = f"a model of {table} learns from the table {table!r}"
        fault = Fault(
            f"source {source.name!r}",
            f"it has {', '.join(source.tables)}",
            wanted,
            f"add {table}.sql, or fit another model",
        )
        raise OutcomesRefused(f"source {source.name!r}", [fault])
    return _churn(source) if entity == "account" else _conversion(source)


def churn_events(subscriptions: pa.Table) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ends of paid time per account, and the paid spells, from the version rows of `subscriptions`.

    Spells of all contracts are joined when they touch or the next begins within 30 days of the end. Returns
    (entity_id, time_us) of the ends that came, and (entity_id, start_us, end_us) with FOREVER_US for those that go on.
    """
    rows = _frame(subscriptions)
    rows = rows.sort_values(["subscription_id", "time_us", "known_us"], kind="stable")
    rows = rows.drop_duplicates(["subscription_id", "time_us"], keep="last")
    following = rows.groupby("subscription_id", sort=False)["time_us"].shift(-1)
    rows["end_us"] = following.fillna(FOREVER_US).astype(np.int64)
    paid = rows[rows["status"].isin(PAYING) & (rows["mrr"] > 0)]
    paid = paid.rename(columns={"account_id": "entity_id", "time_us": "start_us"})[["entity_id", "start_us", "end_us"]]
    paid = paid.sort_values(["entity_id", "start_us", "end_us"], kind="stable").reset_index(drop=True)
    if paid.empty:
        return pd.DataFrame({"entity_id": [], "time_us": np.empty(0, np.int64)}), paid
    reached = paid.groupby("entity_id", sort=False)["end_us"].cummax()
    before = reached.groupby(paid["entity_id"], sort=False).shift(1)
    new = before.isna() | (paid["start_us"] > before.fillna(0).astype(np.int64) + RETURN_DAYS * DAY_US)
    spells = paid.groupby([paid["entity_id"], new.cumsum().rename("spell")], sort=True).agg(
        start_us=("start_us", "min"), end_us=("end_us", "max")
    )
    spells = spells.reset_index()[["entity_id", "start_us", "end_us"]]
    ended = spells[spells["end_us"] < FOREVER_US]
    return ended.rename(columns={"end_us": "time_us"})[["entity_id", "time_us"]].reset_index(drop=True), spells


def _frame(table: pa.Table) -> pd.DataFrame:
    """Arrow to pandas with times as int64 microseconds in time_us and known_us."""
    frame = table.to_pandas()
    for name, new in (("event_time", "time_us"), ("known_time", "known_us")):
        if name in frame:
            stamps = pd.to_datetime(frame.pop(name), utc=True)
            frame[new] = stamps.astype("datetime64[us, UTC]").astype(np.int64).where(stamps.notna(), FOREVER_US)
    return frame


def _churn(source: Source) -> Outcomes:
    if source.has("churn_labels"):
        return _ready(source, "account", "churn_labels", "account_id", "churned")
    if not source.has("subscriptions"):
        raise _no_outcome(source, "churn", "subscriptions (contracts with their end)", "churn_labels")
    columns = ["subscription_id", "account_id", "event_time", "known_time", "status", "mrr"]
    events, spells = churn_events(source.arrow("subscriptions", columns, seen=True))
    until, notes = _until(source, "subscriptions")
    events = _observed(source, events, until)
    return Outcomes("account", "subscriptions", events, None, until, RETURN_DAYS * DAY_US, notes, spells)


def _conversion(source: Source) -> Outcomes:
    if source.has("lead_labels"):
        return _ready(source, "lead", "lead_labels", "lead_id", "converted")
    origins = [t for t in ("opportunities", "subscriptions") if source.has(t)]
    if not origins:
        raise _no_outcome(source, "conversion", "opportunities (won deals) or subscriptions", "lead_labels")
    company = lead_companies(source)
    parts: list[pd.DataFrame] = []
    by_account: list[pd.DataFrame] = []
    if source.has("opportunities"):
        wanted = ["opportunity_id", "account_id", "lead_id", "event_time", "known_time", "status"]
        deals = _frame(
            source.arrow(
                "opportunities",
                [c for c in wanted if source.has("opportunities", c) or c == "known_time"],
                seen=True,
            )
        )
        won = (
            deals[deals["status"] == "won"]
            .sort_values(["time_us", "known_us"], kind="stable")
            .drop_duplicates("opportunity_id")
        )
        if "lead_id" in won:
            parts.append(
                won.dropna(subset="lead_id").rename(columns={"lead_id": "entity_id"})[["entity_id", "time_us"]]
            )
        if "account_id" in won:
            by_account.append(won.dropna(subset="account_id")[["account_id", "time_us"]])
    if source.has("subscriptions"):
        columns = ["subscription_id", "account_id", "event_time", "known_time", "status", "mrr"]
        _, spells = churn_events(source.arrow("subscriptions", columns, seen=True))
        by_account.append(
            spells.rename(columns={"entity_id": "account_id", "start_us": "time_us"})[["account_id", "time_us"]]
        )
    for dated in by_account:
        joined = company.rename("account_id").reset_index().merge(dated, on="account_id", how="inner")
        parts.append(joined[["entity_id", "time_us"]])
    events = pd.concat(parts).drop_duplicates().sort_values(["entity_id", "time_us"]).reset_index(drop=True)
    until, notes = _until(source, *origins)
    return Outcomes("lead", " and ".join(origins), _observed(source, events, until), None, until, 0, notes)


def _until(source: Source, *tables: str) -> tuple[int, tuple[str, ...]]:
    """Up to when the tables tell the outcome, and a note when that is before the end of the data."""
    until, last = source.observed.until_us(*tables), source.observed.last_us
    if until == last:
        return until, ()
    told = " and ".join(tables)
    return until, (
        f"Outcomes are known up to {from_us(until):%Y-%m-%d} only, where {told} ends; the other tables go on to {from_us(last):%Y-%m-%d}.",
    )


def _observed(source: Source, events: pd.DataFrame, until_us: int) -> pd.DataFrame:
    """Outcomes within what was observed: one that is dated decades off says neither when recording began nor what came."""
    inside = events["time_us"].between(source.observed.first_us, until_us)
    return events[inside].reset_index(drop=True)


def lead_companies(source: Source) -> pd.Series:
    """entity_id of a lead -> account_id of its company, where it is known: by account_id, else by mail domain."""
    wanted = [c for c in ("lead_id", "account_id", "email") if source.has("leads", c)]
    leads = (
        source.arrow("leads", [*wanted, "event_time"], seen=True).to_pandas().sort_values("event_time", kind="stable")
    )
    last = leads.groupby("lead_id", sort=True).last()
    found = last["account_id"] if "account_id" in last else pd.Series(None, index=last.index, dtype=object)
    if "email" in last and source.has("accounts", "domain"):
        accounts = source.arrow("accounts", ["account_id", "domain"], seen=True).to_pandas().dropna().drop_duplicates()
        accounts["domain"] = accounts["domain"].str.lower().str.strip()
        alone = accounts.groupby("domain")["account_id"].agg(["nunique", "first"])
        owner = alone.loc[(alone["nunique"] == 1) & ~alone.index.isin(FREE_MAIL), "first"]
        domain = last["email"].astype("string").str.lower().str.strip().str.rsplit("@", n=1).str[-1]
        found = found.where(found.notna(), domain.map(owner))
    return found.dropna().rename_axis("entity_id")


def _ready(source: Source, entity: Entity, table: str, key: str, flag: str) -> Outcomes:
    """A table of ready outcomes: dated when a positive has a date, else a snapshot."""
    rows = _frame(source.arrow(table, seen=True)).rename(columns={key: "entity_id"})
    known = created(source, entity)
    faults = []
    strangers = ~rows["entity_id"].isin(known.index)
    where = f"source {source.name!r}, table {table}"
    if strangers.all():
        some = ", ".join(map(repr, rows["entity_id"].head(3)))
        faults.append(
            Fault(
                where,
                f"none of its {len(rows):,} {key} is in the table of its entity (first: {some})",
                f"{key} names an entity of the source",
                "write the same identifiers in both SELECTs",
            )
        )
    positives = rows[rows[flag].fillna(False).astype(bool)]
    dated = "time_us" in rows and bool((positives["time_us"] < FOREVER_US).any())
    if not dated:
        both = rows.groupby("entity_id")[flag].nunique() > 1
        if both.any():
            faults.append(
                Fault(
                    where,
                    f"{int(both.sum()):,} entities are both {flag} and not, such as {both.index[both.to_numpy()][0]!r}",
                    "an outcome without a date is one per entity",
                    "keep one row per entity, or deliver event_time",
                )
            )
    else:
        seen = positives[positives["time_us"] < FOREVER_US]
        early = seen["time_us"] < seen["entity_id"].map(known).fillna(-1)
        if early.mean() > BEFORE_CREATION_SHARE:
            faults.append(
                Fault(
                    f"{where}, column event_time",
                    f"{int(early.sum()):,} of {len(seen):,} outcomes ({early.mean():.0%}) are dated before their entity existed, such as "
                    f"{_early(seen[early].iloc[0], known)}",
                    f"an outcome comes after the first version of its entity; at most {BEFORE_CREATION_SHARE:.0%} may not",
                    f"give the first version in {ENTITIES[entity]} the date on which it was first known as event_time, or leave these rows "
                    f"out of {table}",
                )
            )
    denied, notes = contradictions(source, entity, positives, where)
    faults += denied
    if faults:
        raise OutcomesRefused(f"the outcomes of source {source.name!r}", faults)
    end, stopped = _until(source, table)
    notes = (*notes, *stopped)
    if not dated:
        values = rows.dropna(subset=flag).drop_duplicates("entity_id").set_index("entity_id")[flag].astype(float)
        return Outcomes(
            entity, table, pd.DataFrame({"entity_id": [], "time_us": np.empty(0, np.int64)}), values, end, 0, notes
        )
    events = positives[positives["time_us"] < FOREVER_US][["entity_id", "time_us"]]
    events = events.sort_values(["entity_id", "time_us"])
    return Outcomes(entity, table, _observed(source, events, end), None, end, 0, notes)


def _early(outcome: pd.Series, known: pd.Series) -> str:
    first = known[outcome["entity_id"]]
    return f"{outcome['entity_id']!r}: {from_us(outcome['time_us']):%Y-%m-%d}, its first version is of {from_us(first):%Y-%m-%d}"


def contradictions(
    source: Source, entity: Entity, positives: pd.DataFrame, where: str
) -> tuple[list[Fault], tuple[str, ...]]:
    """Ready outcomes that the source's own events deny: a fault when nearly all are, a note when most are.

    An account that left pays for nothing in the 30 days after (undated: at the end of the data); a lead that converted has
    not lost every deal that it had. Outcomes of which the events say nothing are not counted.
    """
    if entity == "account" and source.has("subscriptions"):
        columns = ["subscription_id", "account_id", "event_time", "known_time", "status", "mrr"]
        _, spells = churn_events(source.arrow("subscriptions", columns, seen=True))
        dated = positives["time_us"] if "time_us" in positives else pd.Series(FOREVER_US, positives.index)
        left = positives.assign(time_us=dated.where(dated < FOREVER_US, source.observed.last_us))
        both = left.reset_index().merge(spells, on="entity_id")
        begun = both[both["start_us"] <= both["time_us"]]
        denied = (begun["end_us"] > begun["time_us"] + RETURN_DAYS * DAY_US).groupby(begun["index"]).any()
        said, rows = "a paid contract runs on for more than 30 days after it", "departures"
        instead = "leave out churn_labels.sql: the outcome is then read from subscriptions"
    elif entity == "lead" and source.has("opportunities", "lead_id"):
        deals = source.arrow("opportunities", ["lead_id", "status"], seen=True).to_pandas().dropna()
        settled = (
            deals[deals["status"].isin(["won", "lost"])].groupby("lead_id")["status"].agg(lambda s: "won" not in set(s))
        )
        denied = positives["entity_id"].map(settled).dropna().astype(bool)
        said, rows = "every deal of the lead was lost", "conversions"
        instead = "leave out lead_labels.sql: the outcome is then read from opportunities"
    else:
        return [], ()
    if len(denied) < FEWEST_TO_CONTRADICT or denied.mean() < CONTRADICTED_NOTE:
        return [], ()
    found = f"{int(denied.sum()):,} of {len(denied):,} {rows} that can be checked are denied by the source's own events: {said}"
    if denied.mean() < CONTRADICTED:
        return [], (f"Of the labels, {found}. What the model predicts is the label, not what the events show.",)
    fault = Fault(
        where,
        found,
        f"labels and events tell of the same outcome; at most {CONTRADICTED:.0%} may differ",
        f"check identifiers and dates of both tables, or {instead}",
    )
    return [fault], ()


def created(source: Source, entity: Entity) -> pd.Series:
    """entity_id -> first event_time of the entity in microseconds since 1970."""
    table, key = ("accounts", "account_id") if entity == "account" else ("leads", "lead_id")
    rows = _frame(source.arrow(table, [key, "event_time"], seen=True))
    return rows.groupby(key, sort=True)["time_us"].min().rename_axis("entity_id")


def _no_outcome(source: Source, what: str, needed: str, ready: str) -> OutcomesRefused:
    return OutcomesRefused(
        f"source {source.name!r}",
        [
            Fault(
                f"source {source.name!r}",
                f"no table tells of {what}; it has {', '.join(source.tables)}",
                f"{what} is read from {needed}, or from {ready}",
                f"add {ready}.sql with one row per known outcome (its columns: features/sources/schema.py)",
            )
        ],
    )
