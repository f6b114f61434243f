"""An id that cannot be read is refused at every door, and never taken for another one (issue 13). Real HTTP where the server reads it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from serving.gateway import middleware
from tests.kit.inside import Inside, running_inside
from tests.kit.routes import routes
from tests.kit.running import Home, running_api

LATIN = "caf%E9"
HOST = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with running_inside(tmp_path_factory.mktemp("address")) as running:
        yield running


def with_ids() -> list[tuple[str, str]]:
    found = [(method, path.replace("acme", LATIN)) for method, path in routes() if "acme" in path]
    assert {method for method, _ in found} >= {"GET", "PUT", "POST", "DELETE"}
    return found


@pytest.mark.parametrize(
    ("method", "path"), [*with_ids(), ("GET", "/v1/account/acme/scores?model=%E9"), ("GET", "/%FF")]
)
def test_what_is_no_utf8_is_400_before_anything_is_done(inside: Inside, method: str, path: str) -> None:
    answer = inside.client.plain(method, path, HOST)
    assert (answer.status_code, answer.json()["code"]) == (400, "not_utf8")


def test_without_the_guard_an_objection_is_kept_for_another_id(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sabotaged twin."""
    monkeypatch.setattr(middleware, "require_utf8", lambda _scope: None)
    assert inside.client.plain("PUT", f"/v1/account/{LATIN}/objection", HOST).status_code == 200
    assert inside.client.plain("GET", "/v1/account/caf%FC/objection", HOST).status_code == 200


@pytest.mark.parametrize("name", ["café", "\ufffd", "名前", "a b", "100%", "a/b?c#d", "\U0001f600"])
def test_every_id_in_utf8_is_itself(inside: Inside, name: str) -> None:
    path = f"/v1/account/{quote(name, safe='')}/objection"
    assert inside.client.plain("PUT", path, HOST).json()["entity_id"] == name
    assert inside.client.plain("DELETE", path, HOST).status_code == 204


def test_a_real_server_refuses_it_too(tmp_path: Path) -> None:
    """Bytes as they come, some of which no client library sends."""
    head = b"PUT /v1/account/%s/objection HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 0\r\n\r\n"
    with running_api(Home(tmp_path / "home", tmp_path)) as url:
        host, port = url.removeprefix("http://").split(":")
        for name, status in ((b"caf%C3%A9", 200), (b"caf%E9", 400), (b"caf%C3%28", 400), (b"caf\xe9", 400)):
            with socket.create_connection((host, int(port)), timeout=30) as client:
                client.sendall(head % name)
                assert client.recv(65536).startswith(b"HTTP/1.1 %d " % status), name
