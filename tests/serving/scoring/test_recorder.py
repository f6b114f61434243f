"""Scores are recorded in shared commits, and a store that is locked holds up no score."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from models.catalog import get_model
from models.champion_pointer import Pointer
from serving.champion import Champion
from serving.scoring import recorder
from serving.scoring import recorder as recorder_module
from serving.scoring.held import Scoring
from serving.scoring.micro_batch import Together
from serving.scoring.recorder import Recorder
from serving.scoring.request_parser import parse
from serving.scoring.service import ScoredRequest, Terms, score_together
from serving.store.connect import Store
from serving.store.group_commit import GroupWriter
from serving.store.tables import decisions
from tests.kit.inside import Inside, running_inside
from tests.kit.running import wait_for
from tests.kit.scorers import make_scorer
from tests.kit.stores import new_store

SCORE = "/v1/churn-risk/score"
BODY = {"records": [{"entity_id": "acme", "signals": {"number_0": 1.0}}]}


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with running_inside(tmp_path_factory.mktemp("home")) as running:
        yield running


@contextlib.contextmanager
def locked(inside: Inside) -> Iterator[None]:
    """Another connection writes and does not come to an end."""
    other = sqlite3.connect(inside.state.settings.base.home / "store.db", isolation_level=None)
    other.execute("PRAGMA busy_timeout = 20000")
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def ready(inside: Inside) -> dict[str, Any]:
    inside.state.probe._asked_at = float("-inf")
    found: dict[str, Any] = inside.client.get("/readyz").json()
    return found


def ask(inside: Inside) -> tuple[float, list[str]]:
    """Seconds, and what is said of the store."""
    began = time.monotonic()
    answer = inside.client.post(SCORE, json=BODY)
    assert answer.status_code == 200
    result = answer.json()["results"][0]
    assert "probability" in result
    return time.monotonic() - began, [w for w in result["warnings"] if "the store is" in w]


def late_in_all(inside: Inside) -> float:
    """Of this process, other tests' too."""
    (line,) = re.findall(r"^accountscore_decisions_late_total (\S+)$", inside.client.get("/metrics").text, re.M)
    return float(line)


class TestALockedStore:
    LATE = "the store is locked or slow: this score may not be recorded"

    def test_a_locked_store_is_reported_and_delays_no_score(
        self, inside: Inside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert (ready(inside)["status"], ready(inside)["store"]) == ("ready", "reached")
        assert ask(inside)[1] == []
        monkeypatch.setattr(recorder, "LATE_SECONDS", 0.3)

        def recorded() -> int:
            with inside.state.store.read() as connection:
                return int(connection.execute(select(func.count()).select_from(decisions)).scalar_one())

        kept, late = recorded(), late_in_all(inside)
        with locked(inside):
            asked = [ask(inside) for _ in range(5)]
            now = ready(inside)
            assert (now["status"], now["store"]) == ("degraded", "unwritable")
        assert max(took for took, _ in asked) < 5
        assert [said for _, said in asked] == [[self.LATE]] * 5
        wait_for(lambda: recorded() == kept + 5)  # they were kept when the lock was gone
        wait_for(lambda: not inside.state.part(Scoring).recorder.late)
        assert ready(inside)["store"] == "reached"
        assert late_in_all(inside) == late + 5

    def test_without_the_time_limit_an_answer_waits_for_the_lock(
        self, inside: Inside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recorder, "LATE_SECONDS", 3600.0)
        with ThreadPoolExecutor() as pool:
            with locked(inside):
                asked = pool.submit(ask, inside)
                with pytest.raises(TimeoutError):
                    asked.result(1.5)
            assert asked.result(30)[1] == []

    def test_what_waits_in_memory_is_bounded(self, inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(recorder, "LATE_SECONDS", 0.1)
        monkeypatch.setattr(recorder, "LATE_ROWS", 3)
        with locked(inside):
            assert [ask(inside)[1] for _ in range(8)] == [[self.LATE]] * 8
            assert len(inside.state.part(Scoring).recorder._waiting) == 3
        wait_for(lambda: not inside.state.part(Scoring).recorder.late)


TERMS = Terms(1_764_000_000_000_000)
BODIES = (
    '{"records": [{"signals": {"number_0": 1.5, "word_0": "beta"}}], "reasons": 5}',
    '{"records": [{"signals": {"number_0": 1.5, "word_0": "beta"}}]}',
    '{"records": [{"signals": {"number_0": "text"}}, {"signals": {"number_1": -2, "colour": 1}}], "reasons": 2}',
    '{"records": [{"signals": {"number_0": null}}, {"signals": {"number_0": 1e9, "word_0": "omega"}, "value": 10}], "reasons": 20}',
    '{"records": [{}, {"signals": {"number_3": 7, "number_2": true}}], "reasons": 1}',
)


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Champion:
    scorer = make_scorer(tmp_path_factory.mktemp("scorer") / "scorer")
    return Champion(get_model("churn-risk"), Pointer("churn-risk", 3, scorer.sha256, Path(), "2026-01-01"), scorer)


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    store = new_store(tmp_path)
    yield store
    store.close()


class TestSharedCommits:
    """Callers who ask again and again, half of them in the middle of the others' commit."""

    CALLERS, TIMES = 8, 10

    def commits(self, champion: Champion, store: Store) -> int:
        found = []
        event.listen(store.engine, "commit", found.append)
        writer = GroupWriter(store)

        async def run() -> None:
            recorder = Recorder(writer)
            together = Together(lambda c, asked: score_together(c, asked, {}, TERMS), recorder)

            async def caller() -> None:
                for _ in range(self.TIMES):
                    await together.score(champion, parse(BODIES[0].encode()))

            first = [asyncio.create_task(caller()) for _ in range(self.CALLERS // 2)]
            while not recorder.busy:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            await asyncio.gather(*first, *(caller() for _ in range(self.CALLERS // 2)))

        try:
            asyncio.run(run())
        finally:
            writer.close()
        with store.read() as connection:
            assert connection.execute(select(func.count()).select_from(decisions)).scalar() == self.CALLERS * self.TIMES
        return len(found)

    def test_busy_callers_share_one_commit(self, champion: Champion, sqlite_store: Store) -> None:
        assert self.commits(champion, sqlite_store) <= self.TIMES + 2

    def test_without_the_wait_commits_are_not_shared(
        self, champion: Champion, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Recorder, "_after", lambda self, loop, _answered: self._next(loop))
        assert self.commits(champion, sqlite_store) >= 2 * self.TIMES

    def test_whoever_asks_alone_waits_for_nobody(
        self, champion: Champion, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recorder_module, "PATIENCE", 3600.0)
        writer = GroupWriter(sqlite_store)

        async def run() -> list[bool]:
            together = Together(lambda c, asked: score_together(c, asked, {}, TERMS), Recorder(writer))
            return [(await together.score(champion, parse(BODIES[0].encode()))).away for _ in range(3)]

        try:
            assert asyncio.run(run()) == [False] * 3
        finally:
            writer.close()

    def test_somebody_who_does_not_come_back_is_not_waited_for_long(
        self, champion: Champion, sqlite_store: Store
    ) -> None:
        writer = GroupWriter(sqlite_store)

        async def run() -> ScoredRequest:
            recorder = Recorder(writer)
            together = Together(lambda c, asked: score_together(c, asked, {}, TERMS), recorder)
            leaves = together.score(champion, parse(BODIES[0].encode()))
            while not recorder.busy:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            stays = together.score(champion, parse(BODIES[0].encode()))
            await leaves
            return await stays

        try:
            assert asyncio.run(run()).answer.results
        finally:
            writer.close()
