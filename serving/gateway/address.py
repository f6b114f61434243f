"""Refuses request addresses that are not UTF-8: the id of an account or lead is part of the address."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from serving.problems import Problem


def require_utf8(scope: Any) -> None:
    """Raises `Problem` 400 for a path or a query that is not UTF-8 after percent-decoding.

    The server and the framework decode such bytes to U+FFFD. `caf%E9`, sent by a client that encodes in Latin-1,
    became another id: an objection or an erasure was confirmed for nobody.
    """
    for what, raw in (("path", scope["raw_path"]), ("query", scope["query_string"])):
        if b"%" not in raw and raw.isascii():
            continue
        try:
            unquote_to_bytes(raw).decode()
        except UnicodeDecodeError:
            raise Problem(
                400, "not_utf8", f"the {what} is no UTF-8 once its %XX are read: encode ids in UTF-8 first"
            ) from None
