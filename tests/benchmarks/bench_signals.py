"""`make bench-signals`: what signals cost on 50 million usage events, against what a user would otherwise write.

Rivals in the same run, on the same Parquet: (a) a plain DuckDB query, written by hand, that computes 20 aggregates for one
cutoff; (b) pandas on a share of the accounts, scaled by the number of events. Ours: the same 20 aggregates for one cutoff, for a
panel of 24 four-weekly cutoffs, and for the next day's nightly run; and the nightly run with every usage signal.

Each step runs in a process of its own, so that its peak memory is its own. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ACCOUNTS, EVENTS = 20_000, 50_000_000
LAST = dt.datetime(2025, 12, 30, tzinfo=dt.UTC)
PANEL = [LAST - dt.timedelta(days=28 * n) for n in range(24)]
STEPS = ("plain", "pandas", "one", "panel24", "nightly", "first_night", "nightly_all")
PANDAS_SHARE = 20
"""Pandas gets one account in so many."""

SIGNALS = [
    "events_7d",
    "events_28d",
    "events_84d",
    "active_users_7d",
    "active_users_28d",
    "active_users_84d",
    "events_change_28d",
    "active_users_change_28d",
    "events_change_7d",
    "quantity_28d",
    "admin_acts_28d",
    "error_rate_28d",
    "features_used_28d",
    "features_used_84d",
    "features_used_change_28d",
    "active_days_28d",
    "active_weeks_84d",
    "usage_regularity_28d",
    "events_slope_84d",
    "stickiness_28d",
]
"""Made of 20 aggregates: those of `plain`."""


def plain(data: Path) -> None:
    """The query that a good engineer writes: one pass, the window in the WHERE clause, one FILTER per aggregate."""
    import duckdb

    def within(days: int, before: int = 0) -> str:
        return f"age >= {before} AND age < {days + before}"

    moment = f"TIMESTAMPTZ '{LAST:%Y-%m-%d} 00:00:00+00'"
    query = f"""
        WITH seen AS (
            SELECT account_id, user_id, feature, kind, coalesce(quantity, 1) AS quantity,
                (epoch_us({moment}) - 1 - epoch_us(event_time)) // 86400000000 AS age
            FROM read_parquet('{data}/usage/*.parquet')
            WHERE event_time < {moment} AND event_time >= {moment} - INTERVAL 84 DAY AND coalesce(known_time, event_time) < {moment}
        )
        SELECT account_id,
            count(*) FILTER ({within(7)}), count(*) FILTER ({within(28)}), count(*) FILTER ({within(84)}),
            count(*) FILTER ({within(28, 28)}), count(*) FILTER ({within(7, 7)}),
            count(DISTINCT user_id) FILTER ({within(7)}), count(DISTINCT user_id) FILTER ({within(28)}),
            count(DISTINCT user_id) FILTER ({within(84)}), count(DISTINCT user_id) FILTER ({within(28, 28)}),
            sum(quantity) FILTER ({within(28)}), count(*) FILTER ({within(28)} AND kind = 'admin'),
            count(*) FILTER ({within(28)} AND kind = 'error'),
            count(DISTINCT feature) FILTER ({within(28)}), count(DISTINCT feature) FILTER ({within(84)}),
            count(DISTINCT feature) FILTER ({within(28, 28)}),
            count(DISTINCT age) FILTER ({within(28)}), count(DISTINCT age // 7) FILTER ({within(84)}),
            count(DISTINCT age // 7) FILTER ({within(28)}),
            sum(11 - age // 7) FILTER ({within(84)}), count(DISTINCT (user_id, age // 7)) FILTER ({within(28)})
        FROM seen GROUP BY account_id"""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.sql(query).to_arrow_table()


def pandas_share(data: Path) -> None:
    """The same in a notebook's pandas, on every 20th account."""
    import pandas as pd

    events = pd.read_parquet(
        data, columns=["account_id", "user_id", "feature", "kind", "quantity", "event_time", "known_time"]
    )
    events = events[(events.event_time < LAST) & (events.known_time.fillna(events.event_time) < LAST)]
    age = (LAST - dt.timedelta(microseconds=1) - events.event_time).dt.days
    events = events.assign(age=age, week=age // 7, quantity=events.quantity.fillna(1))[age < 84]
    by = "account_id"
    for days in (7, 28, 84):
        recent = events[events.age < days]
        recent.groupby(by).size()
        recent.groupby(by).user_id.nunique()
    month, before = events[events.age < 28], events[(events.age >= 28) & (events.age < 56)]
    before.groupby(by).size(), before.groupby(by).user_id.nunique(), before.groupby(by).feature.nunique()
    events[(events.age >= 7) & (events.age < 14)].groupby(by).size()
    month.groupby(by).quantity.sum(), month.groupby(by).feature.nunique(), events.groupby(by).feature.nunique()
    (month.kind == "admin").groupby(month[by]).sum(), (month.kind == "error").groupby(month[by]).sum()
    month.groupby(by).age.nunique(), events.groupby(by).week.nunique(), month.groupby(by).week.nunique()
    (11 - events.week).groupby(events[by]).sum()
    month.groupby(by).apply(lambda g: len(g[["user_id", "week"]].drop_duplicates()), include_groups=False)


def usage_source(folder: Path) -> None:
    """A source of accounts and usage alone: the rivals read no other table."""
    place = folder / "usage_only"
    place.mkdir(parents=True, exist_ok=True)
    (place / "accounts.sql").write_text(
        "SELECT account_id, event_time, known_time FROM read_parquet('${data}/accounts.parquet')"
    )
    (place / "usage.sql").write_text("SELECT * FROM read_parquet('${data}/usage/*.parquet')")


def run_step(name: str, data: Path, scratch: Path) -> None:
    """One step, in a process of its own: prints seconds and peak memory."""
    from features.panel.build import build_panel
    from features.sources.loader import open_source

    place = str(scratch / "usage_only")
    steps: dict[str, Callable[[], Any]] = {
        "plain": lambda: plain(data),
        "pandas": lambda: pandas_share(scratch / "share.parquet"),
        "one": lambda: build_panel(open_source(place, data), "account", [LAST], only=SIGNALS),
        "panel24": lambda: build_panel(open_source(place, data), "account", PANEL, only=SIGNALS),
        "first_night": lambda: build_panel(open_source(place, data), "account", [LAST], carried=scratch / "carried"),
        "nightly": lambda: build_panel(
            open_source(place, data), "account", [LAST + dt.timedelta(days=1)], only=SIGNALS
        ),
        "nightly_all": lambda: build_panel(
            open_source(place, data), "account", [LAST + dt.timedelta(days=1)], carried=scratch / "carried"
        ),
    }
    began, worked = time.perf_counter(), time.process_time()
    steps[name]()
    spent = {"s": time.perf_counter() - began, "cpu": time.process_time() - worked}
    print(json.dumps({**spent, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def measure(steps: Sequence[str], data: Path, scratch: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds (of the wall and of the processors) and largest peak; the steps take turns, so that a noisy hour hits all."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name in steps:
            module = [sys.executable, "-m", "tests.benchmarks.bench_signals"]
            command = [*module, "--step", name, "--data", str(data), "--scratch", str(scratch)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"step {name} failed:\n{done.stderr[-2000:]}")
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
    return {
        name: {
            "s": statistics.median(f["s"] for f in runs),
            "cpu": statistics.median(f["cpu"] for f in runs),
            "mb": max(f["mb"] for f in runs),
        }
        for name, runs in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a simulated company; made when missing")
    parser.add_argument("--accounts", type=int, default=ACCOUNTS)
    parser.add_argument(
        "--events", type=int, default=EVENTS, help="500000000 for half a billion (about 5 GB, and 10 x the time)"
    )
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        run_step(given.step, given.data, given.scratch)
        return
    import duckdb

    from features.kit.settings import Settings
    from features.simulate import simulate

    console = Console()
    data = given.data or Settings.from_env().home / "bench" / f"company_{given.accounts}_{given.events}"
    if not (data / "usage").is_dir():
        console.print(f"simulating {given.accounts:,} accounts and {given.events:,} usage events into {data}")
        began = time.perf_counter()
        simulate(data, accounts=given.accounts, leads=4 * given.accounts, usage_events=given.events)
        console.print(f"simulated in {time.perf_counter() - began:.0f} s")
    events = duckdb.sql(f"SELECT count(*) FROM read_parquet('{data}/usage/*.parquet')").fetchall()[0][0]
    with tempfile.TemporaryDirectory(dir=data.parent, prefix="bench-") as folder:
        scratch = Path(folder)
        usage_source(scratch)
        duckdb.execute(
            f"COPY (SELECT * FROM read_parquet('{data}/usage/*.parquet') WHERE hash(account_id) % {PANDAS_SHARE} = 0) "
            f"TO '{scratch}/share.parquet'"
        )
        share = duckdb.sql(f"SELECT count(*) FROM read_parquet('{scratch}/share.parquet')").fetchall()[0][0]
        found = measure(STEPS, data, scratch, given.rounds)
        found["pandas"] = {what: value * events / share for what, value in found["pandas"].items()}
    report(console, found, events)


def report(console: Console, found: dict[str, dict[str, float]], events: int) -> None:
    base = found["plain"]["s"]
    names = {
        "plain": "(a) plain DuckDB query, one cutoff",
        "pandas": "(b) pandas, one cutoff, scaled from a share",
        "one": "ours, one cutoff",
        "panel24": "ours, panel of 24 cutoffs",
        "nightly": "ours, the next night",
        "first_night": "ours, first night, every signal",
        "nightly_all": "ours, the next night, every signal",
    }
    table = Table("what", "seconds", "CPU s", "to (a)", "events/s", "peak MB", title=f"{events:,} usage events")
    for step, name in names.items():
        one = found[step]
        table.add_row(
            name,
            f"{one['s']:.1f}",
            f"{one['cpu']:.1f}",
            f"{one['s'] / base:.2f}",
            f"{events / one['s'] / 1e6:.1f} M",
            f"{one['mb']:,.0f}",
        )
    console.print(table)
    summary = {
        "panel24_vs_single_scan": found["panel24"]["s"] / base,
        "nightly_vs_panel24": found["nightly"]["s"] / found["panel24"]["s"],
        "nightly_all_vs_panel24": found["nightly_all"]["s"] / found["panel24"]["s"],
        "panel24_vs_single_scan_cpu": found["panel24"]["cpu"] / found["plain"]["cpu"],
        "one_vs_single_scan": found["one"]["s"] / base,
        "pandas_vs_single_scan": found["pandas"]["s"] / base,
        "events_per_s": events / found["panel24"]["s"],
        "peak_mb": max(found[step]["mb"] for step in ("one", "panel24", "nightly", "nightly_all")),
        "events": events,
    }
    print(json.dumps({key: round(value, 3) for key, value in summary.items()}))


if __name__ == "__main__":
    main()
