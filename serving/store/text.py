"""The text type of the store: what one database keeps the other keeps too.

Postgres refuses NUL in a text, both refuse half a surrogate pair, and either would fail the transaction of everybody whose
rows are in it. Such characters are kept as U+FFFD, in what is written and in what is looked for, so that both agree.
"""

from __future__ import annotations

import re

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

_NOT_KEPT = re.compile("[\x00\ud800-\udfff]")
REPLACEMENT = "\ufffd"


def is_kept(text: str) -> bool:
    """Whether every database keeps the text as it is.

    >>> is_kept("a\\u202eb"), is_kept("a\\x00b"), is_kept("a\\ud800b")
    (True, False, False)
    """
    return _NOT_KEPT.search(text) is None


def kept(text: str) -> str:
    """The text with U+FFFD in the place of what no store keeps.

    >>> kept("a\\x00b") == "a\\ufffdb"
    True
    """
    return _NOT_KEPT.sub(REPLACEMENT, text)


class StoredText(TypeDecorator[str]):
    """`Text` of every column of the store."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else kept(value)


class SortedText(StoredText):
    """Text that lists sort by. Both databases compare it by code point, so that a page is the same on either."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        return Text(collation="C") if dialect.name == "postgresql" else Text()
