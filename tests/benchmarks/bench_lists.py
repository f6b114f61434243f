"""How long a page of a list takes over HTTP: `make bench-lists`, or `python -m tests.benchmarks.bench_lists`.

A store of a large company (`tests.benchmarks.large_store`) on SQLite and on Postgres, the API in a process of its own, one
caller. Each list is asked for in turn, its first page and a deep one, and between them a bare route of the same FastAPI
app, so that a busy machine slows both. The deep page of a list without filters begins after nine tenths of its rows; that
of a list with filters after 2,000 rows or, where there are fewer, at its last page. Then all leads are read as CSV. The
memory of the API is its resident set before and after, and at its highest while the CSV is read.

The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlalchemy import func, select

from features.kit.clock import DAY_US
from models.catalog import get_model
from serving.decisions import repository as history
from serving.keys.service import read_pepper
from serving.lists import cursor, latest
from serving.lists.filters import SORTS, read
from serving.lists.query import SORTED_BY
from serving.store.connect import Store, open_store
from serving.store.migrate import migrate
from serving.store.tables import decisions, latest_scores
from tests.benchmarks.large_store import fill
from tests.kit.list_rows import NOW_US
from tests.kit.postgres import postgres
from tests.kit.running import free_port, wait_for

DEEP_ROWS = 2_000
LIMIT = 50
FILTERS: dict[str, str] = {
    "band high": "band=high",
    "band low": "band=low",
    "owner": "owner=owner.0050",
    "theme": "theme=usage",
    "industry": "segment.industry=health",
    "industry of one in 10,000": "segment.industry=aerospace",
    "changed by 10": "changed_by=10",
    "value": "value_min=100000",
    "renewal in 30 days": "renewal_within_days=30",
    "renewal in a month": "renewal_from=2026-04-01&renewal_before=2026-05-01",
    "renewal in a month, with a score": "band=high&band=medium&band=low&renewal_from=2026-04-01&renewal_before=2026-05-01",
    "renewal not known": "renewal_known=no",
    "judged by people": "overridden=yes",
    "judged by nobody, high": "overridden=no&band=high",
    "no score": "no_score={no_score}",
    "acted upon": "acted=yes",
    "not acted upon": "acted=no",
    "not acted upon, of an owner": "acted=no&owner=owner.0050&band=high",
    "acted upon, high, renewal": "acted=yes&band=high&renewal_within_days=30",
    "text, 1 letter": "q=a",
    "text, common word": "q=zenith",
    "text, 2 words": "q=zenith+works",
    "text, a number in one name": "q=4711",
    "text, nothing": "q=nobodyhasthis",
    "3 filters": "band=high&theme=usage&segment.industry=health",
    "5 filters": "band=high&theme=usage&segment.industry=media&segment.region=latam&value_min=60000",
}
NO_SCORE = {"churn-risk": "not_customer", "lead-fit": "closed"}
OF_FILTERED = ("", "sort=probability&order=asc", "sort=name", "sort=change")
"""Sorts of the lists with filters: the usual one, and three others."""


@contextlib.contextmanager
def api(home: Path, store_url: str) -> Iterator[tuple[httpx.Client, int]]:
    """A client of a running API, and the process id."""
    port = free_port()
    env = {**os.environ, "ACCOUNTSCORE_HOME": str(home), "ACCOUNTSCORE_STORE_URL": store_url}
    env["ACCOUNTSCORE_NOW"] = "2026-03-01T06:00:00Z"
    with subprocess.Popen([sys.executable, "-m", "tests.benchmarks.echo_server", str(port)], env=env) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600) as client:

                def answers() -> bool:
                    with contextlib.suppress(httpx.TransportError):
                        return client.get("/healthz").status_code == 200
                    return False

                wait_for(answers, 60)
                yield client, process.pid
        finally:
            process.terminate()
            process.wait(30)


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def lists() -> Iterator[tuple[str, str, str]]:
    """Model, name and query of every list."""
    for model in ("churn-risk", "lead-fit"):
        for sort in SORTS:
            for order in ("asc", "desc"):
                yield model, f"by {sort} {order}", f"sort={sort}&order={order}"
        for name, query in FILTERS.items():
            if model == "lead-fit" and "renewal" in query:
                continue
            for sort in OF_FILTERED:
                asked = query.format(no_score=NO_SCORE[model])
                yield model, f"{name}{', ' + sort if sort else ''}", f"{asked}&{sort}" if sort else asked


def deep_cursor(client: httpx.Client, store: Store, signer: cursor.Signer, model: str, query: str) -> str | None:
    """A cursor deep in a list; None when it has one page."""
    if not query.startswith("sort="):
        found, after, rows = None, "", 0
        while rows < DEEP_ROWS:
            answer = client.get(f"/v1/{model}/scores?{query}&limit=200{after}").raise_for_status().json()
            if answer["next_cursor"] is None:
                break
            found, rows = answer["next_cursor"], rows + len(answer["rows"])
            after = f"&cursor={found}"
        return found
    asked = read(get_model(model), [tuple(pair.split("=")) for pair in query.split("&")]).query  # type: ignore[misc]
    column = SORTED_BY[asked.sort].column
    keys = [column, latest_scores.c.entity_id] if asked.sort != "entity_id" else [column]
    of_list = (latest_scores.c.model == model, column.is_not(None))
    with store.read() as connection:
        count = connection.execute(select(func.count()).where(*of_list)).scalar_one()
        order = [key.desc() if asked.descending else key for key in keys]
        at = select(column, latest_scores.c.entity_id).where(*of_list).order_by(*order).offset(count * 9 // 10).limit(1)
        row = connection.execute(at).first()
    if row is None:
        return None
    piece = 0
    return cursor.write(cursor.Position(asked.canonical(), NOW_US, piece, row[0], row[1]), signer)


def timed(client: httpx.Client, path: str) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    client.get(path).raise_for_status()
    return 1000 * (time.perf_counter() - began)


def measure(client: httpx.Client, store: Store, signer: cursor.Signer, repeats: int) -> dict[str, Any]:
    found: dict[str, dict[str, list[float]]] = {}
    bare: list[float] = []
    for model, name, query in lists():
        deep = deep_cursor(client, store, signer, model, query)
        paths = {"first": f"/v1/{model}/scores?{query}&limit={LIMIT}"}
        if deep is not None:
            paths["deep"] = f"{paths['first']}&cursor={deep}"
        of_list = found[f"{model}: {name}"] = {which: [] for which in paths}
        for _ in range(repeats):
            for which, path in paths.items():
                of_list[which].append(timed(client, path))
                bare.append(timed(client, "/bare"))
    return {"lists": found, "bare": bare}


def csv_of(client: httpx.Client, pid: int, model: str) -> dict[str, float]:
    """All rows of a model as CSV: rows, seconds, the first byte after how many, and the highest resident set."""
    highest, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            highest[0] = max(highest[0], resident_mb(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    began, first, lines = time.perf_counter(), 0.0, -1
    with client.stream("GET", f"/v1/{model}/scores?format=csv") as answer:
        answer.raise_for_status()
        for part in answer.iter_bytes():
            first = first or time.perf_counter() - began
            lines += part.count(b"\n")
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    return {"rows": lines, "seconds": round(seconds, 1), "first_byte_s": round(first, 2), "highest_mb": highest[0]}


def night(store: Store, rows: int = 10_000) -> dict[str, float]:
    """Seconds that a nightly run takes for the decision records of one chunk of leads, and for their list rows; nothing
    is kept of it."""
    rng = np.random.default_rng(1)
    of_run = (decisions.c.run_id == "run-2", decisions.c.model == "lead-fit")
    with store.engine.connect().execution_options(immediate=True) as connection, connection.begin() as transaction:
        found = [dict(row) for row in connection.execute(select(decisions).where(*of_run).limit(rows)).mappings()]
        for record, probability in zip(found, rng.beta(1.2, 8, len(found)).tolist(), strict=True):
            del record["id"]
            record |= {
                "run_id": "run-3",
                "as_of": record["as_of"] + DAY_US,
                "recorded_at": record["recorded_at"] + DAY_US,
            }
            if record["no_score"] is None:
                record |= {"probability": probability, "score": min(100, int(probability * 250) + 1)}
        began = time.perf_counter()
        history.put(connection, found)
        stored = time.perf_counter()
        latest.put(connection, found, NOW_US + 2 * DAY_US)
        ended = time.perf_counter()
        transaction.rollback()
    return {"rows": len(found), "records_s": round(stored - began, 2), "list_rows_s": round(ended - stored, 2)}


def p(values: list[float], q: float) -> float:
    return round(float(np.percentile(values, q)), 1)


def report(database: str, found: dict[str, Any]) -> dict[str, Any]:
    """Prints the table, and returns its summary."""
    print(f"\n{database}: ms          first p50    p99   deep p50    p99", flush=True)
    for name, of_list in found["lists"].items():
        cells = [f"{p(v, 50):8.1f} {p(v, 99):6.1f}" for v in of_list.values()]
        print(f"  {name:58s} {'   '.join(cells)}")
    every = {which: [v for one in found["lists"].values() for v in one.get(which, [])] for which in ("first", "deep")}
    slowest = max(found["lists"], key=lambda name: max(p(v, 50) for v in found["lists"][name].values()))
    summary = {
        "lists": len(found["lists"]),
        **{f"{which}_p50_ms": p(values, 50) for which, values in every.items()},
        **{f"{which}_p99_ms": p(values, 99) for which, values in every.items()},
        "bare_p50_ms": p(found["bare"], 50),
        "bare_p99_ms": p(found["bare"], 99),
        "slowest_list": slowest,
        "slowest_list_p50_ms": max(p(v, 50) for v in found["lists"][slowest].values()),
    }
    print(json.dumps(summary), flush=True)
    return summary


@contextlib.contextmanager
def database(name: str, folder: Path) -> Iterator[str]:
    if name == "sqlite":
        yield f"sqlite:///{folder}/store.db"
    else:
        with postgres() as server:
            yield server.url


def main() -> None:
    parser = argparse.ArgumentParser(description="Latency of lists over HTTP.")
    parser.add_argument("--accounts", type=int, default=200_000)
    parser.add_argument("--leads", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--databases", default="sqlite,postgres")
    parser.add_argument("--keep", type=Path, help="folder of a filled store on SQLite: filled once, and read again")
    given = parser.parse_args()
    found: dict[str, Any] = {"accounts": given.accounts, "leads": given.leads}
    for name in given.databases.split(","):
        with tempfile.TemporaryDirectory() as scratch:
            folder = given.keep if given.keep and name == "sqlite" else Path(scratch) / name
            folder.mkdir(parents=True, exist_ok=True)
            with database(name, folder) as url:
                store = open_store(url)
                migrate(store)
                with store.read() as connection:
                    filled = connection.execute(select(latest_scores.c.model).limit(1)).first() is not None
                began = time.perf_counter()
                if not filled:
                    print(f"{name}: filling", flush=True)
                    fill(store, given.accounts, given.leads)
                of_database: dict[str, Any] = {"fill_s": round(time.perf_counter() - began, 1)}
                with api(folder, url) as (client, pid):
                    timed(client, "/v1/lead-fit/scores")
                    before = resident_mb(pid)
                    measured = measure(client, store, cursor.Signer.of(read_pepper(folder)), given.repeats)
                    after = resident_mb(pid)
                    csv = csv_of(client, pid, "lead-fit")
                of_database |= report(name, measured)
                of_database |= {"resident_mb": {"before": before, "after": after}, "csv": csv}
                print(json.dumps({"resident_mb": of_database["resident_mb"], "csv": csv}), flush=True)
                of_database["night"] = night(store)
                print(json.dumps({"night": of_database["night"]}), flush=True)
                found[name] = of_database
                store.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
