"""The API with some more paths, each of which parses the body of a score request and sends it back, and `GET /bare`, which
answers nothing at all.

`POST /echo` is an ordinary route of the FastAPI app, as quick as one can be: raw body, msgspec, no models. `POST /pydantic` is the
route that one would write first, with pydantic's models. `POST /floor` stands where scoring stands, on plain ASGI in front of
FastAPI: nothing that this server does can cost less. All three are behind the door. `GET /ui/bare/hello` is a page that says hello by a
template, behind the sign-in of all pages.
`python -m tests.benchmarks.echo_server PORT`.
"""

from __future__ import annotations

import asyncio
import sys

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.app import create_app
from serving.gateway.middleware import Door
from serving.http import read_body
from serving.page.look import environment
from serving.scoring.endpoints import HotPath
from serving.server import listen
from serving.settings import ServingSettings
from serving.shutdown import stop_on_signals
from serving.sign_in.visit import visitor_of

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Floor:
    """Plain ASGI in front of an app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/floor":
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


@router.post("/echo")
async def echo(request: Request) -> Response:
    return Response(_encode(_decode(await request.body())), media_type="application/json")


@router.post("/pydantic")
async def pydantic_echo(request: EchoRequest) -> EchoRequest:
    return request


@router.get("/ui/bare/hello")
async def hello(request: Request) -> Response:
    page = environment().from_string("<!doctype html><title>Hello</title><h1>Hello {{ name }}</h1>")
    return Response(page.render(name=visitor_of(request).actor.name), media_type="text/html")


@router.get("/bare")
async def bare() -> Response:
    return Response(b"{}", media_type="application/json")


async def main(port: int) -> None:
    _, app = create_app(ServingSettings.from_env(), open_on_loopback=True)
    app.include_router(router)
    front = Door(Floor(HotPath(app, app)), app, open_on_loopback=True)
    async with app.router.lifespan_context(app):
        await listen(front, "127.0.0.1", port, stop_on_signals(10.0))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
