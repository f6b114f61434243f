"""How long the pages take over HTTP, and how large they are: `make bench-page`, or `python -m tests.benchmarks.bench_page`.

The store of `bench_lists` on SQLite, with two live models of 60 signals, their cards and a nightly run, so that every page has what it
shows in practice: the scores that the work lists begin with can be explained by a live scorer. One caller; the pages are asked for in turn,
and after each of them a bare template of the same app (`GET /ui/bare/hello`), so that a busy machine slows both. What a page costs
beyond itself are its style, script and icon, as a browser fetches them once.

The last line is one JSON object. The exit code is 1 when a limit is missed: p50 100 ms, p99 300 ms, the HTML of a work list 100 kB, a
page with its assets 200 kB.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlalchemy import bindparam, select, update

from models import champion_pointer
from models.scorer.scorer import Scorer
from serving.decisions.repository import _encode
from serving.store.connect import Store, open_store
from serving.store.migrate import migrate
from serving.store.tables import decisions, latest_scores
from tests.benchmarks.bench_lists import api, p, resident_mb
from tests.benchmarks.large_store import fill
from tests.kit.carded import Version, put_card, put_look, put_run, put_standing
from tests.kit.scorers import WORDS, make_scorer, make_signals, random_rows

MODELS = {"churn-risk": "account", "lead-fit": "lead"}
EXPLAINED = 400
"""Entities at the beginning of each work list whose records the live scorer can explain."""
P50_MS, P99_MS = 100.0, 300.0
LIST_BYTES, ALL_BYTES = 100_000, 200_000
HELLO = "/ui/bare/hello"
PAGES = {
    "portfolio": "/ui/",
    "work list, accounts": "/ui/churn-risk",
    "work list, leads": "/ui/lead-fit",
    "work list, leads by value": "/ui/lead-fit?sort=value_at_risk",
    "work list, next rows": "{next}",
    "work list, 3 filters": "/ui/churn-risk?band=high&theme=usage&segment.industry=health",
    "work list, what moved": "/ui/churn-risk?changed_by=10&sort=change",
    "work list, text": "/ui/lead-fit?q=zenith+works",
    "account": "/ui/account/{account}",
    "lead": "/ui/lead/{lead}",
    "models": "/ui/models",
    "model": "/ui/models/churn-risk",
    "version": "/ui/models/churn-risk/versions/1",
    "status": "/ui/status",
    "audit log": "/ui/status/audit",
    "sign-in": "/ui/sign-in",
}


def put_models(home: Path, count: int) -> dict[str, Scorer]:
    """Two live models, with the cards that their pages read."""
    found = {}
    for seed, model in enumerate(MODELS):
        folder = home / "made" / model
        if not folder.exists():
            make_scorer(folder, model, make_signals(58, 2), seed=seed, rows=random_rows(3_000, 58, 2, seed))
            with champion_pointer.locked(home, model):
                champion_pointer.put_live(home, model, folder, 1)
        put_card(home, 1, model)
        put_standing(home, Version(1, ("champion",)), model=model)
        put_look(home, "2026-02-28", model)
        found[model] = Scorer.load(folder)
    put_run(home, "2026-03-01", count, models={name: {"version": 1, "rows": count, "scored": count} for name in MODELS})
    return found


def explain(store: Store, scorers: dict[str, Scorer]) -> None:
    """Gives the records at the beginning of the lists inputs of the live scorer. Their numbers stay as they are."""
    rng = np.random.default_rng(2)
    d, t = decisions.c, latest_scores.c
    for model, scorer in scorers.items():
        of_list = select(t.entity_id).where(t.model == model).limit(EXPLAINED)
        orders = (t.at_stake.desc(), t.probability.desc(), t.change.desc(), t.change.asc())
        with store.read() as connection:
            ids = {
                each
                for order in orders
                for (each,) in connection.execute(of_list.where(order.element.is_not(None)).order_by(order))
            }
            wanted = select(d.id).where(
                d.entity == MODELS[model], d.entity_id.in_(sorted(ids)), d.probability.is_not(None)
            )
            records = [each for (each,) in connection.execute(wanted)]
        rows = []
        for record in records:
            values: dict[str, Any] = {f"number_{i}": float(rng.normal()) for i in range(58)}
            values |= {f"word_{i}": WORDS[int(rng.integers(len(WORDS)))] for i in range(2)}
            rows.append({"of": record, "by": scorer.sha256, "read": _encode(scorer.pack(values))})
        changed = (
            update(decisions).where(d.id == bindparam("of")).values(scorer=bindparam("by"), inputs=bindparam("read"))
        )
        with store.write() as connection:
            connection.execute(changed, rows)


def paths(client: httpx.Client, store: Store) -> dict[str, str]:
    """The pages, with ids of entities that have much to tell, and the second page of a list."""
    t = latest_scores.c
    found = {}
    with store.read() as connection:
        for model, entity in MODELS.items():
            asked = (
                select(t.entity_id).where(t.model == model, t.change.is_not(None)).order_by(t.at_stake.desc()).limit(1)
            )
            found[entity] = connection.execute(asked).scalar_one()
    html = client.get("/ui/lead-fit").raise_for_status().text
    link = re.search(r'href="([^"]+)">Next rows', html)
    found["next"] = "/ui/lead-fit" if link is None else unescape(link[1])
    return {name: path.format_map(found) for name, path in PAGES.items()}


def assets_of(client: httpx.Client, html: str) -> int:
    """Bytes that a browser loads for a page besides it, compressed as it takes them."""
    total = 0
    for path in sorted(set(re.findall(r'(?:href|src)="(/ui/static/[^"]+)"', html))):
        with client.stream("GET", unescape(path), headers={"accept-encoding": "gzip"}) as answer:
            answer.raise_for_status()
            total += sum(len(part) for part in answer.iter_raw())
    return total


def timed(client: httpx.Client, path: str) -> tuple[float, str]:
    """Milliseconds, and the page."""
    began = time.perf_counter()
    answer = client.get(path).raise_for_status()
    return 1000 * (time.perf_counter() - began), answer.text


def measure(client: httpx.Client, store: Store, repeats: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    hello: list[float] = []
    asked = paths(client, store)
    for path in (*asked.values(), HELLO):
        timed(client, path)  # the first reads files, templates and scorers
    times: dict[str, list[float]] = {name: [] for name in asked}
    pages: dict[str, str] = {}
    for _ in range(repeats):
        for name, path in asked.items():
            ms, pages[name] = timed(client, path)
            times[name].append(ms)
            hello.append(timed(client, HELLO)[0])
    for name, html in pages.items():
        size = len(html.encode())
        row = {"p50_ms": p(times[name], 50), "p99_ms": p(times[name], 99), "html": size}
        found[name] = {
            **row,
            "with_assets": size + assets_of(client, html),
            "rows": html.count("<tr") - html.count("<thead"),
        }
    found["hello"] = {"p50_ms": p(hello, 50), "p99_ms": p(hello, 99)}
    return found


def missed(found: dict[str, Any]) -> list[str]:
    """The limits that a page is beyond."""
    said = []
    for name, each in found.items():
        limits = {"p50_ms": P50_MS, "p99_ms": P99_MS, "with_assets": ALL_BYTES}
        if name.startswith("work list"):
            limits["html"] = LIST_BYTES
        said += [
            f"{name}: {what} {each[what]:,}, at most {most:,}"
            for what, most in limits.items()
            if each.get(what, 0) > most
        ]
    return said


@contextlib.contextmanager
def filled(given: argparse.Namespace) -> Iterator[tuple[Path, str, Store]]:
    """A home, and the store with the company."""
    with tempfile.TemporaryDirectory() as scratch:
        home = given.keep or Path(scratch)
        home.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{home}/store.db"
        store = open_store(url)
        migrate(store)
        with store.read() as connection:
            there = connection.execute(select(latest_scores.c.model).limit(1)).first() is not None
        if not there:
            fill(store, given.accounts, given.leads)
        yield home, url, store
        store.close()


def main() -> int:
    parser = argparse.ArgumentParser(description="Latency and size of the pages over HTTP.")
    parser.add_argument("--accounts", type=int, default=200_000)
    parser.add_argument("--leads", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument(
        "--keep", type=Path, help="folder of a filled store, as of bench_lists: filled once, and read again"
    )
    given = parser.parse_args()
    with filled(given) as (home, url, store):
        explain(store, put_models(home, given.accounts))
        with api(home, url) as (client, pid):
            found = measure(client, store, given.repeats)
            memory = resident_mb(pid)
    print(f"{'':34s}   p50 ms    p99   times hello    HTML  with assets")
    for name, each in found.items():
        times = each["p50_ms"] / found["hello"]["p50_ms"]
        sizes = f"{each['html']:9,} {each['with_assets']:9,}" if "html" in each else ""
        print(f"  {name:32s} {each['p50_ms']:8.1f} {each['p99_ms']:6.1f} {times:9.1f} {sizes}")
    beyond = missed(found)
    for each in beyond:
        print(f"beyond its limit: {each}")
    print(json.dumps({"resident_mb": memory, "pages": found, "beyond": beyond}))
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
