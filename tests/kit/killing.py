"""A CRM that sends, a CRM that receives, a service that is killed in between, and the checker that counts (after Jepsen):
acknowledged and without effect is lost; two effects of one event is twice; an effect that nobody sent is unexpected."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import random
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from hubspot.utils.signature import Signature
from sqlalchemy import func, select

from models.champion_pointer import read_pointer
from models.scorer.scorer import Scorer
from serving.decisions.repository import inputs_of
from serving.store.connect import Store, open_store
from serving.store.tables import decisions, dirty, inbox, writebacks
from tests.kit import commands
from tests.kit.commands import Process
from tests.kit.fake_hubspot import FakeHubSpot
from tests.kit.running import AS_OF, Home, free_port, wait_for

SECRET = "a secret of the test, long enough"
TOKEN = "a token of the test, long enough"
PUBLIC = "https://scores.example.com"
CONNECTION = """
vendor = "hubspot"
public_url = "https://scores.example.com"
secret_envs = ["CRM_SECRET"]
source = "{source}"
data = "{data}"
settle_seconds = {settle}
[objects.contact]
table = "leads"
key = "lead_{{id}}"
columns = {{ country = "country", industry = "industry", seniority = "seniority", revenue = "annual_revenue" }}
[writeback]
mode = "on"
token_env = "CRM_TOKEN"
url = "{url}"
minimum_change = 1
hysteresis = 0
requests_per_second = 1000.0
[writeback.models.lead-fit]
object = "contact"
score = "fit_score"
band = "fit_band"
"""
PROPERTIES = {
    "country": ("US", "DE", "FR", "JP", "BR"),
    "industry": ("retail", "finance", "software", "health", "media"),
    "seniority": ("c_level", "vp", "manager", "specialist"),
}
COLUMN_OF = {name: name for name in PROPERTIES}
DECEMBER_MS = 1_764_547_200_000
"""2025-12-01: before the moment that scores are for, so that no clock cuts an event's time."""


@dataclass(frozen=True)
class Sent:
    """One logical event."""

    event_id: int
    record: int
    property: str
    value: str
    occurred_ms: int

    def wire(self, attempt: int = 0) -> dict[str, object]:
        return {
            "eventId": self.event_id,
            "subscriptionId": 1,
            "portalId": 62515,
            "appId": 5,
            "attemptNumber": attempt,
            "occurredAt": self.occurred_ms,
            "subscriptionType": "contact.propertyChange",
            "objectId": self.record,
            "propertyName": self.property,
            "propertyValue": self.value,
            "changeSource": "CRM_UI",
        }


@dataclass(frozen=True)
class Request:
    """One delivery: some events, and whether its signature is that of another secret."""

    events: tuple[Sent, ...]
    bad: bool = False


