"""What a page of a stranger may do while nobody needs a key, repeated headers, and what each answer tells a browser."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp

from serving.gateway import headers as headers_module
from serving.gateway import headers as module
from serving.gateway import middleware as door_module
from serving.gateway.connection import Connections
from serving.settings import Limits
from tests.kit.inside import Inside, running_inside
from tests.kit.routes import routes

GOOD = {"records": [{"signals": {"number_0": 1.0}}]}
SCORE = "/v1/churn-risk/score"
ATTACKS = {
    "another site": {"origin": "https://evil.example"},
    "a sandboxed page": {"origin": "null"},
    "another port of this machine": {"origin": "http://127.0.0.1:3000"},
    "another name of this machine": {"origin": "http://localhost"},
    "said by the browser alone": {"sec-fetch-site": "cross-site"},
    "a neighbour": {"sec-fetch-site": "same-site"},
    "its own name for loopback": {"host": "evil.example", "origin": "http://evil.example"},
}


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with running_inside(tmp_path_factory.mktemp("browser")) as running:
        yield running


def changing() -> list[tuple[str, str]]:
    found = [(m, p) for m, p in routes() if m not in module.SAFE and not p.startswith("/webhooks/")]
    assert {method for method, _ in found} >= {"POST", "PUT", "DELETE"}
    assert len(found) >= 5
    return found


class TestStrangersPages:
    def test_without_a_key_no_page_of_a_stranger_changes_anything(
        self, inside: Inside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for method, path in changing():
            for kind, headers in ATTACKS.items():
                answer = inside.client.request(method, path, json=GOOD, headers=headers)
                assert answer.status_code == 403, (method, path, kind)
                assert answer.json()["code"] in ("cross_site", "not_local")
        monkeypatch.setattr(door_module, "from_here", lambda _method, _headers: None)  # the sabotaged twin
        for headers in ATTACKS.values():
            assert inside.client.post(SCORE, json=GOOD, headers=headers).status_code == 200

    @pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
    def test_without_a_key_a_body_must_be_said_to_be_json(self, inside: Inside, kind: str | None) -> None:
        for method, path in changing():
            if method == "DELETE":
                continue
            headers = [(b"host", b"127.0.0.1"), *([(b"content-type", kind.encode())] if kind else [])]
            answer = inside.client.plain(method, path, headers)
            assert answer.status_code == 415, (method, path)

    def test_with_a_key_too_where_a_body_says_what_it_is(self, inside: Inside, tmp_path: Path) -> None:
        with running_inside(tmp_path) as keyed:
            key = keyed.key("score")["authorization"].encode()
            for kind, status in ((b"text/plain", 415), (b"application/json;charset=latin-1", 415), (None, 400)):
                said = [(b"content-type", kind)] if kind else []
                headers = [(b"host", b"127.0.0.1"), (b"authorization", key), *said]
                assert keyed.client.plain("POST", SCORE, headers).status_code == status, kind

    @pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
    def test_without_the_rule_a_form_of_a_stranger_would_be_read(
        self, inside: Inside, kind: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: without the rule, and from a browser so old that it does not say whose page it is."""
        monkeypatch.setattr(door_module, "_check_type", lambda _given: None)
        monkeypatch.setattr(door_module, "require_type", lambda _headers: None)
        said = [(b"content-type", kind.encode())] if kind else []
        answer = inside.client.plain("POST", "/v1/account/nobody/erasure", [(b"host", b"127.0.0.1"), *said])
        assert answer.status_code == 200

    def test_a_delete_of_a_stranger_is_refused_though_it_has_no_body(
        self, inside: Inside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A browser asks first whether it may (a preflight), and says whose page it is all the same."""
        deletes = [path for method, path in changing() if method == "DELETE"]
        assert len(deletes) >= 2
        ask = {"origin": "https://evil.example", "access-control-request-method": "DELETE"}
        for path in deletes:
            preflight = inside.client.request("OPTIONS", path, headers=ask)
            assert preflight.status_code >= 400
            assert not [name for name in preflight.headers if name.startswith("access-control")]
            for headers in ATTACKS.values():
                assert inside.client.request("DELETE", path, headers=headers).status_code == 403
        monkeypatch.setattr(door_module, "from_here", lambda _method, _headers: None)  # the sabotaged twin
        assert inside.client.request("DELETE", deletes[0], headers=ATTACKS["another site"]).status_code != 403

    def test_our_own_page_and_programs_are_let_in(self, inside: Inside) -> None:
        for headers in (
            {},
            {"origin": "http://127.0.0.1"},
            {"origin": "http://127.0.0.1", "sec-fetch-site": "same-origin"},
            {"sec-fetch-site": "none"},
            {"host": "localhost:8000", "origin": "http://localhost:8000"},
            {"host": "[::1]:8000", "origin": "http://[::1]:8000"},
        ):
            assert inside.client.post(SCORE, json=GOOD, headers=headers).status_code == 200, headers

    def test_with_a_key_the_origin_says_nothing(self, tmp_path: Path) -> None:
        with running_inside(tmp_path) as keyed:
            headers = {**keyed.key("score"), "origin": "https://intranet.example"}
            assert keyed.client.post(SCORE, json=GOOD, headers=headers).status_code == 200

    def test_a_webhook_needs_no_origin(self, inside: Inside) -> None:
        answer = inside.client.post("/webhooks/crm", content=b"{}", headers={"origin": "https://evil.example"})
        assert answer.status_code == 404  # there is none here; with one it would be 401


class TestRepeatedHeaders:
    @pytest.mark.parametrize("name", sorted(module.SINGLE))
    def test_a_repeated_header_is_400_on_every_route(
        self, inside: Inside, name: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        twice = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json"), (name, b"gzip"), (name, b"gzip")]
        for method, path in routes():
            answer = inside.client.plain(method, path, twice)
            assert answer.status_code == 400, (method, path)
            if method != "HEAD":
                assert answer.json()["code"] == "repeated_header"
        monkeypatch.setattr(door_module, "single", lambda _found, _headers: None)  # the sabotaged twin
        assert inside.client.plain("GET", "/healthz", twice).status_code == 200


def lacking(headers: httpx.Headers, html: bool) -> list[bytes]:
    """Names of the headers that such an answer must have and has not."""
    wanted = (*module.OF_ANY, *(module.OF_HTML if html else module.OF_DATA))
    policy = headers.get("content-security-policy", "")
    weak = [b"policy"] if "unsafe" in policy or ("frame-ancestors 'none'" not in policy and policy) else []
    return [name for name, value in wanted if headers.get(name.decode()) != value.decode()] + weak


async def refusal(sent: bytes) -> bytes:
    """What a server that never calls its app answers to these bytes."""
    app: ASGIApp = None  # type: ignore[assignment]
    connections = Connections(app, Limits())
    server = await asyncio.get_running_loop().create_server(connections, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(sent)
    async with asyncio.timeout(20):
        found = await reader.read()
    writer.close()
    server.close()
    await connections.close(0.1)
    return found


class TestDocs:
    def test_every_answer_says_what_a_browser_must_not_do(
        self, inside: Inside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever its method, path and status: pages, answers, errors."""
        asked = [*routes(), ("GET", "/"), ("GET", "/nothing.html"), ("TRACE", "/docs"), ("POST", "/docs")]
        asked += [("HEAD", path) for method, path in routes() if method == "GET"]
        statuses, pages = set(), set()
        for method, path in asked:
            answer = inside.client.request(method, path)
            html = answer.headers.get("content-type", "").startswith("text/html")
            statuses.add(answer.status_code)
            if html:
                pages.add((method, path))
            assert lacking(answer.headers, html) == [], (method, path)
        assert {("GET", "/docs"), ("HEAD", "/docs")} <= pages
        assert statuses >= {200, 400, 404, 405}
        with monkeypatch.context() as without:  # the sabotaged twin
            without.setattr(door_module, "of_answer", lambda _headers: ())
            assert len(lacking(inside.client.get("/docs").headers, True)) > 5
            assert len(lacking(inside.client.get("/").headers, False)) == 5

    @pytest.mark.parametrize("kind", [b"text/html; charset=utf-8", b"Text/HTML", b"application/xhtml+xml"])
    def test_a_page_is_known_however_its_type_is_written(self, kind: bytes) -> None:
        told = dict(module.of_answer([(b"Content-Type", kind), (b"Content-Security-Policy", b"its own")]))
        assert b"content-security-policy" not in told
        assert set(told) == {name for name, _ in (*module.OF_ANY, *module.OF_HTML)} - {b"content-security-policy"}

    def test_a_refusal_before_the_app_has_security_headers_too(self) -> None:
        assert module.OF_ANY[0][0] == b"x-content-type-options"
        refused = asyncio.run(refusal(b"\x00\x01 no HTTP\r\n\r\n"))
        assert refused.startswith(b"HTTP/1.1 400 ")
        for name, value in (*module.OF_ANY, *module.OF_DATA):
            assert b"\r\n%s: %s\r\n" % (name, value) in refused.partition(b"\r\n\r\n")[0] + b"\r\n"


def test_the_local_host_pattern_is_whole() -> None:
    for good in (b"127.8.9.10", b"LOCALHOST:1"):
        assert headers_module._LOCAL_HOST.fullmatch(good)
    for bad in (b"", b"128.0.0.1", b"localhost:", b"localhost:1x", b"[::2]"):
        assert not headers_module._LOCAL_HOST.fullmatch(bad)
