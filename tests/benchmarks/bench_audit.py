"""`make bench-audit`: what the audit of a table finds, misses and wrongly accuses, on the public datasets and on made tables.

`ACCOUNTSCORE_DATA` names the directory that holds the datasets; which of their columns know the outcome is what their own notes
say (`PUBLIC`). The made tables (`tests.kit.audited_plans`) have leaks of every kind beside strong columns that are honest; half of
them were kept back while thresholds were chosen. A leak is found when a finding of high or medium severity names it. A false
alarm is any other column that a finding of that severity names. One JSON object on stdout, a table on stderr.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from features.audit.finding import Finding
from features.audit.table import audit_table
from features.kit.settings import Settings
from tests.kit.audited_plans import TABLES
from tests.kit.audited_tables import AuditedTable


@dataclass(frozen=True)
class Counted:
    """What the findings say of one table, by the names of its columns."""

    high: tuple[str, ...]
    medium: tuple[str, ...]
    missed: tuple[str, ...]
    false_high: tuple[str, ...]
    false_medium: tuple[str, ...]

    @property
    def found(self) -> int:
        return len(self.high) + len(self.medium)


def count(findings: list[Finding], table: AuditedTable) -> Counted:
    """Leaks found at high, else at medium, else missed; the other columns that are named at either severity.

    Columns of which the notes themselves say "with care" count for neither.
    """
    by = {s: {c for f in findings if f.severity == s for c in f.columns} for s in ("high", "medium")}
    honest = set(map(str, table.frame.columns)) - table.leaks - table.doubtful - {table.label}
    return Counted(
        high=tuple(sorted(table.leaks & by["high"])),
        medium=tuple(sorted(table.leaks & by["medium"] - by["high"])),
        missed=tuple(sorted(table.leaks - by["high"] - by["medium"])),
        false_high=tuple(sorted(honest & by["high"])),
        false_medium=tuple(sorted(honest & by["medium"] - by["high"])),
    )


def x_education(data: Path) -> AuditedTable:
    frame = pd.read_csv(data / "x_education_leads/Leads.csv.gz").drop(columns=["Prospect ID", "Lead Number"])
    scores = {f"Asymmetrique {of} {kind}" for of in ("Activity", "Profile") for kind in ("Index", "Score")}
    leaks = {"Tags", "Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity"} | scores
    totals = {"TotalVisits", "Total Time Spent on Website", "Page Views Per Visit"}
    return AuditedTable("x_education_leads", frame, "Converted", leaks, doubtful=totals)


def salvirt(data: Path) -> AuditedTable:
    frame = pd.read_csv(next((data / "salvirt_b2b_deals").glob("*.csv")), sep=";")
    return AuditedTable("salvirt_b2b_deals", frame, "Status", set())


def maven(data: Path) -> AuditedTable:
    folder = data / "maven_crm_sales"
    deals = pd.read_csv(folder / "sales_pipeline.csv")
    deals = deals[deals.deal_stage.isin(["Won", "Lost"])].reset_index(drop=True)
    deals["product"] = deals["product"].replace("GTXPro", "GTX Pro")
    for name, key in (("accounts", "account"), ("products", "product"), ("sales_teams", "sales_agent")):
        deals = deals.merge(pd.read_csv(folder / f"{name}.csv"), on=key, how="left")
    days = (pd.to_datetime(deals.close_date) - pd.to_datetime(deals.engage_date)).dt.days
    frame = deals.assign(cycle_days=days, engaged_in_month=pd.to_datetime(deals.engage_date).dt.month)
    frame = frame.drop(columns=["opportunity_id", "engage_date"])
    return AuditedTable("maven_crm_sales", frame, "deal_stage", {"close_value", "close_date", "cycle_days"})


def bank(data: Path) -> AuditedTable:
    frame = pd.read_csv(data / "uci_bank_marketing/bank-additional-full.csv.gz", sep=";")
    return AuditedTable("uci_bank_marketing", frame, "y", {"duration"}, doubtful={"campaign"})


def telco(data: Path) -> AuditedTable:
    frame = pd.read_csv(data / "ibm_telco_churn/Telco-Customer-Churn.csv").drop(columns="customerID")
    return AuditedTable("ibm_telco_churn", frame, "Churn", set())


def ravenstack_subscriptions(data: Path) -> AuditedTable:
    frame = pd.read_csv(data / "ravenstack_saas/ravenstack_subscriptions.csv")
    frame = frame.drop(columns=["subscription_id", "account_id"])
    undated = {"upgrade_flag", "downgrade_flag", "start_date"}
    return AuditedTable("ravenstack_saas: subscriptions", frame, "churn_flag", {"end_date"}, doubtful=undated)


def ravenstack_events(data: Path) -> AuditedTable:
    folder = data / "ravenstack_saas"
    events = pd.read_csv(folder / "ravenstack_churn_events.csv").drop_duplicates("account_id")
    frame = pd.read_csv(folder / "ravenstack_accounts.csv").merge(events, on="account_id", how="left")
    frame = frame.assign(left=frame.churn_date.notna()).drop(columns=["account_id", "account_name"])
    leaks = set(events.columns) - {"account_id"} | {"churn_flag"}
    return AuditedTable("ravenstack_saas: churn events", frame, "left", leaks, doubtful={"signup_date"})


def ravenstack_tickets(data: Path) -> AuditedTable:
    tickets = pd.read_csv(data / "ravenstack_saas/ravenstack_support_tickets.csv").drop(
        columns=["ticket_id", "account_id"]
    )
    leaks = {"closed_at", "resolution_time_hours", "satisfaction_score"}
    return AuditedTable("ravenstack_saas: tickets", tickets, "escalation_flag", leaks, time="submitted_at")


def ceu(data: Path) -> AuditedTable:
    activity = pd.read_csv(data / "ceu_saas_activity/activity.csv.gz", sep=";")
    seen = set(zip(activity.id, activity.activity_month, strict=True))
    rows = activity[activity.activity_month.between(4, 18)].copy()
    later = zip(rows.id, rows.activity_month, strict=True)
    rows["left"] = [not any((who, month + n) in seen for n in (1, 2, 3)) for who, month in later]
    return AuditedTable("ceu_saas_activity", rows.drop(columns="id"), "left", set(), time="activity_month")


def retail(data: Path) -> AuditedTable:
    """Customers as of 1 September, who order no more; beside the fair recency the one at the end of the data."""
    lines = pd.read_parquet(next((data / "online_retail_2009_2010").glob("*.parquet")))
    lines = lines.rename(columns=lambda c: c.replace(" ", ""))
    lines = lines[lines.CustomerID.notna() & ~lines.Invoice.astype(str).str.startswith("C")]
    lines = lines.assign(amount=lines.Quantity * lines.Price, at=pd.to_datetime(lines.InvoiceDate))
    cut, before = pd.Timestamp("2010-09-01"), lines[lines["at"] < "2010-09-01"]
    who = before.groupby("CustomerID")
    frame = pd.DataFrame(
        {
            "recency_days": (cut - who["at"].max()).dt.days,
            "first_order_days_ago": (cut - who["at"].min()).dt.days,
            "orders": who.Invoice.nunique(),
            "spent": who.amount.sum(),
            "lines": who.size(),
            "country": who.Country.first(),
        }
    )
    last = lines.groupby("CustomerID")["at"].max().reindex(frame.index)
    frame["days_since_last_order"] = (lines["at"].max() - last).dt.days
    frame["lapsed"] = last < cut
    return AuditedTable("online_retail_2009_2010", frame.reset_index(drop=True), "lapsed", {"days_since_last_order"})


PUBLIC: tuple[Callable[[Path], AuditedTable], ...] = (
    x_education,
    salvirt,
    maven,
    bank,
    telco,
    ravenstack_subscriptions,
    ravenstack_events,
    ravenstack_tickets,
    ceu,
    retail,
)


def tables(data: Path | None) -> Iterator[AuditedTable]:
    if data is not None:
        yield from (load(data) for load in PUBLIC)
    yield from (make() for make in TABLES)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*", help="beginnings of names of tables; all when none is given")
    given = arguments.parse_args()
    data = Settings.from_env().data
    console = Console(stderr=True, width=150)
    if data is None:
        console.print("ACCOUNTSCORE_DATA is not set (make: DATA=): the made tables only")
    shown = Table("table", "leaks", "high", "medium", "missed", "false at high", "false at medium", "CPU s")
    lines: list[dict[str, object]] = []
    sums = {kind: [0] * 6 for kind in ("public", "made", "made, held out")}
    for table in tables(data):
        if given.names and not table.name.startswith(tuple(given.names)):
            continue
        began = time.process_time()
        counted = count(audit_table(table.frame, table.label, table.time), table)
        seconds = time.process_time() - began
        shown.add_row(
            table.name,
            str(len(table.leaks)),
            str(len(counted.high)),
            str(len(counted.medium)),
            ", ".join(counted.missed),
            ", ".join(counted.false_high),
            ", ".join(counted.false_medium),
            f"{seconds:.1f}",
        )
        kind = "public" if not table.made else "made, held out" if table.held_out else "made"
        parts = (table.leaks, counted.high, counted.medium, counted.missed, counted.false_high, counted.false_medium)
        sums[kind] = [total + len(part) for total, part in zip(sums[kind], parts, strict=True)]
        lines.append(
            {"table": table.name, "kind": kind, "leaks": len(table.leaks), **vars(counted), "cpu_s": round(seconds, 2)}
        )
    for kind, total in sums.items():
        shown.add_row(f"all {kind}", *map(str, total), style="bold")
    console.print(shown)
    print(json.dumps({"tables": lines}))


if __name__ == "__main__":
    main()
