"""People and programs that tell outcomes and actions to a service that is killed meanwhile, and the checker that counts: told,
acknowledged and not in the store is lost; there twice is doubled; there and never told is unexpected; in the store and not in the
files of the home, or the contrary, is unpublished."""

from __future__ import annotations

import datetime as dt
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import insert, select

from features.kit.clock import to_us
from features.sources.notes import files_of
from serving.store.connect import Store
from serving.store.tables import audit_log, notes, signals

Told = tuple[str, str, str, int]
"""Kind, entity id, word, and when in microseconds."""
FIRST = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Telling:
    """One request about leads: some notes of one kind."""

    kind: str
    notes: tuple[Told, ...]

    def send(self, client: httpx.Client, url: str) -> httpx.Response:
        bodies = [
            {self.kind: word, "when": _iso(us), "source": "test", "entity_id": name} for _, name, word, us in self.notes
        ]
        if len(bodies) == 1:
            name = bodies[0].pop("entity_id")
            return client.post(f"{url}/v1/lead/{name}/{self.kind}", json=bodies[0])
        return client.post(f"{url}/v1/lead/{self.kind}s", json={"notes": bodies})


def make_tellings(count: int, leads: Sequence[str], seed: int) -> list[Telling]:
    """Of 1 to 20 notes each; every fifth is told again later."""
    rng = random.Random(seed)
    found: list[Telling] = []
    for number in range(count):
        kind = rng.choice(("outcome", "action"))
        words = ("won", "lost") if kind == "outcome" else ("call", "offer")
        size = rng.choice((1, 1, 3, 20))
        moments = [FIRST + dt.timedelta(minutes=30 * number + minute) for minute in range(size)]
        told = [(kind, rng.choice(leads), rng.choice(words), to_us(moment)) for moment in moments]
        found.append(Telling(kind, tuple(told)))
    for telling in rng.sample(found, count // 5):
        found.insert(rng.randrange(found.index(telling), len(found)) + 1, telling)
    return found


def make_known(store: Store, leads: Sequence[str]) -> None:
    """The store has signals of them, so that notes about them are taken."""
    row = {"entity": "lead", "as_of": 1, "eligibility": "eligible", "value": 1.0, "signals": b"{}", "origin": "worker"}
    with store.write() as connection:
        connection.execute(insert(signals), [{**row, "entity_id": name} for name in leads])


@dataclass
class Teller:
    """Sends each request until it is answered 200, not ahead of `share` of them."""

    url: str
    tellings: Sequence[Telling]
    share: Callable[[], float]
    acknowledged: set[Told] = field(default_factory=set)
    attempted: set[Told] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    done: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with httpx.Client(timeout=httpx.Timeout(30)) as client:
            while not self.stopping.is_set() and self.done < len(self.tellings):
                if self.done > self.share() * len(self.tellings) or not self._try(client, self.tellings[self.done]):
                    self.stopping.wait(0.02)
                else:
                    self.done += 1

    def _try(self, client: httpx.Client, telling: Telling) -> bool:
        self.attempted |= set(telling.notes)
        try:
            answer = telling.send(client, self.url)
        except httpx.HTTPError:
            return False
        self.statuses[answer.status_code] += 1
        assert answer.status_code in (200, 503), answer.text
        if answer.status_code == 200:
            self.acknowledged |= set(telling.notes)
        return answer.status_code == 200


@dataclass
class NotesVerdict:
    """What the checker counted; all but `effects` must be 0."""

    lost: int = 0
    doubled: int = 0
    unexpected: int = 0
    unpublished: int = 0
    logged_twice: int = 0
    effects: int = 0

    @property
    def clean(self) -> bool:
        wrong = self.lost + self.doubled + self.unexpected + self.unpublished + self.logged_twice
        return self.effects > 0 and not wrong


def check_notes(store: Store, home: Path, acknowledged: set[Told], attempted: set[Told]) -> NotesVerdict:
    """Compare what was told with the table, the files and the audit log."""
    with store.read() as connection:
        rows = connection.execute(select(notes)).mappings().all()
        entries = connection.execute(
            select(audit_log.c.action).where(audit_log.c.action.in_(("outcome", "action")))
        ).all()
    stored = Counter((row["kind"], row["entity_id"], row["word"], row["event_at"]) for row in rows)
    lines = [json.loads(line) for file in files_of(home) for line in file.read_text().splitlines()[1:]]
    published = Counter(line["id"] for line in lines)
    ids = Counter(row["id"] for row in rows)
    return NotesVerdict(
        lost=len(acknowledged - stored.keys()),
        doubled=sum(count - 1 for count in stored.values()),
        unexpected=len(stored.keys() - attempted),
        unpublished=sum(((ids - published) + (published - ids)).values()),
        logged_twice=abs(len(entries) - len(rows)),
        effects=len(stored),
    )


def _iso(us: int) -> str:
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=us)).isoformat()


def leads_of(company: Path, count: int) -> list[str]:
    """Ids of leads of a company's files."""
    import pyarrow.parquet as pq

    found: list[Any] = pq.read_table(company / "leads.parquet", columns=["lead_id"])["lead_id"].unique().to_pylist()
    return sorted(map(str, found))[:count]
