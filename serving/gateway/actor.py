"""Who acts in a request: a key, a signed-in person, anybody on loopback, or the system; set by the gateway.

It stands by itself and imports nothing of serving, so that every room may say who did what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from starlette.requests import HTTPConnection

Kind = Literal["key", "person", "open", "system"]
PLACE = "accountscore.actor"
"""Name of the actor in an ASGI scope."""


@dataclass(frozen=True)
class Actor:
    """Who did something.

    >>> Actor("key", "3f2a9c", "nightly sync").name
    'nightly sync'
    """

    kind: Kind
    """`key`: the holder of an API key; `person`: somebody who signed in; `open`: anybody on loopback while no key was
    ever made; `system`: a command or the worker.
    """
    id: str
    """Of a key its id; of a person how they signed in and as whom, such as `key:3f2a9c` or `oidc:j.doe`; of the
    system the name of the command.
    """
    name: str
    """For people to read."""


OPEN = Actor("open", "loopback", "anybody on this machine")
API = Actor("system", "api", "api")
"""Of requests to paths that ask for no key: health, webhooks, the sign-in page."""


def actor_of(request: HTTPConnection | Mapping[str, Any]) -> Actor:
    """Who makes this request (or has this ASGI scope).

    >>> actor_of({"type": "http"}) == API
    True
    """
    scope = request.scope if isinstance(request, HTTPConnection) else request
    found = scope.get(PLACE, API)
    assert isinstance(found, Actor)
    return found


def set_actor(scope: Any, actor: Actor) -> None:
    """For the gateway alone."""
    scope[PLACE] = actor
