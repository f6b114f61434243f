"""The score request over HTTP, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from serving.scoring.endpoints import INLINE_RECORDS, HotPath
from tests.kit.inside import Inside, is_problem, running_inside

SCORE = "/v1/churn-risk/score"
RECORD = {"signals": {"number_0": 1.0}}


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with running_inside(tmp_path_factory.mktemp("score")) as running:
        yield running


class TestScore:
    def test_all_good_is_200_and_some_bad_is_207_by_the_place_in_the_request(self, inside: Inside) -> None:
        good = inside.client.post(SCORE, json={"records": [RECORD]})
        assert (good.status_code, len(good.json()["results"]), good.json()["errors"]) == (200, 1, [])
        mixed = inside.client.post(SCORE, json={"records": [RECORD, {"value": -1}, RECORD]})
        assert mixed.status_code == 207
        assert [result["index"] for result in mixed.json()["results"]] == [0, 2]
        assert [error["index"] for error in mixed.json()["errors"]] == [1]

    def test_on_a_thread_the_numbers_are_those_of_the_event_loop(self, inside: Inside) -> None:
        alone = inside.client.post(SCORE, json={"records": [RECORD]}).json()["results"][0]["probability"]
        many = inside.client.post(SCORE, json={"records": [RECORD] * (INLINE_RECORDS + 1)}).json()["results"]
        assert {result["probability"] for result in many} == {alone}
        assert len(many) == INLINE_RECORDS + 1

    def test_a_body_that_is_none_is_a_problem(self, inside: Inside) -> None:
        headers = {"content-type": "application/json"}
        assert is_problem(inside.client.post(SCORE, content=b"{", headers=headers), 400, "not_strict_json")
        assert is_problem(inside.client.post("/v1/none/score", json={"records": [RECORD]}), 404, "no_such_model")


def test_a_model_is_described_with_its_signals_and_bands(inside: Inside) -> None:
    about = inside.client.get("/v1/churn_risk").json()
    assert (about["model"], about["version"], about["entity"]) == ("churn-risk", 1, "account")
    assert "number_0" in {signal["name"] for signal in about["signals"]}
    assert about["bands"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", SCORE), ("POST", "/v1/a/b/score"), ("POST", "/v1/churn-risk"), ("POST", "/v2/x/score")]
)
def test_what_is_no_score_request_is_handed_on(method: str, path: str) -> None:
    handed: list[str] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        handed.append(scope["path"])

    asyncio.run(HotPath(app, None)({"type": "http", "method": method, "path": path}, None, None))  # type: ignore[arg-type]
    assert handed == [path]
