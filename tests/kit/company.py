"""Small companies for tests, written as a source folder: rows in, `Source` out."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.readiness.labelled_rows import themed
from features.sources.loader import open_source
from features.sources.schema import TABLES
from features.sources.source import Source
from models.definition import Model

Rows = Mapping[str, Sequence[Mapping[str, Any]]]

ARROW = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "money": pa.float64(),
    "boolean": pa.bool_(),
    "time": pa.timestamp("us", "UTC"),
}


def at(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def make_source(folder: Path, tables: Rows) -> Source:
    """Write the rows as Parquet with one SELECT each, and open the folder; empty tables keep their types."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        given = {key for row in rows for key in row}
        held = [c for c in TABLES[name].canonical if c.name in given or not c.only_given]
        columns = {c.name: ARROW[c.type] for c in held}
        extra = [key for row in rows for key in row if key not in columns]
        schema = pa.schema([*columns.items(), *((key, pa.string()) for key in dict.fromkeys(extra))])
        pq.write_table(pa.Table.from_pylist([dict(r) for r in rows], schema=schema), folder / f"{name}.parquet")
        (folder / f"{name}.sql").write_text(f"SELECT * FROM read_parquet('${{data}}/{name}.parquet')")
    return open_source(str(folder), folder)


def all_but(source: Source, model: Model, *kept: str) -> tuple[str, ...]:
    """The model's signals to exclude so that `kept` are left: a panel takes as long as it has columns."""
    names = [signal.name for signal in themed(source, model)]
    assert set(kept) <= set(names), set(kept) - set(names)
    return tuple(name for name in names if name not in kept)


LEAD_SIGNALS = (
    "lead_age_days",
    "inbound_touches_28d",
    "days_since_inbound",
    "intent_decayed",
    "seniority",
    "industry",
    "employees",
    "channel",
)
ACCOUNT_SIGNALS = (
    "days_since_usage",
    "events_28d",
    "events_slope_84d",
    "active_users_change_28d",
    "days_to_renewal",
    "mrr",
    "industry",
    "tickets_opened_84d",
)
"""Of many themes, and enough for a model that ranks on a simulated company."""


