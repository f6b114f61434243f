"""A request repeated under its idempotency key gets the first answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import Inside, is_problem, running_inside

BODY = {"records": [{"signals": {"number_0": 1.0}}]}
SCORE = "/v1/churn-risk/score"


@pytest.fixture(params=DATABASES)
def keyless(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Inside]:
    """An app in which none was made; on both databases, for what it keeps in them."""
    with running_inside(tmp_path, {"ACCOUNTSCORE_STORE_URL": store_url(request, tmp_path)}) as inside:
        yield inside


class TestIdempotency:
    def records(self, inside: Inside) -> int:
        page = inside.client.get("/v1/account/twice/scores")
        return len(page.json()["scores"])

    def test_a_repetition_gets_the_first_answer_and_one_record(self, keyless: Inside) -> None:
        body = {"records": [{"entity_id": "twice", "signals": {"number_0": 1.0}}]}
        first = keyless.client.post(SCORE, json=body, headers={"idempotency-key": "k1"})
        again = keyless.client.post(SCORE, json=body, headers={"idempotency-key": "k1"})
        assert first.status_code == again.status_code == 200
        assert first.content == again.content
        assert again.headers["idempotent-replayed"] == "true"
        assert "idempotent-replayed" not in first.headers
        assert self.records(keyless) == 1
        keyless.client.post(SCORE, json=body)  # its twin without the key
        assert self.records(keyless) == 2

    def test_the_same_key_with_another_request_is_422(self, keyless: Inside) -> None:
        keyless.client.post(SCORE, json=BODY, headers={"idempotency-key": "k2"})
        answer = keyless.client.post(SCORE, json={**BODY, "reasons": 1}, headers={"idempotency-key": "k2"})
        assert is_problem(answer, 422, "idempotency_key_reused")

    def test_a_refusal_is_not_kept(self, keyless: Inside) -> None:
        headers = {"idempotency-key": "k3"}
        assert keyless.client.post(SCORE, content=b"{", headers=headers).status_code == 400
        assert keyless.client.post(SCORE, json=BODY, headers=headers).status_code == 200

    def test_while_the_first_is_at_work_the_second_is_409(
        self, keyless: Inside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inner, entered, leave = keyless.door._app, threading.Event(), threading.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            import asyncio

            entered.set()
            await asyncio.to_thread(leave.wait, 30)
            await inner(scope, receive, send)

        monkeypatch.setattr(keyless.door, "_app", slow)
        answers: list[Any] = []
        headers = {"idempotency-key": "k4"}
        thread = threading.Thread(target=lambda: answers.append(keyless.client.post(SCORE, json=BODY, headers=headers)))
        thread.start()
        assert entered.wait(30)
        second = keyless.client.post(SCORE, json=BODY, headers=headers)
        leave.set()
        thread.join(30)
        assert is_problem(second, 409, "still_at_work")
        assert 30 < int(second.headers["retry-after"]) <= 60  # as long as it is held at most
        assert answers[0].status_code == 200

    @pytest.mark.parametrize("key", ["", "x" * 256])
    def test_a_key_of_another_length_is_400(self, keyless: Inside, key: str) -> None:
        answer = keyless.client.post(SCORE, json=BODY, headers={"idempotency-key": key})
        assert is_problem(answer, 400, "bad_idempotency_key")
