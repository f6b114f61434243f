"""Write-back with everything against it: a CRM that is down, slow, full, and refuses; values that cannot be; a queue of a night.

A real API, a real worker, and a CRM on loopback. Nothing acknowledged may be lost, and what a person waits for goes first.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from serving.connections.config import read_connections
from serving.outbox import repository as outbox
from serving.store.connect import Store
from serving.store.tables import inbox, writebacks
from tests.conftest import NewHome
from tests.kit.fake_crm import Answer
from tests.kit.fake_hubspot import FakeHubSpot, fake_hubspot
from tests.kit.killing import (
    DECEMBER_MS,
    SECRET,
    TOKEN,
    Sent,
    Service,
    check,
    connect,
    drain,
    make_requests,
    signed,
    under_way,
)
from tests.kit.running import Home, free_port, wait_for
from tests.kit.writebacks import new

NEW = range(5_000_000, 5_000_040)
"""Records that the sender tells of."""


REFUSED, URGENT = 6_000_001, 6_000_002


HOSTILE = ("99999999999999999999999999", "1e300", "-1e300", "nan", "1e999", "51-200")


NIGHT = 600


@pytest.fixture(scope="module")
def home(new_home: NewHome) -> Home:
    return new_home(models=("lead-fit",))


def troubled(call: int) -> Answer | str | None:
    """Full, broken, slow, and answers that are lost."""
    if call == 1:
        return 429, {"retry-after": "1"}, b"{}"
    if call == 3:
        return 503, {}, b"<html>"
    if call == 5:
        time.sleep(0.5)
    return "lose" if call == 4 else "drop" if call == 2 else None


def event(number: int, record: int, name: str, value: str) -> Sent:
    return Sent(9_000_000 + number, record, name, value, DECEMBER_MS + number * 1000)


def tell(service: Service, *events: Sent) -> None:
    body, headers = signed([each.wire() for each in events])

    def taken() -> bool:
        try:
            return httpx.post(f"{service.url}/webhooks/crm", content=body, headers=headers, timeout=30).is_success
        except httpx.HTTPError:
            return False

    wait_for(taken)


def queue_a_night(store: Store, home: Home, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CRM_SECRET", "CRM_TOKEN"):
        monkeypatch.setenv(name, env[name])
    configs = list(read_connections(home.path / "connections").mapped.values())
    with store.write() as connection:
        outbox.enqueue(connection, configs, [new(f"lead_{n}") for n in range(NIGHT)], 10, outbox.BATCH)


def states(store: Store) -> Counter[str]:
    with store.read() as connection:
        return Counter(connection.execute(select(writebacks.c.state)).scalars())


def test_nothing_is_lost_and_what_a_person_waits_for_goes_first(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    connect(home, FakeHubSpot(url=f"http://127.0.0.1:{port}"))  # nobody is there yet
    requests = make_requests(100, NEW, 5)
    hostile = [event(n, NEW[n], "revenue", value) for n, value in enumerate(HOSTILE)]
    with under_way(home, tmp_path, requests) as (service, sender, store):
        queue_a_night(store, home, {"CRM_SECRET": SECRET, "CRM_TOKEN": TOKEN}, monkeypatch)
        sender.allowed = len(requests)
        good = event(100, REFUSED, "country", "DE")
        tell(service, *hostile, good)  # in one delivery: the bad ones fail alone
        wait_for(lambda: sender.done == len(requests) and states(store)["waiting"] > NIGHT)
        assert not states(store)[outbox.SENT]
        with fake_hubspot(port) as crm:
            crm.misbehave = troubled
            crm.invalid = {str(REFUSED)}  # whose hundred is refused as a whole, whenever it is in it
            tell(service, event(101, URGENT, "country", "FR"))
            drain(service, sender, store)
            with store.read() as connection:
                failed = connection.execute(
                    select(inbox.c.value, inbox.c.detail).where(inbox.c.state == "failed")
                ).all()
                dead = (
                    connection.execute(select(writebacks.c.entity_id).where(writebacks.c.state == "dead"))
                    .scalars()
                    .all()
                )
            assert {value for value, _ in failed} == set(HOSTILE)
            assert all(detail for _, detail in failed)
            assert dead == [f"lead_{REFUSED}"]
            written = [wire.object_id for wire in crm.writes]
            assert {str(n) for n in range(NIGHT)} <= set(written)  # the whole night
            people = {str(e.record) for request in requests if not request.bad for e in request.events} | {str(URGENT)}
            # Of the calls of the night no more than one in ten, and those at work while a score was made, went before it.
            places = [written.index(record) for record in people]
            assert sorted(places)[len(places) // 2] < NIGHT / 2
            assert crm.calls < 100  # halved, not one by one
            sender.attempted |= {*hostile, good, event(101, URGENT, "country", "FR")}
            told = replace(crm, writes=[wire for wire in crm.writes if wire.object_id in people])
            verdict = check(home, sender, store, told)
            assert verdict.clean, verdict
            # The sabotaged twin: a CRM that says that it has what it threw away.
            told.values = {**told.values, str(next(iter(sender.acknowledged)).record): {}}
            assert check(home, sender, store, told).wrong_at_the_crm == 1
