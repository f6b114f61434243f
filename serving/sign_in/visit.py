"""What the gateway knows of a request to the page: who asks, on which way, and the form that was sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import HTTPConnection

from serving.sign_in.service import Visitor
from serving.sign_in.transport import Transport

PLACE = "accountscore.visit"
"""Name in the ASGI scope."""


@dataclass(frozen=True)
class Visit:
    """One request to the page."""

    visitor: Visitor | None
    """None on the sign-in page alone."""
    transport: Transport
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Fields of the form that was sent; its token was checked."""
    stranger: bool = False
    """Whether somebody who is no listed proxy sent the header that names a person. It was ignored."""

    def put(self, scope: Any) -> None:
        """For the gateway alone."""
        scope[PLACE] = self


def visit_of(request: HTTPConnection) -> Visit:
    """Raises `KeyError` outside of /ui/."""
    found = request.scope[PLACE]
    assert isinstance(found, Visit)
    return found


def visitor_of(request: HTTPConnection) -> Visitor:
    """Who asks for a page that needs a sign-in: the name to show, the scopes, and the token of its forms."""
    found = visit_of(request).visitor
    assert found is not None
    return found
