"""Simulates the whole sample company: draws every part and writes every table to Parquet."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.kit.errors import BadInput, Fault
from features.simulate import buyers, contracts, firms, owners, population, records, signs, usage
from features.simulate import parameters as p
from features.simulate.base import EPOCH, GRID_DAYS, Part, World, arrow, before, by_time, choose, ids, join, write
from features.simulate.truth import truth_table
from features.sources.schema import TABLES

DEFAULT_END = dt.date(2026, 1, 1)
"""Default for callers from Python, so that tests and benchmarks get the same bytes on any day; the command ends today.

Every company is drawn as if it ended on this day, and then moved. Otherwise months of another length would move renewals, one
different outcome would shift all later draws, and the quality of a model on the sample would depend on the day of the demo."""
CHANGE_AFTER_SHARE = 0.4
Progress = Callable[[str, float], None]


def simulate(
    out: Path,
    *,
    accounts: int = 2000,
    leads: int = 8000,
    days: int = 730,
    end: dt.date = DEFAULT_END,
    seed: int = 7,
    usage_events: int | None = None,
    change: dt.date | None = None,
    progress: Progress = lambda what, share: None,
) -> dict[str, int]:
    """Write a sample company to `out` and return the number of rows by table.

    accounts     : companies that did not come as leads; those that leads become are added to them
    leads        : leads over the whole time
    days, end    : the history ends before `end`, a day that starts at 00:00 UTC, and is up to 27 days shorter than `days`: a company
                   of one seed is the same whatever its end, moved by whole steps of the 28-day grid of as_of and cut at `end`
    usage_events : about how many, whatever the number of accounts; default `EVENTS_PER_ACCOUNT` an account
    change       : first day of the new regime, moved back to the start of its week (weeks start on Thursdays, as the
                   as_of grid does); default after `CHANGE_AFTER_SHARE` of the history; none when it lies at or after `end`
    progress     : called with what is being made and the share that is done

    Files of an earlier run in `out` are replaced at the end, all together; other files stay. Raises `BadInput` with all
    faults of the sizes.
    """
    world = _world(accounts, leads, days, end, seed, usage_events, change)
    making = out / ".making"
    shutil.rmtree(making, ignore_errors=True)
    (making / "usage").mkdir(parents=True)
    try:
        rows = _build(world, making, progress)
        (out / "usage").mkdir(exist_ok=True)
        for stale in (out / "usage").glob("*.parquet"):
            stale.unlink()
        for made in making.rglob("*.parquet"):
            made.replace(out / made.relative_to(making))
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return rows


def _world(
    accounts: int, leads: int, days: int, end: dt.date, seed: int, usage_events: int | None, change: dt.date | None
) -> World:
    events = p.EVENTS_PER_ACCOUNT * accounts if usage_events is None else usage_events
    rules: list[tuple[str, object, bool, str]] = [
        ("accounts", accounts, 1 <= accounts <= 5_000_000, "1 to 5,000,000"),
        ("leads", leads, 0 <= leads <= 8_999_999, "0 to 8,999,999, so that ids keep their width"),
        ("days", days, 56 <= days <= 3660, "56 (one as_of, whatever the end) to 3,660 (ten years)"),
        ("end", end, dt.date(1990, 1, 1) <= end <= dt.date(2190, 1, 1), "between 1990 and 2190"),
        ("seed", seed, seed >= 0, "0 or more"),
        ("usage_events", events, events >= 0, "0 or more"),
    ]
    faults = [
        Fault(where=name, found=repr(value), rule=f"{name} is {rule}", next_step=f"give another {name}")
        for name, value, holds, rule in rules
        if not holds
    ]
    if faults:
        raise BadInput("sample company", faults)
    drawn_end, end_day = (DEFAULT_END - EPOCH).days, (end - EPOCH).days
    cut_days = (drawn_end - end_day) % GRID_DAYS
    moved_days = end_day + cut_days - drawn_end
    start_day = drawn_end - days
    change_day = start_day + int(days * CHANGE_AFTER_SHARE) if change is None else (change - EPOCH).days - moved_days
    return World(
        accounts=accounts,
        leads=leads,
        seed=seed,
        usage_events=events,
        start_day=start_day,
        end_day=drawn_end,
        change_day=change_day,
        moved_days=moved_days,
        cut_days=cut_days,
    )


def _build(world: World, out: Path, progress: Progress) -> dict[str, int]:
    progress("companies, leads and customers", 0.0)
    every = firms.found(world, world.accounts + world.leads)
    role = choose(world.rng("roles"), p.ROLE_SHARE, world.accounts)
    leads, deals = buyers.draw_leads(world, every, np.flatnonzero(role == population.PROSPECT), world.accounts)
    account_of_deal = population.accounts_of_deals(world, deals)
    accounts = population.draw_accounts(world, every, role, deals, account_of_deal)
    spells, past = population.lives(world, accounts)
    lead_number = np.argsort(np.argsort(leads.created_us, kind="stable"))
    known_account = np.where(deals.firm[leads.deal] < world.accounts, deals.firm[leads.deal], -1)
    texts = firms.vocabularies(every)
    texts["account_id"] = ids("acc", 6, len(accounts.firm))
    texts["lead_id"] = ids("lead", 7, world.leads)
    texts |= {"owner": owners.staff(world), "parent_id": texts["account_id"], "target_tier": pa.array(owners.TIERS)}
    rows: dict[str, int] = {}

    def save(name: str, part: Part, key: str | None, prefix: str = "", digits: int = 0, **more: pa.Array) -> None:
        """Write a table in order of time; with a `prefix`, its things get ids by their first row."""
        progress(name, 0.1 + 0.03 * len(rows))
        part = by_time(
            before(world.end_us, part), *([key] if key else [column for column in part if column.endswith("_id")])
        )
        vocabulary = {**texts, **more}
        if prefix and key:
            distinct, first = np.unique(part[key], return_index=True)
            number = np.empty(len(distinct), np.int64)
            number[np.argsort(first)] = np.arange(len(distinct))
            part[key] = number[np.searchsorted(distinct, part[key])]
            vocabulary[key] = ids(prefix, digits, len(distinct))
        part = before(world.extract_us, part)  # only now, so that a thing has its id whatever day is the last
        write(out / f"{name}.parquet", arrow(world, name, part, vocabulary))
        rows[name] = len(part["event_time"])

    account_rows = records.account_rows(world, every, accounts)
    account_rows |= owners.of_accounts(world, every, accounts, account_rows)
    save("accounts", account_rows, "account_id", kind=pa.array(population.ACCOUNT_KINDS))
    people, contact_rows = signs.contacts(world, spells, past, accounts.entered_us)
    texts["contact_id"] = ids("con", 7, people.size)
    save("contacts", contact_rows, "contact_id", email=records.contact_mails(people.account, every, accounts))
    lead_rows = records.lead_rows(world, every, leads, deals, known_account, account_of_deal)
    lead_rows["owner"] = owners.of_leads(world, every, leads, lead_rows)
    lead_rows["lead_id"] = lead_number[lead_rows["lead_id"]]
    save(
        "leads",
        lead_rows,
        "lead_id",
        status=pa.array(records.LEAD_STATUSES),
        email=records.lead_mails(every, leads, lead_number),
    )
    del account_rows, lead_rows, contact_rows

    touches = signs.lead_touches(world, leads, deals, known_account)
    touches["lead_id"] = lead_number[touches["lead_id"]]
    touches = join([touches, signs.account_touches(world, spells, past, people)])
    save("touches", touches, None, kind=pa.array(signs.TOUCH_KINDS), direction=pa.array(signs.DIRECTIONS))
    del touches

    sold = records.lead_deals(world, every, deals, account_of_deal, lead_number)
    save(
        "opportunities",
        join([sold, contracts.customer_deals(world, spells, past, len(deals.firm))]),
        "opportunity_id",
        "opp",
        7,
        stage=pa.array(contracts.STAGES),
        status=pa.array(contracts.DEAL_STATUSES),
        kind=pa.array(contracts.DEAL_KINDS),
    )
    agreed = contracts.subscriptions(world, spells, past, population.trials(accounts, spells))
    save(
        "subscriptions",
        join([agreed, records.failed_trials(accounts, 2 * len(spells.account))]),
        "subscription_id",
        "sub",
        7,
        status=pa.array(contracts.STATUSES),
        plan=pa.array(contracts.PLANS),
        product=pa.array(contracts.PRODUCTS),
    )
    save(
        "tickets",
        signs.tickets(world, spells, past),
        "ticket_id",
        "tic",
        7,
        status=pa.array(signs.TICKET_STATUSES),
        priority=pa.array(signs.PRIORITIES),
    )
    save(
        "invoices",
        contracts.invoices(world, spells, past),
        "invoice_id",
        "inv",
        8,
        status=pa.array(contracts.INVOICE_STATUSES),
    )

    progress("truth", 0.38)
    truth = truth_table(world, accounts, spells, past, leads, deals, lead_number, texts)
    write(out / "truth.parquet", truth)
    rows["truth"] = truth.num_rows
    del truth
    activities = population.activities(world, every, accounts, spells, past)
    del spells, past, leads, deals, sold, agreed
    rows["usage"] = usage.write_usage(
        world,
        activities,
        len(accounts.firm),
        {"account_id": texts["account_id"]},
        out / "usage",
        lambda share: progress("usage", 0.4 + 0.6 * share),
    )
    return {name: rows[name] for name in (*TABLES, "truth") if name in rows}


def tables_written() -> tuple[str, ...]:
    """The canonical tables that a sample company has: all but the ready outcomes, which follow from the others, the actions, the costs,
    and the orders, since it sells by contract."""
    return tuple(name for name, table in TABLES.items() if table.kind in ("event", "state") and name != "orders")
