"""How often a key may ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.gateway.rate_limit import Buckets
from tests.kit.inside import Inside, is_problem, running_inside

BODY = {"records": [{"signals": {"number_0": 1.0}}]}
SCORE = "/v1/churn-risk/score"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("door")


@pytest.fixture(scope="module")
def keyed(home: Path) -> Iterator[Inside]:
    """An app in which a key was made."""
    with running_inside(home / "keyed") as inside:
        inside.key("score", name="first")
        yield inside


class TestRate:
    def test_a_key_that_asks_too_often_is_told_when_to_come_back(self, keyed: Inside) -> None:
        headers = keyed.key("score", name="slow", requests_per_minute=60)
        answers = [keyed.client.post(SCORE, json=BODY, headers=headers) for _ in range(10)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert answers[0].status_code == 200
        assert refused
        assert is_problem(refused[0], 429, "too_many_requests")
        assert refused[0].headers["retry-after"] == "1"
        other = keyed.key("score", name="other")
        assert keyed.client.post(SCORE, json=BODY, headers=other).status_code == 200

    def test_a_bucket_holds_two_seconds_and_refills_evenly(self) -> None:
        buckets = Buckets()
        assert [buckets.take("a", 60, 0.0) for _ in range(3)] == [0, 0, 1]  # 1 a second, two seconds' worth at once
        assert buckets.take("a", 60, 0.5) == 1
        assert buckets.take("a", 60, 1.0) == 0
        assert buckets.take("a", 60, 1.0) == 1
        assert buckets.take("b", 60, 1.0) == 0
        assert [buckets.take("c", 1, 0.0), buckets.take("c", 1, 0.0), buckets.take("c", 1, 59.0)] == [0, 60, 1]
