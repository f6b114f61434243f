"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a repeated request gets the first answer and is scored
once.

The same key with another request is 422; while the first is running it is 409. Refusals and failures are not stored.
The key is reserved first, and the answer stored in the transaction of its decision records, so that a process that dies
leaves both or neither. If neither, a repetition is 409 for a minute, and then scored.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.kit.clock import system_us
from serving.errors import StoreAway
from serving.gzip_body import once
from serving.http import read_body
from serving.idempotency import repository
from serving.idempotency.answer import Keep, with_keep
from serving.problems import Problem, store_away
from serving.state import AppState

_KEY = re.compile(rb"[!-~]{1,255}")


async def repeatable(
    app: ASGIApp, state: AppState, caller: str, key: bytes, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer a request that has an Idempotency-Key. Raises `Problem`, before anything was sent."""
    if not _KEY.fullmatch(key):
        raise Problem(400, "bad_idempotency_key", "Idempotency-Key has 1 to 255 visible ASCII characters, no blanks")
    body = await read_body(scope, receive, state.settings.max_body_bytes)
    name = hashlib.sha256(b"%s\n%s" % (caller.encode(), key)).hexdigest()
    request = b"%s %s\n" % (scope["method"].encode(), scope["path"].encode())
    fingerprint = hashlib.sha256(request + body).hexdigest()
    now_us = system_us()
    kept = await _write(state, lambda connection: repository.begin(connection, name, fingerprint, now_us))
    if kept is not None:
        await _again(kept, fingerprint, now_us, send)
        return
    keep = Keep(name)
    held: list[Message] = []

    async def hold(message: Message) -> None:
        held.append(message)

    try:
        await app(with_keep(scope, keep), once(body), hold)
    except BaseException:
        await _write(state, lambda connection: repository.forget(connection, name))
        raise
    status = held[0]["status"]
    answer = b"".join(message.get("body", b"") for message in held[1:])
    if status >= 300 or not keep.wanted:
        await _write(state, lambda connection: repository.forget(connection, name))
    elif not keep.done:  # the request wrote nothing else
        kind = dict(held[0]["headers"]).get(b"content-type", b"application/json").decode("latin-1")
        await _write(state, lambda connection: repository.finish(connection, name, status, kind, answer))
    for message in held:
        await send(message)


async def _again(kept: repository.KeptAnswer, fingerprint: str, now_us: int, send: Send) -> None:
    if kept.fingerprint != fingerprint:
        raise Problem(422, "idempotency_key_reused", "this Idempotency-Key came with another request: take a new one")
    if kept.status is None:
        # The first request may still be running for so long; if its process died, the key is free after that.
        held_us = max(0, kept.begun_at + repository.ABANDONED_US - now_us)
        seconds = max(1, math.ceil(held_us / 1e6))
        raise Problem(409, "still_at_work", "the first request with this Idempotency-Key is at work", {}, seconds)
    body = bytes(kept.body or b"")
    headers = [
        (b"content-type", (kept.content_type or "application/json").encode("latin-1")),
        (b"content-length", b"%d" % len(body)),
        (b"idempotent-replayed", b"true"),
    ]
    await send({"type": "http.response.start", "status": kept.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _write(state: AppState, job: Callable[[Connection], Any]) -> Any:
    try:
        return await state.writer.written(job)
    except StoreAway:
        raise store_away() from None