def random_company(
    seed: int, accounts: int = 6, days: int = 200, start: dt.datetime = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
) -> dict[str, list[dict[str, Any]]]:
    """A company with what real tables have: nulls, late rows, ties at midnight, silent and one-row accounts."""
    rng = random.Random(seed)

    def moment(lo: float = 0, hi: float = days) -> dt.datetime:
        when = start + dt.timedelta(days=rng.uniform(lo, hi))
        # A third lies exactly on midnight, where as_of lies too.
        return when.replace(hour=0, minute=0, second=0, microsecond=0) if rng.random() < 0.33 else when

    def known(event: dt.datetime) -> dt.datetime | None:
        chance = rng.random()
        return (
            None
            if chance < 0.5
            else event
            if chance < 0.75
            else event + dt.timedelta(days=rng.choice([0.1, 1, 5, 9, 30]))
        )

    def row(event: dt.datetime, **values: Any) -> dict[str, Any]:
        return {"event_time": event, "known_time": known(event), **values}

    some = rng.choice
    tables: dict[str, list[dict[str, Any]]] = {
        name: [] for name, table in TABLES.items() if table.kind in ("event", "state")
    }
    names = [f"a{i}" for i in range(accounts)]
    for number, name in enumerate(names):
        firm = {
            "industry": some(["software", "retail", None]),
            "region": some(["north", None]),
            "country": "DE",
            "employees": some([None, 5, 250, 10_000]),
            "annual_revenue": some([None, 1e6, 2.5e7]),
            "channel": some(["paid", "organic", None]),
            "campaign_kind": some(["webinar", None]),
            "partner": some([None, "acme"]),
            "is_trial": some([True, False, None]),
            "founded_time": some([None, start - dt.timedelta(days=4000)]),
        }
        tables["accounts"].append(row(moment(-50, 0), account_id=name, kind=some(["customer", None, "test"]), **firm))
        if number % 2:
            tables["accounts"].append(
                row(moment(0), account_id=name, **{**firm, "employees": 77, "opted_out": some([None, True])})
            )
        for person in range(rng.randrange(4)):
            for _ in range(rng.randrange(1, 3)):
                tables["contacts"].append(
                    row(
                        moment(),
                        contact_id=f"{name}p{person}",
                        account_id=name,
                        department=some(["it", "sales", None]),
                        seniority=some(["vp", "manager", None]),
                        is_decision_maker=some([True, False, None]),
                        has_left=some([True, False, None]),
                    )
                )
        for contract in range(rng.randrange(3)):
            for status in ("active", "active", some(["notice", "active"]), "ended")[: rng.randrange(1, 5)]:
                event = moment()
                tables["subscriptions"].append(
                    row(
                        event,
                        subscription_id=f"{name}s{contract}",
                        account_id=name,
                        status=status,
                        mrr=some([0.0, 99.5, 1234.56]),
                        plan=some(["pro", "basic", None]),
                        product=some(["core", "extra", None]),
                        seats=some([None, 3, 20]),
                        discount=some([None, 0.0, 0.25]),
                        term_months=some([1, 12, None]),
                        term_end=some([None, event + dt.timedelta(days=90)]),
                        auto_renew=some([True, False, None]),
                    )
                )
        for _ in range(rng.choice([0, 1, 40, 160])):
            tables["usage"].append(
                row(
                    moment(),
                    account_id=name,
                    user_id=some(["u1", "u2", "u3", "u4", None]),
                    feature=some(["board", "chat", "export", None]),
                    kind=some(["action", "admin", "error", None]),
                    quantity=some([None, 1, 7]),
                )
            )
        for ticket in range(rng.randrange(5)):
            for status in ("open", some(["pending", "reopened"]), "closed")[: rng.randrange(1, 4)]:
                tables["tickets"].append(
                    row(
                        moment(),
                        ticket_id=f"{name}t{ticket}",
                        account_id=name,
                        status=status,
                        priority=some(["low", "urgent", None]),
                        escalated=some([True, False, None]),
                        first_response_minutes=some([None, 15, 600]),
                        satisfaction=some([None, 1, 5]),
                    )
                )
        for bill in range(rng.randrange(5)):
            for status in ("open", "failed", "paid")[: rng.randrange(1, 4)]:
                event = moment()
                tables["invoices"].append(
                    row(
                        event,
                        invoice_id=f"{name}i{bill}",
                        account_id=name,
                        status=status,
                        amount=some([10.0, 99.99]),
                        due_time=some([None, event - dt.timedelta(days=3), event + dt.timedelta(days=14)]),
                    )
                )
        for deal in range(rng.randrange(3)):
            status = some(["open", "won", "lost"])
            tables["opportunities"].append(
                row(
                    moment(),
                    opportunity_id=f"{name}o{deal}",
                    account_id=name,
                    lead_id=f"l{rng.randrange(accounts)}",
                    stage="x",
                    status=status,
                    amount=some([None, 5000.0]),
                )
            )
    for number in range(accounts):
        for status in ("open", some(["working", "converted"]))[: rng.randrange(1, 3)]:
            tables["leads"].append(
                row(
                    moment(),
                    lead_id=f"l{number}",
                    account_id=some([None, *names]),
                    status=status,
                    email=some([None, "x@gmail.com", "Y@Firm.example", "no-address"]),
                    industry=some(["software", None]),
                    title=some([None, "CTO"]),
                    seniority=some(["c_level", None]),
                    is_trial=some([True, None]),
                )
            )
    kinds = ["email_open", "email_sent", "web_visit", "pricing_view", "demo_request", "meeting", "webinar", "call"]
    for _ in range(60 * accounts):
        tables["touches"].append(
            row(
                moment(),
                kind=some(kinds),
                account_id=some([None, *names]),
                lead_id=some([None, *(f"l{i}" for i in range(accounts))]),
                contact_id=some([None, "p0", "p1", "p2"]),
                direction=some([None, "in", "out"]),
            )
        )
    for number in range(4 * accounts):
        event, shop = moment(), {"channel": some([None, "web", "Trade Show"]), "quantity": some([None, 3])}
        order = {"order_id": f"r{number}", "account_id": some(names), "amount": some([20.0, 99.99]), **shop}
        tables["orders"].append(row(event, status="placed", **order))
        if rng.random() < 0.5:
            tables["orders"].append(
                row(event + dt.timedelta(days=3), status=some(["shipped", "cancelled", "returned"]), **order)
            )
    return tables
