"""Notes over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from features.sources.notes import files_of
from serving.store.tables import notes
from tests.kit.account import refused, store_signals
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import Inside, running_inside

OUTCOME = {"outcome": "churned", "when": "2026-02-27", "source": "customer-success"}
ACTION = {"action": "call", "when": "2026-02-27T09:30:00Z", "source": "sales"}


@pytest.fixture(scope="module", params=DATABASES)
def inside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    home = tmp_path_factory.mktemp("people") / "home"
    home.mkdir()
    with running_inside(home, {"ACCOUNTSCORE_STORE_URL": store_url(request, home)}) as running:
        yield running


def home_of(inside: Inside) -> Path:
    return inside.state.settings.base.home


def published(inside: Inside) -> str:
    return "".join(file.read_text() for file in files_of(home_of(inside)))


def count(inside: Inside, entity_id: str) -> int:
    with inside.state.store.read() as connection:
        query = select(func.count()).select_from(notes).where(notes.c.entity_id == entity_id)
        return int(connection.execute(query).scalar_one())


class TestOne:
    def test_it_is_stored_once_and_published(self, inside: Inside) -> None:
        store_signals(inside, "o1")
        first = inside.client.post("/v1/account/o1/outcome", json={**OUTCOME, "note": "secret text"})
        assert first.status_code == 200
        (stored,) = first.json()["results"]
        assert (stored["entity_id"], stored["state"]) == ("o1", "new")
        again = inside.client.post("/v1/account/o1/outcome", json={**OUTCOME, "note": "secret text"})
        assert again.json()["results"] == [{**stored, "state": "known"}]
        assert count(inside, "o1") == 1
        assert published(inside).count('"o1"') == 1
        assert "secret" not in published(inside)

    def test_an_id_with_slashes(self, inside: Inside) -> None:
        store_signals(inside, "a/b/outcome")
        assert inside.client.post("/v1/account/a/b/outcome/action", json=ACTION).status_code == 200
        assert count(inside, "a/b/outcome") == 1

    def test_it_can_be_corrected_and_withdrawn(self, inside: Inside) -> None:
        store_signals(inside, "o2", entity="lead")
        told = {**OUTCOME, "outcome": "won", "key": "deal-7"}
        first = inside.client.post("/v1/lead/o2/outcome", json=told).json()["results"][0]
        second = inside.client.post("/v1/lead/o2/outcome", json={**told, "outcome": "lost"}).json()["results"][0]
        assert (second["id"], second["state"]) == (first["id"], "corrected")
        assert '"lost"' in published(inside)
        where = f"/v1/lead/o2/outcome?id={first['id']}"
        for _ in range(2):
            assert inside.client.request("DELETE", where).status_code == 204
        assert (count(inside, "o2"), '"o2"' in published(inside)) == (0, False)

    def test_an_unknown_entity_is_told_and_nothing_is_stored(self, inside: Inside) -> None:
        answer = inside.client.post("/v1/account/nobody/outcome", json=OUTCOME)
        assert refused(answer, 404, "unknown_entity")
        assert "check the id against the source" in answer.json()["detail"]
        assert count(inside, "nobody") == 0

    @pytest.mark.parametrize(
        ("path", "body", "status", "code"),
        [
            ("/v1/account/o1/outcome", {**OUTCOME, "outcome": "won"}, 404, "no_such_outcome"),
            ("/v1/account/o1/outcome", {**OUTCOME, "when": "2026-03-02"}, 409, "in_the_future"),
            ("/v1/account/o1/action", {**ACTION, "action": ""}, 422, "bad_note"),
            ("/v1/account/o1/action", OUTCOME, 422, "bad_note"),
            ("/v1/account/o1/action", [], 422, "wrong_shape"),
            ("/v1/person/o1/action", ACTION, 404, "no_such_entity"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, inside: Inside, path: str, body: Any, status: int, code: str) -> None:
        assert refused(inside.client.post(path, json=body), status, code)

    def test_no_strict_json_and_a_large_body(self, inside: Inside) -> None:
        answer = inside.client.post("/v1/account/o1/outcome", content=b'{"when": 1, "when": 2}')
        assert refused(answer, 400, "not_strict_json")
        assert refused(inside.client.post("/v1/account/o1/outcome", content=b" " * 70_000), 413, "body_too_large")


class TestMany:
    def test_one_with_a_fault_does_not_stop_the_others(self, inside: Inside) -> None:
        for name in ("m1", "m2"):
            store_signals(inside, name)
        told = [{"entity_id": name, **ACTION} for name in ("m1", "m2", "nobody")]
        answer = inside.client.post("/v1/account/actions", json={"notes": [*told, {**told[0], "when": "soon"}]})
        assert answer.status_code == 207
        assert [r["entity_id"] for r in answer.json()["results"]] == ["m1", "m2"]
        assert [(e["index"], e["code"]) for e in answer.json()["errors"]] == [(2, "unknown_entity"), (3, "bad_note")]
        assert inside.client.post("/v1/account/actions", json={"notes": told[:2]}).status_code == 200
        assert (count(inside, "m1"), count(inside, "nobody")) == (1, 0)

    def test_a_thousand_are_taken_and_one_more_refused_whole(self, inside: Inside) -> None:
        store_signals(inside, "m3")
        text = "x" * 900  # a body above what is read on the event loop
        told = [{"entity_id": "m3", **OUTCOME, "key": str(n), "note": text} for n in range(1001)]
        assert refused(inside.client.post("/v1/account/outcomes", json={"notes": told}), 422, "wrong_shape")
        assert count(inside, "m3") == 0
        assert inside.client.post("/v1/account/outcomes", json={"notes": told[1:]}).status_code == 200
        assert count(inside, "m3") == 1000


class TestIdempotencyKey:
    def test_a_repetition_gets_the_first_answer(self, inside: Inside) -> None:
        store_signals(inside, "i1")
        header = {"idempotency-key": "once"}
        body = {"notes": [{"entity_id": "i1", **ACTION}, {"entity_id": "nobody", **ACTION}]}
        first, second = (inside.client.post("/v1/account/actions", json=body, headers=header) for _ in range(2))
        assert (first.status_code, second.status_code) == (207, 207)
        assert second.headers["idempotent-replayed"] == "true"
        assert first.json() == second.json()
        assert count(inside, "i1") == 1
        other = inside.client.post("/v1/account/actions", json={"notes": body["notes"][:1]}, headers=header)
        assert refused(other, 422, "idempotency_key_reused")

    def test_a_refusal_is_not_kept(self, inside: Inside) -> None:
        header = {"idempotency-key": "later"}
        assert inside.client.post("/v1/account/i2/action", json=ACTION, headers=header).status_code == 404
        store_signals(inside, "i2")
        assert inside.client.post("/v1/account/i2/action", json=ACTION, headers=header).status_code == 200


class TestErasure:
    def test_notes_answers_and_files_are_gone(self, inside: Inside) -> None:
        store_signals(inside, "erased-7")
        told = {**OUTCOME, "note": "about them"}
        header = {"idempotency-key": "of the erased".replace(" ", "-")}
        assert inside.client.post("/v1/account/erased-7/outcome", json=told, headers=header).status_code == 200
        assert "erased-7" in published(inside)
        answer = inside.client.post("/v1/account/erased-7/erasure")
        assert answer.json()["deleted"]["notes"] == 1
        assert answer.json()["deleted"]["idempotency"] == 1
        assert "erased-7" not in published(inside)
        assert refused(inside.client.post("/v1/account/erased-7/outcome", json=told), 404, "unknown_entity")


def test_the_scope_is_feedback(tmp_path: Path) -> None:
    with running_inside(tmp_path) as alone:
        store_signals(alone, "s1")
        wrong, right = alone.key("score", "read", "override", name="wrong"), alone.key("feedback", name="right")
        assert refused(alone.client.post("/v1/account/s1/action", json=ACTION, headers=wrong), 403, "scope_missing")
        assert alone.client.post("/v1/account/s1/action", json=ACTION, headers=right).status_code == 200
        assert alone.client.request("DELETE", "/v1/account/s1/action?id=x", headers=wrong).status_code == 403
