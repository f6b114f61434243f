"""Cookies of signing in. The prefix `__Host-` makes a browser take them from this host alone, over a secure way, for all paths."""

from __future__ import annotations

import re
from typing import Any

SESSION = "__Host-accountscore"
"""A session's id. It ends with the browser at the latest."""
FORM = "__Host-accountscore-form"
"""A random value of a browser that is about to sign in; the token of the sign-in form is made of it."""
OIDC = "__Host-accountscore-oidc"
"""What ties the answer of the identity provider to the browser that asked."""
_VALUE = re.compile(r"[A-Za-z0-9_.-]{20,4000}")


def cookie_of(scope: Any, name: str) -> str | None:
    """The value of a cookie; None when it is absent, repeated or not one of ours."""
    found = [value for key, value in scope["headers"] if key == b"cookie"]
    if len(found) != 1:
        return None
    pairs = (each.strip().partition("=") for each in found[0].decode("latin-1").split(";"))
    values = [value for key, _, value in pairs if key == name]
    return values[0] if len(values) == 1 and _VALUE.fullmatch(values[0]) else None


def set_cookie(name: str, value: str, seconds: int | None = None) -> str:
    """A `Set-Cookie` header; without `seconds` it ends with the browser.

    >>> set_cookie(SESSION, "abc")
    '__Host-accountscore=abc; Path=/; Secure; HttpOnly; SameSite=Lax'
    """
    lasting = "" if seconds is None else f"; Max-Age={seconds}"
    return f"{name}={value}; Path=/{lasting}; Secure; HttpOnly; SameSite=Lax"


def drop_cookie(name: str) -> str:
    return set_cookie(name, "", 0)
