"""Requests that are scored together get what each would have got alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from models.catalog import get_model
from models.champion_pointer import Pointer
from serving.champion import Champion
from serving.scoring.micro_batch import Asked, Together
from serving.scoring.request_parser import parse
from serving.scoring.service import ScoredRequest, Terms, score, score_together
from tests.kit.scorers import make_scorer

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


def test_an_internal_error_fails_only_its_own_request(champion: Champion) -> None:
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
