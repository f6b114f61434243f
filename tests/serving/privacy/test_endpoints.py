"""Objections and erasures over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import insert, select

from serving.decisions import repository as history
from serving.privacy import repository as privacy
from serving.store import version_counters
from serving.store.tables import changes, inbox, ledger, writebacks
from tests.kit.account import SCORE, ask, refused, store_signals
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import Inside, running_inside


@pytest.fixture(scope="module", params=DATABASES)
def inside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    home = tmp_path_factory.mktemp("people") / "home"
    home.mkdir()
    with running_inside(home, {"ACCOUNTSCORE_STORE_URL": store_url(request, home)}) as running:
        yield running


OVERRIDE = {"model": "churn-risk", "band": "low", "reason": "They signed.", "author": "j.doe"}


class TestObjection:
    def test_it_stops_scoring_until_it_is_taken_back(self, inside: Inside) -> None:
        store_signals(inside, "j1")
        assert "probability" in ask(inside, "j1")
        assert inside.client.request("PUT", "/v1/account/j1/objection").json()["since"].startswith("2026-03-01T")
        assert ask(inside, "j1")["no_score"]["code"] == "opted_out"
        assert ask(inside, "j1", signals={"number_0": 1})["no_score"]["code"] == "opted_out"
        assert inside.client.get("/v1/account/j1/objection").status_code == 200
        with inside.state.store.read() as connection:
            assert privacy.not_to_score(connection, "account", ["j1", "j2"]) == {"j1"}
            assert privacy.not_to_score(connection, "lead", ["j1"]) == set()
        assert inside.client.request("DELETE", "/v1/account/j1/objection").status_code == 204
        assert refused(inside.client.get("/v1/account/j1/objection"), 404, "no_such_objection")
        assert "probability" in ask(inside, "j1")


class TestErasure:
    def fill(self, inside: Inside, name: str) -> None:
        store_signals(inside, name)
        ask(inside, name)
        inside.client.post(
            SCORE, json={"records": [{"entity_id": name}]}, headers={"idempotency-key": f"key-of-{name}"}
        )
        inside.client.request("PUT", f"/v1/account/{name}/override", json=OVERRIDE)
        letter = {
            "connection": "main",
            "dedupe_key": str(hash(name)),
            "received_at": 2,
            "occurred_at": 1,
            "kind": "company.change",
            "object_type": "company",
            "object_id": name,
            "property": "city",
            "value": f"home of {name}",
            "state": "scored",
            "entity": "account",
            "entity_id": name,
        }
        row = {
            "source": "s",
            "table_name": "subscriptions",
            "key": f"sub-{name}",
            "event_time": 1,
            "known_time": 1,
            "columns": b'{"plan": "x"}',
            "account_id": name,
            "lead_id": None,
        }
        with inside.writing() as connection:
            number = connection.execute(insert(inbox).values(**letter).returning(inbox.c.id)).scalar_one()
            connection.execute(insert(changes), [{**row, "inbox_id": number}])
            connection.execute(
                insert(writebacks).values(
                    connection="main",
                    model="churn-risk",
                    entity="account",
                    entity_id=name,
                    object_type="company",
                    object_id=name,
                    content=b"{}",
                    generation=1,
                    state="waiting",
                    attempts=0,
                    queued_at=1,
                    due_at=1,
                )
            )
            connection.execute(
                insert(ledger).values(
                    connection="main", object_type="company", object_id=name, property="score", value="9", written_at=1
                )
            )

    def left(self, inside: Inside, name: str) -> list[str]:
        """Tables in which the name still stands."""
        with inside.state.store.read() as connection:
            found = []
            for table in inside_tables():
                rows = connection.execute(select(table)).all()
                if any(name in repr(tuple(row)) for row in rows):
                    found.append(table.name)
        return found

    def test_nothing_of_it_stays_in_any_table(self, inside: Inside) -> None:
        self.fill(inside, "gone-4711")
        self.fill(inside, "stays-4711")
        before = self.left(inside, "gone-4711")
        assert {"signals", "decisions", "overrides", "inbox", "changes", "idempotency", "ledger"} <= set(before)
        answer = inside.client.post("/v1/account/gone-4711/erasure")
        assert answer.status_code == 200
        deleted = answer.json()["deleted"]
        assert all(
            deleted[name] >= 1 for name in ("signals", "decisions", "overrides", "inbox", "changes", "idempotency")
        )
        assert self.left(inside, "gone-4711") == []
        assert self.left(inside, "stays-4711") == self.left(inside, "stays-4711") != []

    def test_it_does_not_come_back(self, inside: Inside) -> None:
        self.fill(inside, "never-again")
        inside.client.post("/v1/account/never-again/erasure")
        store_signals(inside, "never-again")  # what the next batch and the worker do
        with inside.writing() as connection:
            row = {
                "model": "churn-risk",
                "entity": "account",
                "entity_id": "never-again",
                "as_of": 1,
                "recorded_at": 1,
                "cause": "batch",
                "scorer": "x",
                "reasons": b"[]",
                "inputs": b"{}",
                "inputs_sha256": "x",
            }
            history.put(connection, [row])
        assert ask(inside, "never-again", signals={"number_0": 1})["no_score"]["code"] == "erased"
        assert self.left(inside, "never-again") == []
        with inside.writing() as connection:
            # The sabotaged twin: a writer that says that it looked, and did not.
            history.put(connection, [row], checked_at=version_counters.of(connection, privacy.GENERATION))
        assert self.left(inside, "never-again") == ["decisions"]
        inside.client.post("/v1/account/never-again/erasure")
        with inside.writing() as connection:
            assert privacy.admit(connection, "account", "never-again", 1) is True
        store_signals(inside, "never-again")
        assert "probability" in ask(inside, "never-again")

    def test_a_request_that_began_before_the_erasure_leaves_nothing(
        self, inside: Inside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another process erases; this one has not seen it yet."""
        monkeypatch.setattr(inside.state.watched, "refresh", lambda: None)
        body = {"records": [{"entity_id": "in-flight-4711", "signals": {"number_0": 1.0}}]}

        def request(key: str) -> None:
            assert inside.client.post(SCORE, json=body).status_code == 200
            assert inside.client.post(SCORE, json=body, headers={"idempotency-key": key}).status_code == 200

        request("in-flight-1")
        assert self.left(inside, "in-flight-4711") == ["decisions", "idempotency"]
        with inside.state.store.write() as connection:
            privacy.erase(connection, "account", "in-flight-4711", 1)
        request("in-flight-2")
        assert self.left(inside, "in-flight-4711") == []
        monkeypatch.setattr(
            version_counters, "of", lambda *_: inside.state.watched.directives.generation
        )  # the sabotaged twin
        request("in-flight-3")
        assert self.left(inside, "in-flight-4711") == ["decisions", "idempotency"]
        monkeypatch.undo()
        inside.client.post("/v1/account/in-flight-4711/erasure")
        request("in-flight-4")  # and when it is known, an answer that says erased is not kept either
        assert self.left(inside, "in-flight-4711") == []

    def test_a_contact_is_erased_with_its_events(self, inside: Inside) -> None:
        with inside.writing() as connection:
            letter = {
                "connection": "main",
                "dedupe_key": "c",
                "received_at": 2,
                "occurred_at": 1,
                "kind": "contact.change",
                "object_type": "contact",
                "object_id": "77",
                "property": "title",
                "value": "canary title",
                "state": "scored",
                "entity": "account",
                "entity_id": "acme",
            }
            number = connection.execute(insert(inbox).values(**letter).returning(inbox.c.id)).scalar_one()
            row = {
                "source": "s",
                "table_name": "contacts",
                "key": "77",
                "event_time": 1,
                "known_time": 1,
                "columns": b'{"title": "canary title"}',
                "account_id": "acme",
                "lead_id": None,
                "inbox_id": number,
            }
            connection.execute(insert(changes), [row])
        deleted = inside.client.post("/v1/contact/77/erasure").json()["deleted"]
        assert (deleted["inbox"], deleted["changes"]) == (1, 1)
        assert self.left(inside, "canary title") == []

    def test_another_kind_is_404(self, inside: Inside) -> None:
        assert refused(inside.client.post("/v1/invoice/77/erasure"), 404, "no_such_kind")


def inside_tables() -> list[Any]:
    from serving.store.tables import metadata

    return list(metadata.sorted_tables)
