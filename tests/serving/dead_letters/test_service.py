"""What was given up goes back into its queue, once, and the audit log says who put it back."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from serving.audit_log import repository
from serving.audit_log.entry import Command
from serving.dead_letters import service
from serving.dead_letters.service import PutBack
from serving.inbox import repository as inbox
from serving.outbox import repository as outbox
from serving.store.connect import Store
from serving.store.tables import writebacks
from serving.worker import set_aside
from tests.kit.audited import told
from tests.kit.queued import put_dirty, put_event, put_write

pytestmark = pytest.mark.both_databases
JANE = Command("key:1", "jane", "person")


@pytest.fixture
def full(store: Store) -> Store:
    for name in ("crm", "other"):
        put_write(store, name, "dead", 5, error="HTTP 400", entity_id="lead_1")
        put_write(store, name, "dead", 6, error="HTTP 400", entity_id="lead_2")
        put_write(store, name, "sent", 7, sent_at=8)
        put_event(store, name, "failed", 9, "no such object")
        put_dirty(store, f"source of {name}", "it cannot be scored: ValueError")
    return store


def given_up(store: Store, name: str) -> tuple[int, int, int]:
    with store.read() as connection:
        return (
            len(outbox.dead(connection, name)),
            len(inbox.failed(connection, name)),
            len(set_aside.all_of(connection, [f"source of {name}"])),
        )


def test_all_of_a_connection_and_nothing_of_another(full: Store) -> None:
    assert given_up(full, "crm") == (2, 1, 1)
    assert service.replay(full, JANE, "crm", "source of crm", 100) == PutBack(2, 1, 1)
    assert given_up(full, "crm") == (0, 0, 0)
    assert given_up(full, "other") == (2, 1, 1)
    with full.read() as connection:
        due = connection.execute(select(writebacks.c.due_at).where(writebacks.c.state == "waiting")).scalars().all()
    assert due == [100, 100]


def test_of_some_entities_no_events_and_no_others(full: Store) -> None:
    assert service.replay(full, JANE, "crm", "source of crm", 100, ["lead_1", "nobody"]) == PutBack(1, 0, 0)
    assert given_up(full, "crm") == (1, 1, 1)


def test_without_a_source_entities_stay(full: Store) -> None:
    assert service.replay(full, JANE, "crm", None, 100) == PutBack(2, 1, 0)
    assert given_up(full, "crm") == (0, 0, 1)


def test_each_replay_is_one_row_that_names_nobody(full: Store) -> None:
    service.replay(full, JANE, "crm", "source of crm", 100, ["lead_1"])
    service.replay(full, JANE, "crm", "source of crm", 101)
    assert told(full, "replay") == [
        ("person", "crm", {}, {"scores": 1, "events": 0, "entities": 0, "of_entities": 1}),
        ("person", "crm", {}, {"scores": 1, "events": 1, "entities": 1}),
    ]


def test_without_its_row_nothing_is_put_back(full: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("the log cannot be written")

    monkeypatch.setattr(repository, "append", fails)
    with pytest.raises(RuntimeError):
        service.replay(full, JANE, "crm", "source of crm", 100)
    assert given_up(full, "crm") == (2, 1, 1)
