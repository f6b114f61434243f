"""The page that a person wanted before signing in: a path under /ui/ and nothing else, so that no link leads elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

HOME = "/ui/"
SIGN_IN = "/ui/sign-in"
SIGN_OUT = "/ui/sign-out"
LONGEST = 2000
"""Characters. A longer one is a mistake or an attack."""


def is_page(path: str) -> bool:
    """Whether a path belongs to the page for people, and not to the API.

    >>> is_page("/ui"), is_page("/ui/churn-risk"), is_page("/uix"), is_page("/v1/ui/x")
    (True, True, False, False)
    """
    return path == "/ui" or path.startswith("/ui/")


def safe_next(given: str | None) -> str:
    """The path to go on to after signing in: `HOME` for anything but a path of the page.

    >>> safe_next("/ui/churn-risk?band=high"), safe_next("https://evil.example/ui/"), safe_next("//evil.example/ui/")
    ('/ui/churn-risk?band=high', '/ui/', '/ui/')
    >>> safe_next("/ui/../v1/account/acme/erasure"), safe_next("/ui/sign-out"), safe_next(None)
    ('/ui/', '/ui/', '/ui/')
    """
    if not given or len(given) > LONGEST or not given.isascii() or not given.isprintable() or " " in given:
        return HOME
    if "\\" in given or "#" in given or not is_page(given.partition("?")[0]):
        return HOME
    path = unquote(urlsplit(given).path)
    if any(part in (".", "..") for part in path.replace("\\", "/").split("/")) or path.startswith((SIGN_IN, SIGN_OUT)):
        return HOME
    return given


def wanted(scope: Any, headers: Mapping[bytes, bytes]) -> str:
    """The page of a request that needs a sign-in first; of a form, the page that it stood on."""
    if scope["method"] == "GET":
        query = scope["query_string"]
        return safe_next((scope["raw_path"] + (b"?" + query if query else b"")).decode("latin-1"))
    came_from = urlsplit(headers.get(b"referer", b"").decode("latin-1"))
    if came_from.netloc.encode("latin-1") != headers.get(b"host"):
        return HOME
    return safe_next(came_from.path + (f"?{came_from.query}" if came_from.query else ""))


def sign_in_path(wanted: str, *, over: bool = False) -> str:
    """Path of the sign-in page that leads on to `wanted`; `over` says that a session has ended.

    >>> sign_in_path("/ui/a?b=c"), sign_in_path("/ui/", over=True)
    ('/ui/sign-in?next=%2Fui%2Fa%3Fb%3Dc', '/ui/sign-in?over=yes')
    """
    parts = [] if wanted == HOME else [f"next={quote(wanted, safe='')}"]
    parts += ["over=yes"] if over else []
    return SIGN_IN + ("?" + "&".join(parts) if parts else "")
