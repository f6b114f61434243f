"""Checks request headers that say who is asking, and sets the security headers of answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from serving.problems import Problem

Headers = Mapping[bytes, bytes]
SINGLE = frozenset(
    {
        b"host",
        b"authorization",
        b"content-type",
        b"content-encoding",
        b"content-length",
        b"idempotency-key",
        b"origin",
        b"sec-fetch-site",
    }
)
"""Request headers that may be there only once: a proxy in front may have read the other one of two."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""
_LOCAL_HOST = re.compile(rb"(?i)(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?")
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
    b"base-uri 'none'; frame-ancestors 'none'"
)
_NOTHING = b"default-src 'none'; frame-ancestors 'none'"
OF_ANY = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""Security headers of every answer, including those that no app produced."""
OF_HTML = (
    (b"content-security-policy", _POLICY),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
"""Security headers of an HTML page: no content from elsewhere, no inline scripts or styles, no framing. A route that
sets one of them itself keeps its own.
"""
OF_DATA = ((b"content-security-policy", _NOTHING),)
"""Security headers of everything but HTML pages: a browser that is made to show it gets an empty page."""


def single(found: Iterable[tuple[bytes, bytes]], headers: Headers) -> None:
    """Raises `Problem` 400 when one of `SINGLE` is repeated; `headers` holds the last value of each."""
    left = set(headers)
    for name, _ in found:
        if name in left:
            left.remove(name)
        elif name in SINGLE:
            raise Problem(400, "repeated_header", f"the header {name.decode()} occurs twice: send it once")


def from_here(method: str, headers: Headers) -> None:
    """Raises `Problem` 403 for a request that a foreign web page, open in a browser on this machine, could make. It
    applies while no API key is needed.
    """
    host = headers.get(b"host", b"localhost")
    # DNS rebinding: a page can reach loopback under its own host name.
    if not _LOCAL_HOST.fullmatch(host):
        raise Problem(403, "not_local", "no API key was made yet: until then only localhost is answered")
    if method in SAFE:  # a foreign page cannot read the answer
        return
    origin = headers.get(b"origin")
    site = headers.get(b"sec-fetch-site", b"none").lower()
    if (
        origin is not None and origin.lower() not in (b"http://" + host.lower(), b"https://" + host.lower())
    ) or site not in (
        b"none",
        b"same-origin",
    ):
        raise Problem(
            403,
            "cross_site",
            "no API key was made yet: until then no web page of another origin changes anything; "
            "python -m serving keys create makes one",
        )


def of_answer(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Returns the security headers that an answer lacks."""
    names = {name.lower(): value for name, value in headers}
    kind = names.get(b"content-type", b"").lower()
    more = OF_HTML if kind.startswith((b"text/html", b"application/xhtml")) else OF_DATA
    return [pair for pair in (*OF_ANY, *more) if pair[0] not in names]
