"""The simulated companies that several tests look at, and how they look."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from features.simulate.base import EPOCH, World
from features.simulate.buyers import NEVER, Deals
from features.simulate.company import tables_written
from features.simulate.customers import NEVER_DAY, STAYS, Histories, Spells

END = dt.date(2025, 6, 19)
CHANGE = dt.date(2024, 12, 5)
SMALL: dict[str, Any] = {"accounts": 150, "leads": 500, "days": 420, "end": END, "usage_events": 20_000}


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    for name in (*tables_written(), "truth"):
        path = folder / ("usage/*.parquet" if name == "usage" else f"{name}.parquet")
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{path}')")
    return connection


def one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row


def world_of(**changes: Any) -> World:
    end_day = (END - EPOCH).days
    base = World(
        accounts=1, leads=1, seed=1, usage_events=0, start_day=end_day - 500, end_day=end_day, change_day=end_day
    )
    return replace(base, **changes)


def spells_of(start_day: int, count: int = 1) -> Spells:
    same = np.ones(count, np.int64)
    return Spells(
        account=np.arange(count),
        start_us=same * start_day * 86_400_000_000,
        term=2 * same,
        auto_renew=np.zeros(count, bool),
        discount=np.zeros(count),
        seats_at_start=8 * same,
        multiplier=np.ones(count),
        add_on=np.zeros(count, bool),
        first_health=2 * same,
        on_grid=np.ones(count, bool),
    )


PAID = "mrr > 0 AND status IN ('active', 'notice')"


Outcomes = dict[str, npt.NDArray[Any]]


def churn_outcomes(connection: duckdb.DuckDBPyConnection) -> Outcomes:
    """The truth with the outcome by definition: the last paid contract ends, and none begins within 30 days."""
    return connection.sql(f"""
        WITH version AS (
            SELECT *, lead(event_time, 1, TIMESTAMPTZ '2100-01-01') OVER (
                PARTITION BY subscription_id ORDER BY event_time, (status = 'ended')::INT) AS until
            FROM subscriptions
        ), paid AS (SELECT account_id, event_time AS since, until FROM version WHERE {PAID}),
        flagged AS (
            SELECT *, coalesce(since > max(until) OVER (
                PARTITION BY account_id ORDER BY since, until ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), true) AS fresh
            FROM paid
        ), numbered AS (
            SELECT *, sum(fresh::INT) OVER (PARTITION BY account_id ORDER BY since, until) AS number FROM flagged
        ), stretch AS (SELECT account_id, min(since) AS since, max(until) AS until FROM numbered GROUP BY account_id, number),
        churn AS (
            SELECT account_id, until FROM stretch s WHERE until < TIMESTAMPTZ '2099-01-01' AND NOT EXISTS (
                FROM stretch n WHERE n.account_id = s.account_id AND n.since > s.until AND n.since < s.until + INTERVAL 30 DAY)
        )
        SELECT t.*, coalesce(c.until < as_of + to_days(horizon_days::INT), false) AS happened
        FROM truth t ASOF LEFT JOIN churn c ON c.account_id = t.entity_id AND c.until >= t.as_of WHERE entity = 'account' AND as_of + to_days(horizon_days::INT + 30) <= TIMESTAMPTZ '{END}'
    """).fetchnumpy()


def conversion_outcomes(connection: duckdb.DuckDBPyConnection) -> Outcomes:
    """The truth with the outcome by definition: the lead's company wins a deal; linked by account, deal, or domain."""
    return connection.sql(f"""
        WITH lead_account AS (
            SELECT l.lead_id, coalesce(max(l.account_id), any_value(a.account_id)) AS account_id FROM leads l
            LEFT JOIN (SELECT DISTINCT domain, account_id FROM accounts) a ON a.domain = split_part(l.email, '@', 2) GROUP BY 1
        ), won AS (
            SELECT l.lead_id, o.event_time FROM opportunities o JOIN lead_account l USING (account_id) WHERE o.status = 'won'
        )
        SELECT t.*, coalesce(w.event_time < as_of + to_days(horizon_days::INT), false) AS happened
        FROM truth t ASOF LEFT JOIN won w ON w.lead_id = t.entity_id AND w.event_time >= t.as_of WHERE entity = 'lead' AND as_of + to_days(horizon_days::INT) <= TIMESTAMPTZ '{END}'
    """).fetchnumpy()


def past_of(world: World, spells: Spells, **changes: Any) -> Histories:
    """Histories in which every spell stays in steady health with the seats of its start; `changes` by field."""
    count = len(spells.account)
    since = world.week_of(spells.start_us)[:, None]
    there = np.arange(world.weeks) >= since
    past = Histories(
        health=np.where(there, 2, -1).astype(np.int8),
        seats=np.where(there, spells.seats_at_start[:, None], 0).astype(np.int16),
        ending=np.full(count, STAYS, np.int8),
        end_day=np.full(count, NEVER_DAY),
        notice_us=np.full(count, -1),
        add_on_drop_us=np.full(count, -1),
        key_losses=np.zeros((count, world.weeks), np.uint8),
        grown=[],
        truth=[],
    )
    return replace(past, **changes)


def deals_of(firm: list[int], outcome: list[int], closed_us: list[int]) -> Deals:
    """Deals that were not in the CRM before they closed: no opportunity, no qualification."""
    size = len(firm)
    never = np.full(size, NEVER)
    return Deals(
        firm=np.array(firm, np.int64),
        first_lead=np.arange(size),
        start_week=np.zeros(size, np.int64),
        multiplier=np.ones(size),
        channel=np.zeros(size, np.int64),
        intent=np.zeros((size, 1), np.int8),
        outcome=np.array(outcome, np.int64),
        closed_us=np.array(closed_us, np.int64),
        qualified_us=never,
        opened_us=never,
        proposal_us=never,
        truth=[],
    )
