"""What endpoints of the page learn of a request."""

from __future__ import annotations

import pytest
from fastapi import Request

from serving.sign_in.service import SignIn
from serving.sign_in.transport import Transport
from serving.sign_in.visit import Visit, visit_of, visitor_of

WAY = Transport("127.0.0.1", False, True, "", frozenset())


def test_it_is_what_the_gateway_put_there() -> None:
    scope: dict[str, object] = {"type": "http"}
    visitor = SignIn(b"pepper").open_visitor()
    visit = Visit(visitor, WAY, {"reason": "They signed."})
    visit.put(scope)
    assert visit_of(Request(scope)) is visit
    assert visitor_of(Request(scope)) is visitor
    assert "They signed." not in repr(visit)


def test_where_the_gateway_let_nobody_in_there_is_no_visitor() -> None:
    with pytest.raises(KeyError):
        visitor_of(Request({"type": "http"}))
