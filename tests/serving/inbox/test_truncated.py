"""A message that was too large for Dataverse to send is read from the CRM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from serving.connections.config import ConnectionConfig, Mapped
from serving.inbox import repository as inbox
from serving.inbox.truncated import read_truncated
from serving.outbox import deliver
from serving.outbox.deliver import Delivered
from serving.store.connect import Store
from serving.store.tables import inbox as table
from serving.vendors.destination import Target, WriteBack
from serving.vendors.dynamics.outbound import Dynamics
from serving.vendors.inbound import Event
from tests.kit.dataverse import guid
from tests.kit.fake_dataverse import FakeDataverse, fake_dataverse

PROPERTIES = {"score": "new_fit", "band": "new_fitband", "probability": "new_probability", "reasons": "new_reasons"}


@pytest.fixture
def crm() -> Iterator[FakeDataverse]:
    with fake_dataverse() as fake:
        yield fake


@pytest.fixture
def config(crm: FakeDataverse) -> WriteBack:
    return WriteBack("on", {"lead-fit": Target("lead", PROPERTIES)}, url=crm.url, token="t" * 20)


@pytest.fixture
def sender(config: WriteBack) -> Iterator[Dynamics]:
    made = Dynamics(config)
    yield made
    made.close()


class TestCut:
    """What was too large for Dataverse to tell is read from it."""

    def delivery(self, store: Store, crm: FakeDataverse, config: WriteBack, sender: Dynamics) -> deliver.Deliverer:
        objects = {
            "lead": Mapped(
                "leads", "lead_{id}", {"subject": "title", "industrycode": "industry", "ownerid": "city"}, {}
            )
        }
        conf = ConnectionConfig("crm", "dynamics", "https://x.example", "sample", None, objects, writeback=config)
        cut = [Event((n,), "lead.Update", "change", "lead", guid(n), 1_000_000, truncated=True) for n in (1, 2)]
        with store.write() as connection:
            inbox.put(connection, inbox.events_of(conf, cut, 2_000_000))
        return deliver.Deliverer(store, conf, sender, read_truncated)

    def letters(self, store: Store) -> list[tuple[object, ...]]:
        columns = (table.c.object_id, table.c.property, table.c.value, table.c.state)
        with store.read() as connection:
            return [tuple(row) for row in connection.execute(select(*columns).order_by(table.c.id))]

    def test_the_record_is_read_once_and_what_is_mapped_becomes_changes(
        self, store: Store, crm: FakeDataverse, config: WriteBack, sender: Dynamics
    ) -> None:
        crm.records = {
            guid(n): {
                "subject": f"s{n}",
                "industrycode": 7,
                "_ownerid_value": guid(9),
                "description": "x" * 300_000,
                "new_many": [1, 2],
            }
            for n in (1, 2)
        }
        work = self.delivery(store, crm, config, sender)
        for _ in range(3):
            assert work.round() == Delivered()
        assert crm.calls == 2
        told = [
            (guid(n), name, value, "waiting")
            for n in (1, 2)
            for name, value in (("subject", f"s{n}"), ("industrycode", "7"), ("ownerid", guid(9)))
        ]
        assert self.letters(store) == [(guid(1), None, None, "kept"), (guid(2), None, None, "kept"), *told]

    def test_a_record_that_is_gone_fails_its_letter_alone(
        self, store: Store, crm: FakeDataverse, config: WriteBack, sender: Dynamics
    ) -> None:
        crm.records = {guid(2): {"subject": "s"}}
        self.delivery(store, crm, config, sender).round()
        assert [(row[0], row[3]) for row in self.letters(store)] == [
            (guid(1), "failed"),
            (guid(2), "kept"),
            (guid(2), "waiting"),
        ]

    @pytest.mark.parametrize(
        "bad",
        ["drop", (503, {"retry-after": "40"}, b""), (200, {}, b"<html>"), (200, {}, b"[]"), (200, {}, b'{"a": NaN}')],
    )
    def test_while_the_crm_is_away_it_is_asked_again_later(
        self, store: Store, crm: FakeDataverse, config: WriteBack, sender: Dynamics, bad: Any
    ) -> None:
        crm.misbehave = lambda _call: bad
        work = self.delivery(store, crm, config, sender)
        for _ in range(3):
            work.round()
        assert crm.calls == 1
        assert {row[3] for row in self.letters(store)} == {"cut"}
        crm.misbehave = lambda _call: None
        crm.records = {guid(n): {} for n in (1, 2)}
        deliver.Deliverer(store, work._config, sender, read_truncated).round()
        assert {row[3] for row in self.letters(store)} == {"kept"}
