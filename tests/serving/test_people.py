"""What people do about scores over HTTP and by command: overrides, objections, erasure, retention, replay, why it moved."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from sqlalchemy import func, insert, select, update

from features.errors import UserMistake
from serving.clock import to_us
from serving.history import repository as history
from serving.privacy import repository as privacy
from serving.replay.scorers import KeptScorers, ScorerGone
from serving.replay.service import replay
from serving.scoring import repository as stored
from serving.store import generation
from serving.store.tables import changes, decisions, idempotency, inbox, ledger, signals, writebacks
from tests.serving.conftest import DATABASES, store_url
from tests.serving.inside import Inside, running_inside

SCORE = "/v1/churn-risk/score"
VALUES = {"number_0": 1.5, "number_1": None, "number_3": 2e2, "word_0": "beta"}
DAY = 86_400_000_000


@pytest.fixture(scope="module", params=DATABASES)
def inside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    home = tmp_path_factory.mktemp("people") / "home"
    home.mkdir()
    with running_inside(home, {"ACCOUNTSCORE_STORE_URL": store_url(request, home)}) as running:
        yield running


def store_signals(inside: Inside, name: str, entity: str = "account", days_ago: int = 0, **values: Any) -> None:
    import datetime as dt

    moment = inside.state.clock() - dt.timedelta(days=days_ago)
    with inside.writing() as connection:
        stored.put(connection, [stored.row(entity, name, moment, "eligible", 10.0, {**VALUES, **values}, "worker")])


def ask(inside: Inside, name: str, **more: Any) -> Any:
    body = {"records": [{"entity_id": name, **more}], "reasons": 3}
    answer = inside.client.post(SCORE, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"][0]


def refused(answer: Any, status: int, code: str) -> bool:
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    return answer.headers["content-type"] == "application/problem+json"


class TestOverride:
    GIVEN: ClassVar = {"model": "churn-risk", "band": "low", "reason": "They signed.", "author": "j.doe"}

    def test_it_is_shown_until_it_is_withdrawn(self, inside: Inside) -> None:
        store_signals(inside, "o1")
        alone = ask(inside, "o1")
        put = inside.client.request("PUT", "/v1/account/o1/override", json=self.GIVEN)
        assert put.status_code == 200
        assert put.json()["override"]["reason"] == "They signed."
        beside = ask(inside, "o1")
        assert beside.pop("override")["band"] == "low"
        assert beside == alone
        assert inside.client.get("/v1/account/o1/scores").json()["overrides"]["churn-risk"]["author"] == "j.doe"
        second = inside.client.request("PUT", "/v1/account/o1/override", json={**self.GIVEN, "band": "medium"})
        assert second.json()["override"]["band"] == "medium"
        where = "/v1/account/o1/override?model=churn-risk"
        assert inside.client.get(where).json()["override"]["band"] == "medium"
        for _ in range(2):
            assert inside.client.request("DELETE", where).status_code == 204
        assert refused(inside.client.get(where), 404, "no_such_override")
        assert "override" not in ask(inside, "o1")

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"band": "purple"}, 422, "bad_override"), ({"model": "x"}, 404, "no_such_model"),
            ({"model": "lead-fit"}, 404, "no_such_model"), ({"until": "2020-01-01"}, 409, "over_already"),
            ({"until": "soon"}, 422, "bad_override"), ({"reason": ""}, 422, "wrong_shape"),
            ({"reason": 1}, 422, "wrong_shape"), ({"color": 1}, 422, "wrong_shape"),
            ({"until": "0001-01-01T00:00:00+23:59"}, 422, "bad_override"),
        ],
    )  # fmt: skip
    def test_what_does_not_fit_is_refused(self, inside: Inside, change: dict[str, Any], status: int, code: str) -> None:
        answer = inside.client.request("PUT", "/v1/account/o2/override", json={**self.GIVEN, **change})
        assert refused(answer, status, code)

    def test_what_is_no_json_is_400(self, inside: Inside) -> None:
        answer = inside.client.request("PUT", "/v1/account/o2/override", content=b'{"a": 1, "a": 2}')
        assert refused(answer, 400, "not_strict_json")
        answer = inside.client.request("PUT", "/v1/account/o2/override", content=b" " * 70_000)
        assert refused(answer, 413, "body_too_large")

    def test_neither_account_nor_lead_is_404(self, inside: Inside) -> None:
        assert refused(inside.client.get("/v1/person/x/override?model=churn-risk"), 404, "no_such_entity")


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
        )  # fmt: skip
        inside.client.request("PUT", f"/v1/account/{name}/override", json=TestOverride.GIVEN)
        letter = {
            "connection": "main", "dedupe_key": str(hash(name)), "received_at": 2, "occurred_at": 1, "kind": "company.change",
            "object_type": "company", "object_id": name, "property": "city", "value": f"home of {name}",
            "state": "scored", "entity": "account", "entity_id": name,
        }  # fmt: skip
        row = {
            "source": "s", "table_name": "subscriptions", "key": f"sub-{name}", "event_time": 1, "known_time": 1,
            "columns": b'{"plan": "x"}', "account_id": name, "lead_id": None,
        }  # fmt: skip
        with inside.writing() as connection:
            number = connection.execute(insert(inbox).values(**letter).returning(inbox.c.id)).scalar_one()
            connection.execute(insert(changes), [{**row, "inbox_id": number}])
            connection.execute(
                insert(writebacks).values(
                    connection="main", model="churn-risk", entity="account", entity_id=name, object_type="company",
                    object_id=name, content=b"{}", generation=1, state="waiting", attempts=0, queued_at=1, due_at=1,
                )
            )  # fmt: skip
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
                "model": "churn-risk", "entity": "account", "entity_id": "never-again", "as_of": 1, "recorded_at": 1,
                "cause": "batch", "scorer": "x", "reasons": b"[]", "inputs": b"{}", "inputs_sha256": "x",
            }  # fmt: skip
            history.put(connection, [row])
        assert ask(inside, "never-again", signals={"number_0": 1})["no_score"]["code"] == "opted_out"
        assert self.left(inside, "never-again") == []
        with inside.writing() as connection:
            # The sabotaged twin: a writer that says that it looked, and did not.
            history.put(connection, [row], checked_at=generation.of(connection, privacy.GENERATION))
        assert self.left(inside, "never-again") == ["decisions"]
        inside.client.post("/v1/account/never-again/erasure")
        with inside.writing() as connection:
            assert privacy.admit(connection, "account", "never-again") is True
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
        monkeypatch.setattr(generation, "of", lambda *_: inside.state.watched.marks.generation)  # the sabotaged twin
        request("in-flight-3")
        assert self.left(inside, "in-flight-4711") == ["decisions", "idempotency"]
        monkeypatch.undo()
        inside.client.post("/v1/account/in-flight-4711/erasure")
        request("in-flight-4")  # and when it is known, an answer that says opted_out is not kept either
        assert self.left(inside, "in-flight-4711") == []

    def test_a_contact_is_erased_with_its_events(self, inside: Inside) -> None:
        with inside.writing() as connection:
            letter = {
                "connection": "main", "dedupe_key": "c", "received_at": 2, "occurred_at": 1, "kind": "contact.change",
                "object_type": "contact", "object_id": "77", "property": "title", "value": "canary title",
                "state": "scored", "entity": "account", "entity_id": "acme",
            }  # fmt: skip
            number = connection.execute(insert(inbox).values(**letter).returning(inbox.c.id)).scalar_one()
            row = {
                "source": "s", "table_name": "contacts", "key": "77", "event_time": 1, "known_time": 1,
                "columns": b'{"title": "canary title"}', "account_id": "acme", "lead_id": None, "inbox_id": number,
            }  # fmt: skip
            connection.execute(insert(changes), [row])
        deleted = inside.client.post("/v1/contact/77/erasure").json()["deleted"]
        assert (deleted["inbox"], deleted["changes"]) == (1, 1)
        assert self.left(inside, "canary title") == []

    def test_another_kind_is_404(self, inside: Inside) -> None:
        assert refused(inside.client.post("/v1/invoice/77/erasure"), 404, "no_such_kind")


def inside_tables() -> list[Any]:
    from serving.store.tables import metadata

    return list(metadata.sorted_tables)


class TestRetention:
    def test_what_is_older_goes_and_what_waits_stays(self, inside: Inside) -> None:
        store_signals(inside, "r1")
        ask(inside, "r1")
        ask(inside, "r1")
        now = to_us(inside.state.clock())
        with inside.writing() as connection:
            first = connection.execute(select(func.min(decisions.c.id)).where(decisions.c.entity_id == "r1")).scalar()
            connection.execute(update(decisions).where(decisions.c.id == first).values(recorded_at=now - 31 * DAY))
            for key, state in (("w", "waiting"), ("s", "scored"), ("f", "failed")):
                connection.execute(
                    insert(inbox).values(
                        connection="main", dedupe_key=key, received_at=now - 31 * DAY, occurred_at=1, kind="k",
                        object_type="o", object_id="1", state=state,
                    )
                )  # fmt: skip
            done = privacy.forget_before(connection, now - 30 * DAY)
            assert done["decisions"] == 1
            left = set(connection.execute(select(inbox.c.dedupe_key).where(inbox.c.object_type == "o")).scalars())
            assert left == {"w"}
            assert connection.execute(select(signals.c.entity_id).where(signals.c.entity_id == "r1")).all()
        assert len(inside.client.get("/v1/account/r1/scores").json()["scores"]) == 1
        with inside.state.store.read() as connection:
            assert connection.execute(select(idempotency)).all() is not None


class TestReplay:
    def newest(self, inside: Inside, name: str) -> int:
        return int(inside.client.get(f"/v1/account/{name}/scores?what_if=true").json()["scores"][0]["id"])

    def test_a_record_gives_the_same_number_to_the_bit(self, inside: Inside) -> None:
        store_signals(inside, "p1")
        ask(inside, "p1", signals={"number_2": 0.1 + 0.2, "word_1": "never seen"})
        scorers = KeptScorers(inside.state.settings.base.home)
        number = self.newest(inside, "p1")
        done = replay(inside.state.store, scorers, number)
        assert done.same
        assert done.probability is not None
        sabotages: list[dict[str, Any]] = [
            {"probability": float.fromhex(done.probability.hex()) + 1e-16}, {"score": (done.score or 0) + 1},
            {"inputs": b"{}"}, {"inputs": b'["ff", 1]'}, {"inputs": b"[1]"}, {"inputs": b"1"}, {"band": "purple"},
        ]  # fmt: skip
        for values in sabotages:
            with inside.writing() as connection:
                kept = connection.execute(select(decisions).where(decisions.c.id == number)).mappings().one()
                connection.execute(update(decisions).where(decisions.c.id == number).values(**values))
            assert not replay(inside.state.store, scorers, number).same
            with inside.writing() as connection:
                connection.execute(update(decisions).where(decisions.c.id == number).values(**kept))

    def test_records_of_the_older_form_are_read_and_replay(self, inside: Inside) -> None:
        """Inputs as an object by name, reasons as objects: so they were kept before revision 0004."""
        store_signals(inside, "p3")
        ask(inside, "p3")
        number, scorers = self.newest(inside, "p3"), KeptScorers(inside.state.settings.base.home)
        shown = inside.client.get("/v1/account/p3/scores").json()
        row = history.one(inside.state.store, number)
        assert row is not None
        inputs = history.inputs_of(row, scorers.get(row["model"], row["scorer"]))
        assert len(inputs) > 3
        older = [{k: v for k, v in reason.items() if k != "direction"} for reason in shown["scores"][0]["reasons"]]
        assert older
        kept = msgspec.json.encode(inputs, order="deterministic")
        values = {
            "inputs": kept,
            "inputs_sha256": hashlib.sha256(kept).hexdigest(),
            "reasons": msgspec.json.encode(older),
        }
        assert len(kept) > 2 * len(row["inputs"])
        with inside.writing() as connection:
            connection.execute(update(decisions).where(decisions.c.id == number).values(**values))
        assert replay(inside.state.store, scorers, number).same
        assert inside.client.get("/v1/account/p3/scores").json() == shown

    def test_what_is_not_there_is_told(self, inside: Inside, tmp_path: Path) -> None:
        with pytest.raises(UserMistake, match="no decision record"):
            replay(inside.state.store, KeptScorers(tmp_path), 10**12)
        store_signals(inside, "p2")
        ask(inside, "p2")
        with pytest.raises(ScorerGone):
            replay(inside.state.store, KeptScorers(tmp_path), self.newest(inside, "p2"))


class TestChange:
    def test_two_scores_are_compared(self, inside: Inside) -> None:
        store_signals(inside, "c1", days_ago=28)
        first = ask(inside, "c1")
        store_signals(inside, "c1", number_3=-5e5)
        second = ask(inside, "c1")
        answer = inside.client.get("/v1/account/c1/change").json()
        assert answer["before"]["probability"] == first["probability"]
        assert answer["after"]["probability"] == second["probability"]
        assert sum(answer["parts"].values()) == pytest.approx(answer["log_odds"], abs=1e-12)
        assert sum(answer["score_parts"].values()) == answer["score"] == second["score"] - first["score"]
        assert [step["after"] for step in answer["bands"]] == ["start", "signals", "time", "version", "thresholds"]
        assert {each["signal"] for each in answer["signals"] if each["before"] != each["after"]} == {"number_3"}
        same = inside.client.get("/v1/account/c1/change?from=2026-02-02&to=2026-03-02&model=churn_risk").json()
        assert same == answer

    def test_without_two_scores_there_is_nothing_to_compare(self, inside: Inside) -> None:
        assert refused(inside.client.get("/v1/account/nobody/change"), 404, "no_such_score")
        store_signals(inside, "c2")
        ask(inside, "c2")
        assert refused(inside.client.get("/v1/account/c2/change"), 404, "no_such_score")
        assert refused(inside.client.get("/v1/account/c1/change?to=2020-01-01"), 404, "no_such_score")

    @pytest.mark.parametrize("query", ["from=soon", "to=2026-02-30", "to=0001-01-01T00:00:00%2B23:00"])
    def test_a_time_that_is_none_is_422(self, inside: Inside, query: str) -> None:
        assert refused(inside.client.get(f"/v1/account/c1/change?{query}"), 422, "bad_parameters")


def test_trend_is_read_with_the_signals(inside: Inside) -> None:
    store_signals(inside, "t1", days_ago=40)
    assert ask(inside, "t1")["trend"] == "not_enough"
    store_signals(inside, "t1")
    assert ask(inside, "t1")["trend"] == "steady"
    with inside.writing() as connection:
        connection.execute(
            update(decisions).where(decisions.c.entity_id == "t1", decisions.c.as_of < to_us(inside.state.clock()) - DAY)
            .values(score=200)
        )  # fmt: skip
    assert ask(inside, "t1")["trend"] == "improving"  # the risk was higher
    with inside.writing() as connection:
        connection.execute(update(decisions).where(decisions.c.entity_id == "t1").values(model="lead-fit"))
    assert ask(inside, "t1")["trend"] == "not_enough"  # another model's scores say nothing


def test_metrics_say_what_waits_and_how_old_the_signals_are(inside: Inside) -> None:
    store_signals(inside, "m1")
    letter = {
        "connection": "main", "dedupe_key": "m", "received_at": 2, "occurred_at": 1, "kind": "company.change",
        "object_type": "company", "object_id": "m", "state": "failed",
    }  # fmt: skip
    with inside.writing() as connection:
        connection.execute(insert(inbox).values(**letter))
    page = inside.client.get("/metrics").text
    assert 'accountscore_inbox_events{state="failed"} 1.0' in page
    assert 'accountscore_outbox_messages{state="dead"} 0.0' in page
    assert 'accountscore_signals_age_seconds{entity="account"}' in page
    assert "accountscore_dirty_entities 0.0" in page
    assert "accountscore_ready 1.0" in page  # nobody asked /readyz


class TestWhatIf:
    """Signals that a request lays over the stored ones: recorded for replay, and no part of the story of an account."""

    def ids(self, inside: Inside, name: str, query: str = "") -> list[tuple[str, str]]:
        page = inside.client.get(f"/v1/account/{name}/scores{query}").json()
        return [(score["cause"], score["as_of"]) for score in page["scores"]]

    def test_it_is_recorded_and_replays(self, inside: Inside) -> None:
        store_signals(inside, "w1", days_ago=1)
        ask(inside, "w1")
        asked = ask(inside, "w1", signals={"number_3": -5e5})
        assert asked["signals_from"] == "store+request"
        assert [cause for cause, _ in self.ids(inside, "w1")] == ["request"]
        assert [cause for cause, _ in self.ids(inside, "w1", "?what_if=true")] == ["what_if", "request"]
        page = inside.client.get("/v1/account/w1/scores?what_if=true&limit=1").json()
        assert page["scores"][0]["probability"] == asked["probability"]
        done = replay(inside.state.store, KeptScorers(inside.state.settings.base.home), page["scores"][0]["id"])
        assert done.same

    def test_it_is_no_end_of_a_change_unless_it_is_asked_for(self, inside: Inside) -> None:
        store_signals(inside, "w2", days_ago=28)
        first = ask(inside, "w2")
        asked = ask(inside, "w2", signals={"number_3": -5e5})
        assert refused(inside.client.get("/v1/account/w2/change"), 404, "no_such_score")
        what_if = inside.client.get("/v1/account/w2/change?what_if=true").json()
        assert what_if["before"]["probability"] == first["probability"]
        assert what_if["after"]["probability"] == asked["probability"]
        store_signals(inside, "w2")
        second = ask(inside, "w2")
        assert inside.client.get("/v1/account/w2/change").json()["after"]["probability"] == second["probability"]

    def test_it_is_no_part_of_a_trend(self, inside: Inside) -> None:
        store_signals(inside, "w3", days_ago=40)
        ask(inside, "w3")
        with inside.writing() as connection:  # as if it had been asked then
            connection.execute(update(decisions).where(decisions.c.entity_id == "w3").values(cause="what_if"))
        store_signals(inside, "w3")
        assert ask(inside, "w3")["trend"] == "not_enough"
        with inside.writing() as connection:  # the twin: as a record of what was so it counts
            connection.execute(update(decisions).where(decisions.c.entity_id == "w3").values(cause="request"))
        assert ask(inside, "w3")["trend"] == "steady"

    def test_signals_alone_are_what_is_known_of_it(self, inside: Inside) -> None:
        assert ask(inside, "w4", signals={"number_0": 1.0})["signals_from"] == "request"
        assert [cause for cause, _ in self.ids(inside, "w4")] == ["request"]
