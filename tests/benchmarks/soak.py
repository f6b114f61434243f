"""`make soak`: ten minutes of everything at once, slowly, on real processes; nothing may be lost and nothing may grow.

Webhooks, scores, bad bodies, slow clients, a CRM that misbehaves, a worker, and nightly batches in between. Asserts that every
acknowledged event had its effect, that no answer was a 5xx, and that memory, descriptors and SQLite's log are bounded. Prints figures.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from serving.store.write_ahead_log import LIMIT_BYTES
from tests.kit.fake_crm import Answer
from tests.kit.fake_hubspot import FakeHubSpot, fake_hubspot
from tests.kit.killing import Service, check, connect, drain, make_requests, under_way
from tests.kit.running import Home, make_home, wait_for

NEW = range(5_000_000, 5_000_300)
EVENTS_A_SECOND, REQUESTS_A_SECOND, SLOW_CLIENTS = 10, 4.0, 40
SAMPLE_SECONDS = 5.0
NIGHTS = ("2025-12-30", "2025-12-31", "2026-01-01")
"""The clock of the processes begins at the last one."""
JSON = {"content-type": "application/json"}
GROWTH, SLACK_MB, MORE_FILES = 1.15, 40, 60
"""The last third of the time may take so much more memory than the second: what grows with every request takes twice as much. And so
many descriptors more may be left when all is over: the pool of connections to the store, with three files each."""
BODIES: dict[str, tuple[str, str, bytes, dict[str, str]]] = {
    "score": ("POST", "/v1/lead-fit/score", b'{"records": [{"signals": {"employees": 50}}], "reasons": 3}', JSON),
    "score a stored one": ("POST", "/v1/lead-fit/score", b'{"records": [{"entity_id": "lead_5000001"}]}', JSON),
    "score a hundred": (
        "POST",
        "/v1/lead-fit/score",
        json.dumps({"records": [{"signals": {"employees": k}} for k in range(100)]}).encode(),
        JSON,
    ),
    "packed": (
        "POST",
        "/v1/lead-fit/score",
        gzip.compress(b'{"records": [{"signals": {}}]}'),
        {**JSON, "content-encoding": "gzip"},
    ),
    "no JSON": ("POST", "/v1/lead-fit/score", b'{"records": [', JSON),
    "no UTF-8": ("POST", "/v1/lead-fit/score", b'{"records": ["\xff"]}', JSON),
    "unknown signals": (
        "POST",
        "/v1/lead-fit/score",
        json.dumps({"records": [{"signals": {f"x{k}": k for k in range(2_000)}}]}).encode(),
        JSON,
    ),
    "a bomb": ("POST", "/v1/lead-fit/score", gzip.compress(b" " * 20_000_000), {**JSON, "content-encoding": "gzip"}),
    "absurd": (
        "POST",
        "/v1/lead-fit/score",
        b'{"records": [{"signals": {"employees": 1e300}, "entity_id": "\\u0000"}]}',
        JSON,
    ),
    "forged": (
        "POST",
        "/webhooks/crm",
        b"[{}]",
        {"x-hubspot-signature-v3": "forged", "x-hubspot-request-timestamp": "1"},
    ),
    "readiness": ("GET", "/readyz", b"", {}),
    "metrics": ("GET", "/metrics", b"", {}),
    "scores": ("GET", "/v1/lead/lead_5000001/scores", b"", {}),
    "docs": ("GET", "/docs/swagger-ui-bundle.js", b"", {}),
    "nothing": ("GET", "/nothing/here", b"", {}),
}
SLOW = (
    b"",
    b"POST /v1/lead-fit/score HT",
    b"POST /v1/lead-fit/score HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{",
)


@dataclass
class Load:
    """Requests of all kinds, in turns, and clients that never end theirs, until it is told to stop."""

    port: int
    statuses: dict[str, Counter[int]] = field(default_factory=lambda: {name: Counter() for name in BODIES})
    seconds: list[float] = field(default_factory=list)
    """Of the scores."""
    stopping: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        rng = random.Random(0)
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60) as client:
            while not self.stopping.wait(1 / REQUESTS_A_SECOND):
                name = rng.choice(list(BODIES))
                method, path, body, headers = BODIES[name]
                began = time.perf_counter()
                status = client.request(method, path, content=body, headers=headers).status_code
                self.statuses[name][status] += 1
                if name == "score":
                    self.seconds.append(time.perf_counter() - began)

    def dawdle(self) -> None:
        held: list[socket.socket] = []
        while not self.stopping.wait(0.5):
            while len(held) < SLOW_CLIENTS:
                made = socket.create_connection(("127.0.0.1", self.port), timeout=10)
                made.sendall(SLOW[len(held) % len(SLOW)])
                made.setblocking(False)
                held.append(made)
            held = [each for each in held if _is_open(each)]
        for each in held:
            each.close()


def _is_open(client: socket.socket) -> bool:
    try:
        client.recv(65536)
    except BlockingIOError:
        return True
    except OSError:
        pass
    client.close()  # it was answered (408), or closed
    return False


@dataclass(frozen=True)
class Sample:
    """Of one moment."""

    rss_mb: dict[str, float]
    files: dict[str, Counter[str]]
    """Descriptors by what they are of: the name of a file, or "socket"."""
    log_mb: float


def _of(descriptor: Path) -> str:
    try:
        return Path(os.readlink(descriptor)).name.partition(":")[0]
    except OSError:  # closed meanwhile
        return "closed"


def sample(service: Service, store: Path) -> Sample:
    rss, files = {}, {}
    for name, process in service.processes.items():
        status = Path(f"/proc/{process.pid}/status").read_text()
        rss[name] = int(status.partition("VmRSS:")[2].split()[0]) / 1024
        files[name] = Counter(_of(path) for path in Path(f"/proc/{process.pid}/fd").iterdir())
    log = Path(f"{store}-wal")
    return Sample(rss, files, log.stat().st_size / 1e6 if log.exists() else 0.0)


def grown(samples: Sequence[Sample], at_rest: Sample) -> list[str]:
    """What took more in the last third of the time than in the second, and what was not given back."""
    third = len(samples) // 3
    second, last = samples[third : 2 * third], samples[2 * third :]
    found = []
    for name in samples[0].rss_mb:
        before, after = (max(s.rss_mb[name] for s in part) for part in (second, last))
        if after > GROWTH * before + SLACK_MB:
            found.append(f"memory of the {name}: {before:.0f} MB, then {after:.0f}")
        allowed = samples[0].files[name].total() + MORE_FILES
        if (left := at_rest.files[name].total()) > allowed:
            found.append(
                f"descriptors of the {name}, when all is over: {left}, {dict(at_rest.files[name].most_common(6))}"
            )
    most = max(s.log_mb for s in samples)
    if most > 2 * LIMIT_BYTES / 1e6:
        found.append(f"the write-ahead log: {most:.0f} MB")
    return found


def misbehave(call: int) -> Answer | str | None:
    """A CRM of ordinary badness."""
    if call % 23 == 0:
        return 429, {"retry-after": "1"}, b"{}"
    if call % 31 == 0:
        return 503, {}, b""
    if call % 37 == 0:
        time.sleep(3)
    return "lose" if call % 41 == 0 else "drop" if call % 43 == 0 else None


@contextmanager
def at_work(*jobs: Callable[[], None]) -> Iterator[list[BaseException]]:
    """Each job in a thread of its own; yields what they raised."""
    raised: list[BaseException] = []

    def run(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield raised
    finally:
        for thread in threads:
            thread.join(60)


def soak(home: Home, folder: Path, crm: FakeHubSpot, minutes: float) -> int:
    """Returns the exit code: 0 when all that is asserted holds."""
    seconds = 60 * minutes
    requests = make_requests(int(seconds * EVENTS_A_SECOND), NEW, 1)
    faults: list[str] = []
    samples: list[Sample] = []
    nights: list[float] = []
    with under_way(home, folder, requests, fresh=True) as (service, sender, store):
        wait_for(lambda: _ready(service.url))
        load = Load(service.port)
        with at_work(load.ask, load.dawdle) as raised:
            began = time.monotonic()
            while (spent := time.monotonic() - began) < seconds and not raised:
                sender.allowed = int(len(requests) * spent / seconds) + 1
                samples.append(sample(service, folder / "store.db"))
                if len(nights) < len(NIGHTS) and spent > seconds * (len(nights) + 1) / 4:
                    nights.append(_night(home, service, folder, len(nights)))
                time.sleep(SAMPLE_SECONDS)
            load.stopping.set()
        faults += [f"a client ended: {error!r}" for error in raised]
        sender.allowed = len(requests)
        drain(service, sender, store, 300)
        time.sleep(2 * SAMPLE_SECONDS)
        at_rest = sample(service, folder / "store.db")
        told = {str(record) for record in NEW}
        verdict = check(home, sender, store, replace(crm, writes=[w for w in crm.writes if w.object_id in told]))
        if not verdict.clean:
            faults.append(str(verdict))
        faults += grown(samples, at_rest) + _ended(service)
    statuses = sum((*load.statuses.values(), sender.statuses), Counter())
    faults += [f"{count} answers were {status}" for status, count in statuses.items() if status >= 500]
    _tell(samples, at_rest, load, sender.statuses, nights, crm, verdict)
    print("\n".join(f"FAULT: {fault}" for fault in faults) or "nothing lost, nothing grew, no 5xx")
    return 1 if faults else 0


def _ready(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    return False


def _night(home: Home, service: Service, folder: Path, number: int) -> float:
    began = time.monotonic()
    as_of = NIGHTS[number]
    done = home.run(
        "serving",
        "batch",
        *home.source,
        "--as-of",
        as_of,
        "--out",
        str(folder / "scores"),
        "--no-history",
        env=service.env,
    )
    if done.returncode:
        raise AssertionError(f"the batch ended with {done.returncode}: {done.stderr}")
    return time.monotonic() - began


def _ended(service: Service) -> list[str]:
    """SIGTERM ends both with 0."""
    for process in service.processes.values():
        process.send_signal(signal.SIGTERM)
    codes = {name: process.wait(timeout=60) for name, process in service.processes.items()}
    return [f"the {name} ended with {code}" for name, code in codes.items() if code]


def _tell(
    samples: Sequence[Sample],
    at_rest: Sample,
    load: Load,
    sent: Counter[int],
    nights: Sequence[float],
    crm: FakeHubSpot,
    verdict: object,
) -> None:
    third = max(1, len(samples) // 3)
    for name in samples[0].rss_mb:
        parts = [samples[k : k + third] for k in (0, third, 2 * third)]
        rss = ", ".join(f"{max(s.rss_mb[name] for s in part):.0f}" for part in parts if part)
        most = max((s.files[name] for s in samples), key=lambda counted: counted.total())
        print(
            f"{name}: most MB by thirds of the time {rss}; descriptors {most.total()} at most, {dict(most.most_common(4))}"
        )
        print(f"{name}: descriptors when all was over {at_rest.files[name].total()}")
    print(f"write-ahead log: {max(s.log_mb for s in samples):.1f} MB at most")
    print(f"webhooks: {dict(sent)}; {len(crm.writes):,} writes in {crm.calls:,} calls to the CRM; {verdict}")
    for name, counted in load.statuses.items():
        print(f"{name}: {dict(counted)}")
    middle = sorted(load.seconds)
    if middle:
        print(f"a score: median {1000 * middle[len(middle) // 2]:.0f} ms, longest {1000 * middle[-1]:.0f} ms")
    print(f"nightly batches beside it: {', '.join(f'{night:.0f} s' for night in nights)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        home = make_home(folder / "made", models=("lead-fit",))
        with fake_hubspot() as crm:
            crm.misbehave = misbehave
            connect(home, crm)
            sys.exit(soak(home, folder, crm, minutes))


if __name__ == "__main__":
    main()
