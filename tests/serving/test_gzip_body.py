"""A gzip body is unfolded up to the limit and no further."""

from __future__ import annotations

import contextlib
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serving.gzip_body import inflate
from serving.problems import Problem
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import Inside, is_problem, running_inside

BODY = {"records": [{"signals": {"number_0": 1.0}}]}
SCORE = "/v1/churn-risk/score"


@pytest.fixture(params=DATABASES)
def keyless(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Inside]:
    """An app in which none was made; on both databases, for what it keeps in them."""
    with running_inside(tmp_path, {"ACCOUNTSCORE_STORE_URL": store_url(request, tmp_path)}) as inside:
        yield inside


class TestBody:
    def test_a_gzip_body_is_read(self, keyless: Inside) -> None:
        body = gzip.compress(json.dumps(BODY).encode())
        answer = keyless.client.post(SCORE, content=body, headers={"content-encoding": "gzip"})
        assert answer.status_code == 200

    def test_a_bomb_is_refused_by_what_it_unfolds_to(self, keyless: Inside) -> None:
        limit = keyless.state.settings.max_body_bytes
        bomb = gzip.compress(b" " * (limit + 1))
        assert len(bomb) < limit / 500
        headers = {"content-encoding": "gzip"}
        assert is_problem(keyless.client.post(SCORE, content=bomb, headers=headers), 413, "body_too_large")

    def test_a_bomb_is_never_unfolded(self) -> None:
        bomb = gzip.compress(b" " * 2**26)

        def peak(unfold: Callable[[], object]) -> int:
            tracemalloc.start()
            with contextlib.suppress(Problem):
                unfold()
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return most

        assert peak(lambda: inflate(bomb, 2**20)) < 2**22
        assert peak(lambda: gzip.decompress(bomb)) >= 2**26  # the sabotaged twin

    def test_inflation_stops_at_the_limit(self) -> None:
        body = gzip.compress(b"x" * 1000)
        assert inflate(body, 1000) == b"x" * 1000
        for limit, data, code in (
            (999, body, "body_too_large"),
            (1000, body[:-1], "not_gzip"),
            (1000, body + b"x", "not_gzip"),
            (1000, b"plain", "not_gzip"),
            (1000, zlib.compress(b"x"), "not_gzip"),
        ):
            with pytest.raises(Problem) as caught:
                inflate(data, limit)
            assert caught.value.code == code
