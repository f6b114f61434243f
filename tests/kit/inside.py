"""The app in this process, with a small live model: for what needs no process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import Connection

from features.kit.clock import make_clock
from models import champion_pointer
from serving.app import create_app
from serving.gateway.middleware import Door
from serving.keys import service as keys
from serving.settings import ServingSettings
from serving.state import AppState
from tests.kit.scorers import copy_scorer
from tests.kit.stores import new_file

NOW = "2026-03-01T06:00:00Z"


class Client:
    """Asks an app whose event loop and lifespan run in a thread; to be used from any thread."""

    def __init__(self, door: Door, app: FastAPI) -> None:
        self._door, self._app = door, app
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Client:
        self._thread.start()
        assert self._ready.wait(60), "the app did not start"
        if self._failed is not None:
            self._thread.join(60)
            self._loop.close()
            raise self._failed
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        self._loop.close()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._live())
        except BaseException as error:
            self._failed = error
            self._ready.set()

    async def _live(self) -> None:
        transport = httpx.ASGITransport(self._door)
        async with (
            self._app.router.lifespan_context(self._app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as self._client,
        ):
            self._ready.set()
            await self._stop.wait()

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A content is JSON unless its headers say otherwise."""
        if "data" not in more and (more.get("content") is not None or method in ("POST", "PUT", "PATCH")):
            given = more["headers"] = httpx.Headers(more.get("headers"))
            given.setdefault("content-type", "application/json")
        return asyncio.run_coroutine_threadsafe(self._client.request(method, path, **more), self._loop).result(60)

    def plain(self, method: str, path: str, headers: list[tuple[bytes, bytes]]) -> httpx.Response:
        """With these headers and no others."""

        async def send() -> httpx.Response:
            return await self._client.send(httpx.Request(method, self._client.base_url.join(path), headers=headers))

        return asyncio.run_coroutine_threadsafe(send(), self._loop).result(60)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)


@dataclass
class Inside:
    """One running app."""

    client: Client
    door: Door
    state: AppState

    def key(self, *scopes: str, name: str = "tester", **more: Any) -> dict[str, str]:
        """A new key, as headers."""
        with self.state.store.write() as connection:
            token, _ = keys.create(
                connection, keys.read_pepper(self.state.settings.base.home), name, scopes, now_us(), **more
            )
        self.state.watched.refresh()
        return {"authorization": f"Bearer {token}"}

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        with self.state.store.write() as connection:
            yield connection
        self.state.watched.refresh()


def now_us() -> int:
    return time.time_ns() // 1000


@contextlib.contextmanager
def running_inside(
    home: Path, env: Mapping[str, str] | None = None, *, open_on_loopback: bool = True
) -> Iterator[Inside]:
    """The app until the block ends, on a store of its own; both models are live."""
    settings = ServingSettings.from_env({"ACCOUNTSCORE_HOME": str(home), **(env or {})})
    if settings.base.store_url == f"sqlite:///{home}/store.db":  # another has been made by who names it
        new_file(home)
    for seed, model in enumerate(("churn-risk", "lead-fit")):
        if not (champion_pointer.folder(home, model) / champion_pointer.NAME).exists():
            copy_scorer(home / f"{model}.made", model=model, seed=seed, n=600)
            with champion_pointer.locked(home, model):
                champion_pointer.put_live(home, model, home / f"{model}.made", 1)
    door, app = create_app(settings, make_clock(NOW), open_on_loopback=open_on_loopback)
    with Client(door, app) as client:
        yield Inside(client, door, app.state.serving)


def is_problem(answer: Any, status: int, code: str) -> bool:
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (status, code, status)
    return True
