"""Forms: their token, the site that sent them, their content."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from serving.gzip_body import once
from serving.problems import Problem
from serving.sign_in.forms import LARGEST, read_form, require_own_site, require_token, token_for
from serving.sign_in.transport import Transport

WAY = Transport("192.0.2.7", False, True, "", frozenset({"scores.example.com"}))
KIND = {b"content-type": b"application/x-www-form-urlencoded"}


def read(body: bytes, headers: dict[bytes, bytes] = KIND) -> dict[str, str]:
    scope: dict[str, Any] = {"headers": list(headers.items())}
    return asyncio.run(read_form(scope, once(body), headers))[1]


def refused(code: str, status: int, work: Any) -> bool:
    with pytest.raises(Problem) as problem:
        work()
    return (problem.value.code, problem.value.status) == (code, status)


class TestReadForm:
    def test_fields_are_decoded(self) -> None:
        assert read(b"a=1&b=j%C3%B6e+x&c=") == {"a": "1", "b": "jöe x", "c": ""}
        assert read(b"a=1", {b"content-type": b"Application/X-WWW-Form-URLEncoded; charset=utf-8"}) == {"a": "1"}
        assert read(b"") == {}

    @pytest.mark.parametrize("body", [b"a=%FF", b"a=\xc3\xb6", b"&".join(b"a=1" for _ in range(101))])
    def test_what_is_no_form_is_400(self, body: bytes) -> None:
        assert refused("not_a_form", 400, lambda: read(body))

    def test_one_that_is_too_large_is_413(self) -> None:
        assert refused("body_too_large", 413, lambda: read(b"a=" + b"x" * LARGEST))

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {b"content-type": b"application/json"},
            {b"content-type": b"text/plain"},
            {**KIND, b"content-encoding": b"gzip"},
        ],
    )
    def test_another_type_is_415(self, headers: dict[bytes, bytes]) -> None:
        assert refused("not_a_form", 415, lambda: read(b"a=1", headers))


class TestOwnSite:
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {b"sec-fetch-site": b"same-origin"},
            {b"sec-fetch-site": b"none"},
            {b"origin": b"https://scores.example.com"},
            {b"sec-fetch-site": b"same-origin", b"origin": b"https://behind.a.proxy"},
        ],
    )
    def test_our_own_forms_pass(self, headers: dict[bytes, bytes]) -> None:
        require_own_site(WAY, headers)

    @pytest.mark.parametrize(
        "headers",
        [
            {b"sec-fetch-site": b"cross-site"},
            {b"sec-fetch-site": b"same-site"},
            {b"sec-fetch-site": b"cross-site", b"origin": b"https://scores.example.com"},
            {b"origin": b"https://evil.example"},
            {b"origin": b"null"},
            {b"origin": b"https://scores.example.com.evil.example"},
        ],
    )
    def test_those_of_another_site_do_not(self, headers: dict[bytes, bytes]) -> None:
        assert refused("cross_site", 403, lambda: require_own_site(WAY, headers))


class TestToken:
    def test_it_is_of_one_session_and_one_home(self) -> None:
        token = token_for(b"pepper", "session:a")
        require_token({"token": token}, token)
        for other in (
            {},
            {"token": ""},
            {"token": token[:-1]},
            {"token": "é"},
            {"token": token_for(b"pepper", "session:b")},
        ):
            assert refused("no_form_token", 403, lambda other=other: require_token(other, token))
        assert token_for(b"other", "session:a") != token
