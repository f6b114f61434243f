"""How fast webhooks are acknowledged, and how soon a change is a score at the CRM. `make bench-webhooks`.

Deliveries are signed by HubSpot's SDK and sent over HTTP to the API in a process of its own, on SQLite and on Postgres; the CRM is a fake
on loopback. Acknowledged means durable: the answer comes after the commit. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np

from serving.store.connect import Store
from tests.kit.fake_hubspot import FakeHubSpot, fake_hubspot
from tests.kit.killing import DECEMBER_MS, Sent, Service, connect, quiet, signed, under_way
from tests.kit.postgres import postgres
from tests.kit.running import Home, make_home, wait_for

CONCURRENT = 10
"""HubSpot's requests at a time."""
RECORDS = range(6_000_000, 6_020_000)


def acknowledge(service: Service, deliveries: int, size: int) -> dict[str, float]:
    """Events per second and the 99th percentile of an answer, ms, with ten deliveries in flight."""
    events = (
        Sent(n, RECORDS[n % len(RECORDS)], "industry", "software", DECEMBER_MS + n) for n in range(deliveries * size)
    )
    bodies = [signed([next(events).wire() for _ in range(size)]) for _ in range(deliveries)]
    took: list[float] = []
    lock = threading.Lock()

    def send() -> None:
        with httpx.Client(timeout=60) as client:
            while True:
                with lock:
                    if not bodies:
                        return
                    body, headers = bodies.pop()
                began = time.perf_counter()
                answer = client.post(f"{service.url}/webhooks/crm", content=body, headers=headers)
                taken = time.perf_counter() - began
                assert answer.status_code == 204, answer.status_code
                with lock:
                    took.append(taken)

    threads = [threading.Thread(target=send) for _ in range(CONCURRENT)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    return {
        "events_per_s": round(deliveries * size / seconds),
        "p99_ms": round(1000 * float(np.percentile(took, 99)), 1),
    }


def until_written(service: Service, store: Store, crm: FakeHubSpot, waiting: int, first_record: int) -> float:
    """Seconds from the first of `waiting` events (one a record) to the last value at the CRM, the worker running."""
    crm.values.clear()
    records = range(first_record, first_record + waiting)
    sent = [Sent(10**8 + r, r, "industry", "finance", DECEMBER_MS + r % 1000) for r in records]
    began = time.perf_counter()
    with httpx.Client(timeout=60) as client:
        for start in range(0, waiting, 100):
            body, headers = signed([e.wire() for e in sent[start : start + 100]])
            assert client.post(f"{service.url}/webhooks/crm", content=body, headers=headers).status_code == 204
    wait_for(lambda: len(crm.values) == waiting, 600)
    seconds = time.perf_counter() - began
    wait_for(lambda: quiet(store), 60)
    return round(seconds, 2)


@contextlib.contextmanager
def database(name: str, folder: Path) -> Iterator[str | None]:
    if name == "sqlite":
        yield None
    else:
        with postgres() as server:
            yield server.url


def measure(home: Home, folder: Path, name: str, deliveries: int) -> dict[str, object]:
    folder.mkdir()
    found: dict[str, object] = {}
    with database(name, folder) as url, fake_hubspot() as crm:
        connect(home, crm, settle=0.0)
        with under_way(home, folder, [], store_url=url, fresh=True) as (service, _, store):
            wait_for(lambda: _answers(service))
            first = 7_000_000
            found["until_written_s"] = {}
            for waiting in (1, 100, 2000):
                found["until_written_s"][waiting] = until_written(service, store, crm, waiting, first)  # type: ignore[index]
                first += waiting
            service.kill("worker")  # what is measured now is the door alone
            found["single"] = acknowledge(service, deliveries, 1)
            found["batches_of_100"] = acknowledge(service, deliveries // 10, 100)
            service.start("worker")
    return found


def _answers(service: Service) -> bool:
    try:
        return httpx.get(f"{service.url}/healthz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=2_000, help="of one event; a tenth of them of 100 events")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = make_home(Path(folder), models=("lead-fit",))
        results = {
            name: measure(home, Path(folder) / name, name, arguments.deliveries) for name in ("sqlite", "postgres")
        }
    for name, found in results.items():
        print(f"{name}: {found}")
    print(json.dumps({"bench": "webhooks", "concurrent": CONCURRENT, **results}))


if __name__ == "__main__":
    main()
