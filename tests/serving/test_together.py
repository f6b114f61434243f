"""Requests that are scored together get what each would have got alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import event, func, select

from models.catalog import get_model
from models.champion_pointer import Pointer
from serving.champion import Champion
from serving.scoring import recorder as recorder_module
from serving.scoring.micro_batch import Asked, Together
from serving.scoring.recorder import Recorder
from serving.scoring.request_parser import parse
from serving.scoring.service import ScoredRequest, Terms, score, score_together
from serving.store.connect import Store
from serving.store.group_commit import GroupWriter
from serving.store.tables import decisions
from tests.kit.scorers import make_scorer
from tests.kit.stores import new_store

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


def plain(scored: ScoredRequest) -> tuple[object, list[object]]:
    return msgspec.to_builtins(scored.answer), [{**row, "reasons": bytes(row["reasons"])} for row in scored.decisions]


def test_the_same_to_the_bit_as_alone(champion: Champion) -> None:
    asked = [parse(body.encode()) for body in BODIES] * 9  # more rows than are looked up in one go
    together = score_together(champion, asked, {}, TERMS)
    alone = [score(champion, records, reasons, {}, TERMS) for records, reasons in asked]
    assert [plain(s) for s in together] == [plain(s) for s in alone]
    assert [[len(s.answer.results), len(s.answer.errors)] for s in together[:5]] == [
        [1, 0],
        [1, 0],
        [0, 2],
        [2, 0],
        [1, 1],
    ]


def test_a_fault_of_ours_hits_one_request(champion: Champion) -> None:
    broken = parse(BODIES[1].encode())

    def breaks(_: Champion, asked: Sequence[Asked]) -> list[ScoredRequest]:
        if broken in asked:
            raise ZeroDivisionError
        return score_together(champion, asked, {}, TERMS)

    async def run() -> list[ScoredRequest | BaseException]:
        together = Together(breaks)
        return await asyncio.gather(
            *(
                together.score(champion, asked)
                for asked in (parse(BODIES[0].encode()), broken, parse(BODIES[3].encode()))
            ),
            return_exceptions=True,
        )

    found = asyncio.run(run())
    assert [type(one) for one in found] == [ScoredRequest, ZeroDivisionError, ScoredRequest]


def test_each_is_answered_by_the_champion_that_it_began_with(champion: Champion) -> None:
    later = replace(champion, pointer=replace(champion.pointer, version=4))
    calls = []

    def by(chosen: Champion, asked: Sequence[Asked]) -> list[ScoredRequest]:
        calls.append(len(asked))
        return score_together(chosen, asked, {}, TERMS)

    async def run() -> list[ScoredRequest]:
        together = Together(by)
        asked = parse(BODIES[0].encode())
        gone = together.score(champion, asked)
        gone.cancel()  # a client that left does not disturb the others
        return list(await asyncio.gather(*(together.score(c, asked) for c in (champion, later, champion))))

    assert [one.answer.version for one in asyncio.run(run())] == [3, 4, 3]
    assert sorted(calls) == [1, 3]


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

    def test_end_up_in_one_commit(self, champion: Champion, sqlite_store: Store) -> None:
        assert self.commits(champion, sqlite_store) <= self.TIMES + 2

    def test_and_do_not_when_no_commit_waits(
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
