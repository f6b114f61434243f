"""Forms of the page: a token in each, the site that sent it, and their content.

A foreign page can make a browser send a form with our cookie. It cannot read the token, which stands in our page alone, and
a browser says which site sent a form (`Sec-Fetch-Site`, `Origin`). Both are asked for.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.types import Receive

from serving.http import read_body
from serving.problems import Problem
from serving.sign_in.transport import Transport

FIELD = "token"
"""Name of the field with it."""
LARGEST = 64 * 1024
"""Bytes of a form."""
MOST_FIELDS = 100
_TYPE = "application/x-www-form-urlencoded"


def token_for(pepper: bytes, who: str) -> str:
    """The token of whom a form is for: a session, a person that a proxy names, a browser that is about to sign in."""
    return hmac.digest(pepper, b"form\n" + who.encode(), hashlib.sha256).hex()


def require_own_site(transport: Transport, headers: Mapping[bytes, bytes]) -> None:
    """Raises `Problem` 403 for a form that a page of another site sent."""
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if site is not None:
        own = site.lower() in (b"same-origin", b"none")
    else:
        own = origin is None or urlsplit(origin.decode("latin-1")).netloc.lower() in transport.hosts
    if not own:
        raise Problem(
            403, "cross_site", "the form came from a page of another site: open this page and send its own form"
        )


async def read_form(scope: Any, receive: Receive, headers: Mapping[bytes, bytes]) -> tuple[bytes, dict[str, str]]:
    """The body of a form and its fields; of a repeated field the last. Raises `Problem` 400, 413, 415."""
    kind, _, _ = headers.get(b"content-type", b"").decode("latin-1").lower().partition(";")
    if kind.strip() != _TYPE or b"content-encoding" in headers:
        raise Problem(
            415, "not_a_form", f"the page takes forms alone: Content-Type: {_TYPE}; programs ask the API, /docs"
        )
    body = await read_body(scope, receive, LARGEST)
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:
        rule = f"at most {MOST_FIELDS} fields in UTF-8, percent-encoded"
        raise Problem(400, "not_a_form", f"the body is no form: {rule}") from None
    return body, dict(pairs)


def require_token(fields: Mapping[str, str], expected: str) -> None:
    """Raises `Problem` 403 for a form without its token."""
    if not hmac.compare_digest(fields.get(FIELD, "").encode(), expected.encode()):
        raise Problem(
            403,
            "no_form_token",
            "the form has no token, or that of an earlier session: nothing was changed; open the page again",
        )
