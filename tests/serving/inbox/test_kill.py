"""Webhooks are never lost and scores arrive once, whatever is killed; nor are notes that are told meanwhile. Real processes, real
signals; the registry is away."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from serving.gateway.actor import OPEN
from serving.notes import export, repository
from serving.notes.audit import append_told
from serving.store.connect import Store
from serving.store.tables import decisions
from tests.conftest import NewHome
from tests.kit.fake_hubspot import fake_hubspot
from tests.kit.killing import (
    Sender,
    Service,
    Verdict,
    check,
    connect,
    drain,
    kill_at_random,
    make_requests,
    under_way,
)
from tests.kit.notes import note
from tests.kit.running import Home, wait_for
from tests.kit.teller import NotesVerdict, Teller, check_notes, leads_of, make_known, make_tellings


@pytest.fixture(scope="module")
def home(new_home: NewHome) -> Home:
    return new_home(models=("lead-fit",))


NEW = range(5_000_000, 5_000_100)
"""Records that the CRM tells of and the source does not have yet."""


def run(
    home: Home, folder: Path, events: int, kills: int, seed: int, tellings: int
) -> tuple[Verdict, NotesVerdict, set[str]]:
    """What the checkers counted, and the scores that the CRM has in the end."""
    with fake_hubspot() as crm:
        connect(home, crm)
        requests = make_requests(events, NEW, seed)
        with under_way(home, folder, requests) as (service, sender, store):
            leads = leads_of(home.company, 50)
            make_known(store, leads)
            with telling(service, sender, tellings, leads, seed) as teller:
                kill_at_random(service, sender, kills, seed)
                drain(service, sender, store)
                wait_for(lambda: teller.done == len(teller.tellings), 240)
            assert service.kills == kills
            assert len(sender.acknowledged) == events
            verdict = check(home, sender, store, crm, told_of=leads)
            told_outcomes = {each[1] for each in teller.acknowledged if each[0] == repository.OUTCOME}
            assert told_outcomes
            wait_for(lambda: told_outcomes <= scored(store), 240)
            told = check_notes(store, home.path, teller.acknowledged, teller.attempted)
            print(f"{kills} kills, {dict(sender.statuses)}, {len(crm.writes)} writes on the wire: {verdict}")
            print(f"{len(teller.acknowledged)} notes, {dict(teller.statuses)}: {told}")
    return verdict, told, {str(values["fit_score"]) for values in crm.values.values()}


def scored(store: Store) -> set[str]:
    """Those of whom a decision is recorded."""
    with store.read() as connection:
        return set(connection.execute(select(decisions.c.entity_id)).scalars())


@contextlib.contextmanager
def telling(service: Service, sender: Sender, count: int, leads: list[str], seed: int) -> Iterator[Teller]:
    """Somebody tells notes, no faster than the CRM sends, until the block ends."""
    teller = Teller(service.url, make_tellings(count, leads, seed), lambda: sender.done / len(sender.requests))
    thread = threading.Thread(target=teller.run, daemon=True)
    thread.start()
    try:
        yield teller
    finally:
        teller.stopping.set()
        thread.join()


class TestKilledAtRandom:
    def test_eight_times(self, home: Home, tmp_path: Path) -> None:
        verdict, told, scores = run(home, tmp_path, events=600, kills=8, seed=1, tellings=120)
        assert verdict.clean, verdict
        assert told.clean, told
        assert len(scores) > 1

    @pytest.mark.slow
    def test_two_hundred_times(self, home: Home, tmp_path: Path) -> None:
        verdict, told, scores = run(home, tmp_path, events=2_000, kills=200, seed=2, tellings=300)
        assert verdict.clean, verdict
        assert told.clean, told
        assert len(scores) > 1


@pytest.mark.slow
def test_answering_before_the_commit_is_caught(home: Home, tmp_path: Path) -> None:
    """The sabotaged twin: an API that answers and stores later loses what it acknowledged when it is killed."""
    with fake_hubspot() as crm:
        connect(home, crm)
        requests = [r for r in make_requests(60, NEW, 3) if not r.bad]
        with under_way(home, tmp_path, requests, {"api": "tests.kit.sabotaged_early"}) as (service, sender, store):
            sender.allowed = len(requests) // 2
            wait_for(lambda: sender.done == sender.allowed)
            service.kill("api")
            service.modules["api"] = "serving"  # what comes after is stored as it should be
            service.start("api")
            sender.allowed = len(requests)
            drain(service, sender, store)
            verdict = check(home, sender, store, crm)
    assert verdict.lost > 0
    assert not verdict.clean


def test_notes_that_are_lost_doubled_or_unpublished_are_counted(store: Store, tmp_path: Path) -> None:
    """The sabotaged twins of the second checker."""
    told = ("outcome", "l1", "won", 5)
    clean = note("l1", "won", 5, kind="outcome", entity="lead")
    with store.write() as connection:
        append_told(connection, OPEN, repository.put(connection, [clean]).values(), 6)
    assert check_notes(store, tmp_path, {told}, {told}).unpublished == 1
    export.publish(store, tmp_path)
    assert check_notes(store, tmp_path, {told}, {told}) == NotesVerdict(effects=1)
    assert check_notes(store, tmp_path, {told, ("action", "l1", "call", 5)}, {told}).lost == 1
    assert check_notes(store, tmp_path, set(), set()).unexpected == 1
    with store.write() as connection:
        again = replace(clean, id="another")
        append_told(connection, OPEN, [*repository.put(connection, [again]).values()] * 2, 6)
    found = check_notes(store, tmp_path, {told}, {told})
    assert (found.doubled, found.unpublished, found.logged_twice) == (1, 1, 1)
