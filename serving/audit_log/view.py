"""What people are shown of the audit log: its newest rows, by who and what, and whether the chain holds."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.kit.clock import from_us, iso
from features.kit.errors import UserMistake
from serving.audit_log import head, repository
from serving.audit_log.chain import Row, Verdict, read_json, verify
from serving.audit_log.export import as_shown
from serving.store.connect import Store

MOST_LOOKED_AT = 5_000
"""Rows that a search by name looks at; who did something stands inside a row and is in no index. They take 0.1 s."""
PART = 500
_SHA256 = re.compile(r"\b[0-9a-f]{64}\b")
LEAST_MOMENT_US = 10**15
"""A whole number of this size is a moment (2001 and later), microseconds since 1970."""
VERIFY_SECONDS = 3.0
"""The longest that a verification runs inside the API. 3 s are 50,000 rows on two busy processors; the command takes as long as it needs."""


@dataclass(frozen=True)
class LogPage:
    """Some rows, the newest first, in the words of the export (`as_shown`)."""

    rows: list[dict[str, Any]]
    next: int | None
    """`before` of the next page; None: there is none."""
    looked_at: int
    """Rows that were looked at for a name."""


def page(store: Store, before: int | None, action: str | None, who: str | None, limit: int) -> LogPage:
    """The newest rows before a `seq`, of an action, and of those whose actor's name or id has `who` in it, without case.

    A search by name ends after `MOST_LOOKED_AT` rows; `next` goes on from there. Raises `StoreAway`."""
    wanted = (who or "").casefold().strip()
    found: list[dict[str, Any]] = []
    looked_at = 0
    with store.read() as connection:
        while True:
            part = repository.newest(connection, before, action, PART if wanted else limit + 1)
            for row in part:
                before = row["seq"]
                looked_at += 1
                if wanted and wanted not in _actor(row):
                    continue
                if len(found) == limit:
                    return LogPage(found, found[-1]["seq"], looked_at)
                found.append(as_shown(row))
            if len(part) < PART or not wanted:
                return LogPage(found, None, looked_at)
            if looked_at >= MOST_LOOKED_AT:
                return LogPage(found, before, looked_at)


def _actor(row: Row) -> str:
    actor = read_json(row["actor"])
    return f"{actor.get('name') or ''}\n{actor.get('id') or ''}".casefold()


@dataclass(frozen=True)
class Verified:
    """What a verification found."""

    verdict: Verdict | None
    seconds: float
    why: str | None = None
    """Why there is none: another one runs, or the home's copy of the head cannot be read."""


_one = threading.Lock()


def verify_within(
    store: Store, home: Path, seconds: float = VERIFY_SECONDS, clock: Callable[[], float] = time.monotonic
) -> Verified:
    """Follow the chain for so long at most, as `python -m serving audit verify` does; one at a time in a process. Raises
    `StoreAway`."""
    if not _one.acquire(blocking=False):
        return Verified(None, 0.0, "another verification is running: look again in a moment")
    try:
        began = clock()
        try:
            known = head.load(home)  # before the rows: the log may be ahead of it
        except UserMistake as error:
            return Verified(None, 0.0, str(error).replace(f"{home}/", ""))
        with store.read() as connection:
            verdict = verify(
                repository.rows(connection),
                [] if known is None else [("the home", known)],
                lambda: clock() - began >= seconds,
            )
        return Verified(verdict, clock() - began)
    finally:
        _one.release()


def told(content: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """What a row says was there before or after, a line each. Moments are ISO 8601 to the second, a SHA-256 is its first 12 characters.

    >>> list(told({"band": "low", "until": 1_772_344_800_000_000, "scopes": ["read", "score"], "used": True, "by": None}))
    [('band', 'low'), ('until', '2026-03-01T06:00:00Z'), ('scopes', 'read, score'), ('used', 'yes')]
    """
    for name, value in (content or {}).items():
        if value is None or value in ([], {}):
            continue
        if isinstance(value, bool):
            said = "yes" if value else "no"
        elif isinstance(value, int) and value >= LEAST_MOMENT_US:
            said = iso(from_us(value // 1_000_000 * 1_000_000))
        elif isinstance(value, list | tuple):
            said = ", ".join(map(str, value))
        elif isinstance(value, Mapping):
            said = ", ".join(f"{key} {each}" for key, each in value.items())
        else:
            said = str(value)
        said = _SHA256.sub(lambda found: found[0][:12] + "…", said)
        yield name.replace("_", " "), said
