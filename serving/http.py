"""Reads request bodies with a limit, on plain ASGI; the score dispatch and the FastAPI routes share it."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from fastapi import Request, Response
from starlette.types import Receive, Scope

from serving.problems import Problem
from serving.strict_json import NotStrict, loads

T = TypeVar("T")
LARGEST_JSON = 64 * 1024
"""Largest JSON body of every route but scoring, bytes; score requests have their own limit."""


class ClientGone(Exception):
    """Raised when the client closed the connection before its body was whole; there is nobody to answer."""


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Returns the raw body, counted while it arrives. Raises `Problem` 413 above `limit` bytes, `ClientGone` when the
    client leaves before the end.
    """
    declared = header(scope, b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise too_large(limit)
    message: Any = await receive()
    if message["type"] != "http.request":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(body) > limit:
            raise too_large(limit)
        return body
    parts, size = [body], len(body)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise too_large(limit)
        parts.append(part)
    return b"".join(parts)


def header(scope: Scope, name: bytes) -> bytes | None:
    """Returns the value of a header; None when it is absent or repeated."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[0] if len(found) == 1 else None


def too_large(limit: int) -> Problem:
    return Problem(413, "body_too_large", f"the body is larger than {limit:,} bytes: send fewer records at a time")


async def read_json(request: Request, wanted: type[T]) -> T:
    """Returns the body as a msgspec type, read strictly. Raises `Problem` 400, 413 or 422; none repeats a value that
    was sent.
    """
    body = await read_body(request.scope, request.receive, LARGEST_JSON)
    try:
        return msgspec.convert(loads(body), wanted)
    except NotStrict as error:
        raise Problem(400, "not_strict_json", f"the body is not strict JSON: {error}") from None
    except msgspec.ValidationError as error:
        # msgspec names the place and the types, and of what was sent an unknown key alone.
        raise Problem(422, "wrong_shape", f"{str(error)[:300]}: see {wanted.__name__} in /openapi.json") from None


def json_answer(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")


def body_of(schema: str) -> dict[str, Any]:
    """`content` of a request or an answer in the OpenAPI file, by the name of its schema."""
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
