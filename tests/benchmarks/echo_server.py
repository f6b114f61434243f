"""The API with one more path: `POST /echo` parses the body of a score request and sends it back.

It stands where scoring stands: behind the same door, in the same process, on plain ASGI with msgspec. `POST /bare` does the
same in front of the door, `POST /fastapi-echo` as an ordinary route of the FastAPI app with pydantic's models, which is what
one would otherwise write. `python -m tests.benchmarks.echo_server PORT`.
"""

from __future__ import annotations

import asyncio
import sys

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.app import create_app
from serving.door.door import Door
from serving.http import read_body
from serving.scoring.endpoints import HotPath
from serving.server import listen
from serving.settings import ServingSettings

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Echo:
    """Plain ASGI in front of an app."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app, self._path = app, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        content = _encode(_decode(await read_body(scope, receive, 1 << 23)))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


class EchoRecord(BaseModel):
    signals: dict[str, float | str | None]


class EchoRequest(BaseModel):
    records: list[EchoRecord]
    reasons: int = 0


router = APIRouter()


@router.post("/fastapi-echo")
async def fastapi_echo(request: EchoRequest) -> EchoRequest:
    return request


class _Front(Door):
    """A door with an echo before it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Echo(super().__call__, "/bare")(scope, receive, send)


async def main(port: int) -> None:
    _, app = create_app(ServingSettings.from_env(), open_on_loopback=True)
    app.include_router(router)
    front = _Front(Echo(HotPath(app, app), "/echo"), app, open_on_loopback=True)
    async with app.router.lifespan_context(app):
        await listen(front, "127.0.0.1", port)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
