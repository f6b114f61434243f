"""Reading a body with a limit, as ASGI brings it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from starlette.requests import Request

from serving.http import LARGEST_JSON, ClientGone, body_of, header, json_answer, read_body, read_json
from serving.problems import Problem


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    n: int


def scope(**headers: str) -> dict[str, Any]:
    return {"type": "http", "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]}


def receive(*messages: dict[str, Any]) -> Any:
    left = list(messages)

    async def next_one() -> dict[str, Any]:
        return left.pop(0)

    return next_one


def part(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


class TestReadBody:
    def test_parts_are_put_together_and_the_limit_itself_is_allowed(self) -> None:
        parts = receive(part(b"ab", True), part(b"", True), part(b"cd"))
        assert asyncio.run(read_body(scope(), parts, 4)) == b"abcd"

    @pytest.mark.parametrize("parts", [[part(b"abcde")], [part(b"abc", True), part(b"de")]])
    def test_one_byte_more_is_413_also_without_a_length(self, parts: list[dict[str, Any]]) -> None:
        with pytest.raises(Problem, match="larger than 4 bytes") as refused:
            asyncio.run(read_body(scope(), receive(*parts), 4))
        assert (refused.value.status, refused.value.code) == (413, "body_too_large")

    def test_a_declared_length_above_the_limit_is_refused_before_anything_is_read(self) -> None:
        with pytest.raises(Problem) as refused:
            asyncio.run(read_body(scope(content_length="5"), receive(), 4))
        assert refused.value.status == 413

    @pytest.mark.parametrize("before", [[], [part(b"a", True)]])
    def test_a_client_that_leaves_is_told_apart(self, before: list[dict[str, Any]]) -> None:
        with pytest.raises(ClientGone):
            asyncio.run(read_body(scope(), receive(*before, {"type": "http.disconnect"}), 4))


def test_a_repeated_header_counts_as_none() -> None:
    once = scope(accept="a")
    assert (header(once, b"accept"), header(once, b"other")) == (b"a", None)
    once["headers"] *= 2
    assert header(once, b"accept") is None


class TestReadJson:
    def read(self, body: bytes) -> Wanted:
        return asyncio.run(read_json(Request(scope(), receive(part(body))), Wanted))

    def test_it_is_the_type_that_was_asked_for(self) -> None:
        assert self.read(b'{"n": 7}') == Wanted(7)

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            (b'{"n": NaN}', 400, "not_strict_json"),
            (b'{"n": "secret"}', 422, "wrong_shape"),
            (b'{"n": 1, "m": 2}', 422, "wrong_shape"),
            (b" " * (LARGEST_JSON + 1), 413, "body_too_large"),
        ],
    )
    def test_what_it_cannot_be_is_a_problem_that_repeats_no_value(self, body: bytes, status: int, code: str) -> None:
        with pytest.raises(Problem) as refused:
            self.read(body)
        assert (refused.value.status, refused.value.code) == (status, code)
        assert "secret" not in refused.value.detail


def test_an_answer_is_json_and_its_schema_is_named_in_the_openapi_file() -> None:
    answer = json_answer(Wanted(1))
    assert (answer.body, answer.media_type) == (b'{"n":1}', "application/json")
    assert body_of("Wanted") == {"application/json": {"schema": {"$ref": "#/components/schemas/Wanted"}}}