def make_requests(events: int, records: Sequence[int], seed: int) -> list[Request]:
    """Batches of 1 to 100; 15 % of the events twice, 5 % out of order, 3 % more of them with a bad signature."""
    rng = random.Random(seed)
    made = []
    for number in range(events):
        name = rng.choice(list(PROPERTIES))
        made.append(
            Sent(number + 1, rng.choice(records), name, rng.choice(PROPERTIES[name]), DECEMBER_MS + number * 1000)
        )
    order = list(made)
    for _ in range(events // 20):
        moved = order.pop(rng.randrange(len(order)))
        order.insert(rng.randrange(len(order) + 1), moved)
    for event in rng.sample(made, events * 15 // 100):
        order.insert(rng.randrange(order.index(event), len(order)) + 1, event)
    requests = []
    while order:
        size = min(len(order), rng.choice((1, 5, 20, 50, 100)))
        requests.append(Request(tuple(order[:size])))
        order = order[size:]
    for number in range(events * 3 // 100):
        forged = Sent(10**6 + number, rng.choice(records), "industry", "forged", DECEMBER_MS + 10**9)
        requests.insert(rng.randrange(len(requests) + 1), Request((forged,), bad=True))
    return requests


def signed(events: Sequence[dict[str, object]], secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """A delivery as HubSpot's own SDK signs it."""
    body, now = json.dumps(events), str(int(time.time() * 1000))
    uri = f"{PUBLIC}/webhooks/crm"
    signature = Signature.get_signature(secret, body, "v3", uri, "POST", now)
    return body.encode(), {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": now}


@dataclass
class Sender:
    """Sends each request until it is answered 2xx, as the vendor does; a refused signature is not sent again."""

    url: str
    requests: Sequence[Request]
    acknowledged: set[Sent] = field(default_factory=set)
    attempted: set[Sent] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    done: int = 0
    allowed: int = 0
    """How many requests may have been sent; the rest wait."""
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with httpx.Client(timeout=httpx.Timeout(30)) as client:
            while not self.stopping.is_set():
                if self.done >= min(self.allowed, len(self.requests)):
                    self.stopping.wait(0.01)
                elif self._try(client, self.requests[self.done]):
                    self.done += 1
                else:
                    self.stopping.wait(0.05)

    def _try(self, client: httpx.Client, request: Request) -> bool:
        body, headers = signed(
            [e.wire() for e in request.events], "another secret, long enough" if request.bad else SECRET
        )
        self.attempted |= set() if request.bad else set(request.events)
        try:
            answer = client.post(f"{self.url}/webhooks/crm", content=body, headers=headers)
        except httpx.HTTPError:
            return False
        self.statuses[answer.status_code] += 1
        if request.bad:
            assert answer.status_code in (401, 503), answer.status_code
            return answer.status_code == 401
        if answer.is_success:
            self.acknowledged |= set(request.events)
        return answer.is_success


@dataclass
class Service:
    """The API and the worker as processes that can be killed and started again."""

    home: Home
    env: dict[str, str]
    port: int
    modules: dict[str, str] = field(default_factory=lambda: {"api": "serving", "worker": "serving"})
    """What `python -m` runs for each; a test that sabotages one puts its own module here."""
    fresh: bool = False
    """In interpreters of their own, for who looks at their memory."""
    processes: dict[str, Process] = field(default_factory=dict)
    kills: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, name: str) -> None:
        more = ["--port", str(self.port)] if name == "api" else []
        # One clock for all, that goes on when a process starts again: else two rounds could have one moment.
        now = dt.datetime.fromisoformat(AS_OF) + dt.timedelta(seconds=time.monotonic() - self.began)
        env = {**self.env, "ACCOUNTSCORE_NOW": f"{now.isoformat()}Z"}
        start = commands.start_fresh if self.fresh else commands.start
        log = self.home.path / f"{name}.log"
        self.processes[name] = start(self.modules[name], name, *more, env=self.home.environment(env), out=log)

    def kill(self, name: str) -> None:
        """SIGKILL; a process that ended by itself is a failure of its own."""
        process = self.processes[name]
        assert process.poll() is None, f"{name} ended: {(self.home.path / f'{name}.log').read_text()[-2000:]}"
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.kills += 1

    def stop(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()


def connect(home: Home, crm: FakeHubSpot, settle: float = 0.1, source: str = "sample") -> None:
    folder = home.path / "connections"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "crm.toml").write_text(CONNECTION.format(source=source, data=home.company, settle=settle, url=crm.url))


def environment(home: Home, folder: Path, store_url: str | None = None) -> dict[str, str]:
    """Of the service: a store of its own, and a registry that is not there."""
    return {
        "CRM_SECRET": SECRET,
        "CRM_TOKEN": TOKEN,
        "ACCOUNTSCORE_NOW": AS_OF,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "ACCOUNTSCORE_STORE_URL": store_url or f"sqlite:///{folder}/store.db",
        "ACCOUNTSCORE_TRACKING_URI": "http://127.0.0.1:1",
        "PYTHONPATH": os.getcwd(),
    }


@contextlib.contextmanager
def under_way(
    home: Home,
    folder: Path,
    requests: Sequence[Request],
    modules: dict[str, str] | None = None,
    store_url: str | None = None,
    fresh: bool = False,
) -> Iterator[tuple[Service, Sender, Store]]:
    """The service runs and a sender is at work, both until the block ends."""
    env = environment(home, folder, store_url)
    done = home.run("serving", "migrate", env=env)
    assert done.returncode == 0, done.stderr
    service = Service(home, env, free_port(), fresh=fresh)
    service.modules |= modules or {}
    sender = Sender(service.url, requests)
    store = open_store(env["ACCOUNTSCORE_STORE_URL"])
    thread = threading.Thread(target=sender.run, daemon=True)
    try:
        for name in ("api", "worker"):
            service.start(name)
        thread.start()
        yield service, sender, store
    finally:
        sender.stopping.set()
        thread.join()
        service.stop()
        store.close()


def kill_at_random(service: Service, sender: Sender, kills: int, seed: int) -> None:
    """Kill one of the two `kills` times, at moments spread over the sending, while it goes on; then let it end."""
    rng = random.Random(seed)
    for number in range(kills):
        sender.allowed = len(sender.requests) * (number + 1) // kills
        time.sleep(rng.uniform(0.0, 0.6))
        name = rng.choice(("api", "worker"))
        service.kill(name)
        service.start(name)
    sender.allowed = len(sender.requests)


def quiet(store: Store) -> bool:
    """Nothing is left to be done."""
    with store.read() as connection:
        letters = select(func.count()).select_from(inbox).where(inbox.c.state.in_(("waiting", "applied")))
        writes = select(func.count()).select_from(writebacks).where(writebacks.c.state == "waiting")
        counts = [
            connection.execute(q).scalar_one() for q in (letters, select(func.count()).select_from(dirty), writes)
        ]
    return not any(counts)


def drain(service: Service, sender: Sender, store: Store, seconds: float = 240) -> None:
    def settled() -> bool:
        for name, process in service.processes.items():
            assert process.poll() is None, f"{name} ended: {(service.home.path / f'{name}.log').read_text()[-2000:]}"
        return sender.done == len(sender.requests) and quiet(store)

    wait_for(settled, seconds)


@dataclass
class Verdict:
    """What the checker counted; all but `effects` must be 0."""

    lost: int = 0
    twice: int = 0
    unexpected: int = 0
    wrong_at_the_crm: int = 0
    effects: int = 0

    @property
    def clean(self) -> bool:
        return self.effects > 0 and not (self.lost or self.twice or self.unexpected or self.wrong_at_the_crm)


def check(
    home: Home, sender: Sender, store: Store, crm: FakeHubSpot, told_of: Collection[str] = frozenset()
) -> Verdict:
    """Compare what was acknowledged with the inbox, the decisions and what the CRM has. `told_of`: those whom notes are about and no
    event: they are scored because of the notes.
    """
    with store.read() as connection:
        letters = connection.execute(select(inbox)).mappings().all()
        of_worker = select(decisions).where(decisions.c.cause == "webhook").order_by(decisions.c.id)
        made = [d for d in connection.execute(of_worker).mappings() if d["entity_id"] not in told_of]
    verdict = Verdict()
    key = ("object_id", "property", "value", "occurred_at")
    stored = Counter(tuple(letter[k] for k in key) for letter in letters)
    sent = {(str(e.record), e.property, e.value, e.occurred_ms * 1000) for e in sender.attempted}
    acknowledged = {(str(e.record), e.property, e.value, e.occurred_ms * 1000) for e in sender.acknowledged}
    scored = {tuple(letter[k] for k in key) for letter in letters if letter["state"] == "scored"}
    verdict.lost = len(acknowledged - scored)
    verdict.unexpected = len(set(stored) - sent)
    verdict.twice = sum(count - 1 for count in stored.values())
    # Each decision ended the work on letters of its own, and each letter was ended by one decision.
    by_letters = {(letter["entity_id"], letter["scored_as_of"]) for letter in letters if letter["state"] == "scored"}
    by_decision = Counter((d["entity_id"], d["as_of"]) for d in made)
    verdict.lost += len(by_letters - set(by_decision))
    verdict.twice += len(set(by_decision) - by_letters) + sum(count - 1 for count in by_decision.values())
    # On the wire a write may come twice, but only as it was: one key, one value.
    by_key = defaultdict(set)
    for wire in crm.writes:
        by_key[wire.key].add((wire.object_id, tuple(sorted(wire.properties.items()))))
    verdict.twice += sum(len(values) - 1 for values in by_key.values())
    keys_of = Counter(object_id for values in by_key.values() for object_id, _ in values)
    decided = Counter(d["entity_id"] for d in made)
    verdict.unexpected += sum(count > decided[f"lead_{record}"] for record, count in keys_of.items())
    verdict.effects = len(by_decision)
    verdict.wrong_at_the_crm = _wrong(home, acknowledged, made, crm)
    return verdict


def _wrong(home: Home, acknowledged: set[tuple[str, str, str, int]], made: Sequence[object], crm: FakeHubSpot) -> int:
    """Records whose value at the CRM is not the score of their newest changes, computed anew from the decision's inputs."""
    pointer = read_pointer(home.path, "lead-fit")
    assert pointer is not None
    scorer = Scorer.load(pointer.path)
    newest: dict[tuple[str, str], tuple[int, str]] = {}
    for record, name, value, occurred in acknowledged:
        if occurred >= newest.get((record, name), (-1, ""))[0]:
            newest[record, name] = (occurred, value)
    last = {d["entity_id"]: d for d in made}  # type: ignore[index]
    wrong = 0
    for record in {record for record, _ in newest}:
        decision = last.get(f"lead_{record}")
        if decision is None or decision["no_score"] is not None:
            wrong += 1
            continue
        inputs = inputs_of(decision, scorer)  # type: ignore[arg-type]
        expected = {COLUMN_OF[name]: value for (r, name), (_, value) in newest.items() if r == record}
        wrong += any(inputs[column] != value for column, value in expected.items())
        probability = scorer.probability(scorer.encode({name: [inputs[name]] for name in inputs}))
        score = int(scorer.percentile(probability)[0])
        wrong += crm.values.get(record, {}).get("fit_score") != str(score)
    return wrong
