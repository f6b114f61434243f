"""Who acts in a request, as the endpoints behind the gateway see it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request

from serving.gateway.actor import API, OPEN, Actor, actor_of, set_actor
from tests.kit.inside import Inside, running_inside


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Inside]:
    with running_inside(tmp_path) as running:
        yield running


def seen(inside: Inside, monkeypatch: pytest.MonkeyPatch, method: str, path: str, **more: object) -> Actor:
    """The actor of a request, as the app behind the gateway finds it in the ASGI scope."""
    found: list[Actor] = []
    app = inside.door._app

    async def looking(scope: Any, receive: Any, send: Any) -> None:
        found.append(actor_of(scope))
        await app(scope, receive, send)

    with monkeypatch.context() as patch:
        patch.setattr(inside.door, "_app", looking)
        inside.client.request(method, path, **more)
    return found[0]


class TestActorOf:
    def test_while_no_key_was_made_anybody_on_loopback_acts(
        self, inside: Inside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert seen(inside, monkeypatch, "GET", "/v1/churn-risk") == OPEN

    def test_a_key_acts_under_its_id_and_the_name_of_its_holder(
        self, inside: Inside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        headers = inside.key("read", "score", name="nightly sync")
        key_id = headers["authorization"].split("_")[1]
        wanted = Actor("key", key_id, "nightly sync")
        assert seen(inside, monkeypatch, "GET", "/v1/churn-risk", headers=headers) == wanted
        body = {"records": [{"signals": {"number_0": 1.0}}]}
        more = {**headers, "idempotency-key": "once"}
        assert seen(inside, monkeypatch, "POST", "/v1/churn-risk/score", headers=headers, json=body) == wanted
        assert seen(inside, monkeypatch, "GET", "/v1/churn-risk", headers=more) == wanted

    def test_where_no_key_is_asked_for_the_system_acts(self, inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
        assert seen(inside, monkeypatch, "GET", "/healthz", headers=inside.key("read")) == API

    def test_a_request_and_its_scope_say_the_same(self) -> None:
        scope: dict[str, object] = {"type": "http"}
        set_actor(scope, Actor("person", "oidc:j.doe", "J. Doe"))
        assert actor_of(Request(scope)) == actor_of(scope) == Actor("person", "oidc:j.doe", "J. Doe")
