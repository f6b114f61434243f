"""A store that another process has locked: whoever writes is answered within seconds, 503 with Retry-After, and nothing is written
(issue 13). Vendors give up after 5 to 10 s."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

from serving import app, state
from serving.store import group_commit
from serving.store.connect import open_store
from serving.store.group_commit import GroupWriter
from serving.store.tables import generations, metadata
from tests.kit.databases import DATABASES, store_url
from tests.kit.hostile import CONNECTION, event
from tests.kit.inside import Inside, running_inside
from tests.kit.killing import SECRET, signed

LOCK_MS = 500
"""In the place of 3 s."""


NEVER = 60_000


SCORE = "/v1/churn-risk/score"


RECORDS = {"records": [{"entity_id": "acme", "signals": {"number_0": 1.0}}]}


OVERRIDE = {"model": "churn-risk", "band": "low", "reason": "they told us", "author": "me"}


WRITES: list[tuple[str, str, Any]] = [
    ("PUT", "/v1/account/acme/override", OVERRIDE),
    ("DELETE", "/v1/account/acme/override?model=churn-risk", None),
    ("PUT", "/v1/account/acme/objection", None),
    ("DELETE", "/v1/account/acme/objection", None),
    ("POST", "/v1/account/acme/erasure", None),
    ("POST", SCORE, RECORDS),
]


@pytest.fixture(scope="module", params=DATABASES)
def where(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home and the URL of its store."""
    folder = tmp_path_factory.mktemp(f"locked-{request.param}")
    (folder / "connections").mkdir()
    (folder / "connections" / "crm.toml").write_text(CONNECTION.format(vendor="hubspot"))
    return folder, store_url(request, folder)


@contextlib.contextmanager
def running(where: tuple[Path, str], lock_ms: int = LOCK_MS) -> Iterator[Inside]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CRM_SECRET", SECRET)
        patched.setattr(app, "ANSWER_TIMEOUT_MS", lock_ms)
        if lock_ms == NEVER:
            patched.setattr(group_commit, "ANSWER_SECONDS", NEVER)
            patched.setattr(state, "TURN_SECONDS", NEVER)
        with running_inside(where[0], {"ACCOUNTSCORE_STORE_URL": where[1]}) as inside:
            yield inside


@contextlib.contextmanager
def locked(url: str) -> Iterator[None]:
    """Another connection writes and does not come to an end; who reads is not held up."""
    store = open_store(url)
    with store.write() as holding:
        if store.dialect == "postgresql":
            names = ", ".join(table.name for table in metadata.sorted_tables)
            holding.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
        yield
        holding.rollback()
    store.close()


def content(inside: Inside) -> dict[str, list[Any]]:
    with inside.state.store.read() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table)).all()))
            for table in metadata.sorted_tables
            if table is not generations
        }


def webhook(inside: Inside, number: int) -> tuple[float, httpx.Response]:
    """Seconds and the answer."""
    body, headers = signed([event(number, number, "software")])
    began = time.monotonic()
    answer = inside.client.post("/webhooks/crm", content=body, headers=headers)
    return time.monotonic() - began, answer


def change(inside: Inside, number: int, method: str, path: str, body: Any) -> tuple[float, httpx.Response]:
    headers: Mapping[str, str] = {"idempotency-key": f"key-{number}"} if path == SCORE else {}
    began = time.monotonic()
    answer = inside.client.request(method, path, json=body, headers=headers)
    return time.monotonic() - began, answer


def test_every_write_is_answered_503_within_seconds_and_nothing_is_written(where: tuple[Path, str]) -> None:
    with running(where) as inside, ThreadPoolExecutor(64) as pool:
        before = content(inside)
        with locked(where[1]):
            asked = []
            for number in range(2):
                asked.append(pool.submit(webhook, inside, number))
                asked += [pool.submit(change, inside, number, *each) for each in WRITES]
                time.sleep(LOCK_MS / 1000 / 2)  # they come while others wait
            answers = [each.result(50) for each in asked]
            assert {answer.status_code for _, answer in answers} == {503}
            assert {answer.json()["code"] for _, answer in answers} == {"store_away"}
            assert all(int(answer.headers["retry-after"]) >= 1 for _, answer in answers)
            # 14 answers, three on threads at a time: the twin waits a minute for each.
            assert max(took for took, _ in answers) < 15
        # None of them is written when the lock is gone: a later change is the next one.
        assert webhook(inside, 100)[1].status_code == 204
        assert content(inside) | {"inbox": []} == before | {"inbox": []}
        assert len(content(inside)["inbox"]) == len(before["inbox"]) + 1
        for number, each in enumerate(WRITES):
            assert change(inside, 100 + number, *each)[1].status_code in (200, 204)


def test_without_the_limit_writes_wait_for_the_lock(where: tuple[Path, str]) -> None:
    with running(where, NEVER) as inside, ThreadPoolExecutor(64) as pool:
        with locked(where[1]):
            asked = [pool.submit(webhook, inside, 200)]
            asked += [pool.submit(change, inside, 200 + n, *each) for n, each in enumerate(WRITES)]
            time.sleep(4 * LOCK_MS / 1000)
            assert not [each for each in asked if each.done()]
        assert asked[0].result(50)[1].status_code == 204


def test_a_decision_record_is_retried_behind_a_lock(where: tuple[Path, str]) -> None:
    """Nobody waits for it any more, so it waits out a lock that is longer than what a request waits for."""
    store = open_store(where[1], busy_ms=LOCK_MS)
    writer = GroupWriter(store)
    try:
        with locked(where[1]):
            patient = writer.submit(lambda c: c.execute(text(TOUCH)).rowcount, patience=50.0)
            hasty = writer.submit(lambda c: c.execute(text(TOUCH)).rowcount, patience=0.0)
            assert type(hasty.exception(30)).__name__ == "StoreAway"
            time.sleep(2 * LOCK_MS / 1000)
            assert not patient.done()
        assert patient.result(30) in (0, 1)
    finally:
        writer.close()
        store.close()


TOUCH = "UPDATE generations SET value = value WHERE name = 'probe'"
