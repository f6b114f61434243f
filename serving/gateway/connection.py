"""HTTP/1.1 connections with deadlines: uvicorn's protocol, and a sweep that closes slow clients.

A client that sends nothing, sends one byte a second or never reads its answer holds a socket for a bounded time and
delays nobody else. One sweep every half second checks all connections instead of a timer per request: a request costs
three readings of the clock. uvicorn has a deadline for keep-alive only and granian for headers only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import time
from email.utils import formatdate
from http import HTTPStatus

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from serving.gateway.headers import of_answer
from serving.problems import MEDIA_TYPE, Problem
from serving.settings import Limits

log = logging.getLogger("serving.connection")
SWEEP_SECONDS = 0.5
LARGEST_HEAD = 64 * 1024
"""Largest request line and headers together, bytes."""
MOST_PIPELINED = 64
"""Pipelined requests that a client may send before it has their answers; each costs memory before it is worked on."""
LEAST_MOVED = 16 * 1024
"""Bytes of an answer that a client must read within the time of a request: with 20 s a megabyte may take up to 21
minutes.
"""
CROWDED, ROOMY = 0.9, 0.75
"""Above this share of the connections, idle ones are closed, the longest idle first; then those that have been
reading an answer longest; until the share is reached.
"""
OTHER_FILES = 256
"""File descriptors kept for everything but connections: the store, models, logs."""
_now = time.monotonic
_MALFORMED = Problem(400, "malformed", "this is no HTTP/1.1 request")
_HEAD_TOO_LARGE = Problem(
    431, "headers_too_large", f"the request line and the headers have more than {LARGEST_HEAD:,} bytes"
)
_PIPELINED = Problem(400, "too_many_pipelined", f"more than {MOST_PIPELINED} requests were sent ahead of their answers")
_FULL = Problem(503, "too_many_connections", "the server has no connection left: try again", {}, 1)


class Connection(HttpToolsProtocol):
    """One client connection. `waits_for` is what it waits for: "first" (no byte has come), "head" (the rest of the
    headers), "body", "next" (idle after an answer) or "" (the request is complete and being answered); `since` when,
    for `seconds` at most.
    """

    def __init__(self, owner: Connections) -> None:
        super().__init__(owner.config, owner.state, {})
        self._owner = owner
        self._head_bytes = 0
        self._why = _MALFORMED
        self._said_all = False
        self.reading_since: float | None = None
        """When the client began to leave an answer unread, monotonic seconds."""
        self._moved_at, self._left = 0.0, 0
        self._wait("first", owner.limits.request_seconds)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._owner.most:
            self._owner.refused += 1
            self._refuse(_FULL)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self.waits_for != "body":
            if self._head_bytes > LARGEST_HEAD:
                self._refuse(_HEAD_TOO_LARGE)
                return
            self._head_bytes += len(data)
        super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client closed its side: complete requests are answered, then the connection ends. uvicorn would hang
        up.
        """
        self._said_all = True
        return not self.waits_for

    def on_message_begin(self) -> None:
        self._wait("head", self._owner.limits.request_seconds)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.waits_for != "body":
            super().on_header(name, value)
            return
        # A trailer comes after the content and is no header (RFC 9110, 6.5.1): it could name a key or a type after
        # a proxy in front has checked them.
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > LARGEST_HEAD:
            self._why = _HEAD_TOO_LARGE
            raise ValueError

    def on_headers_complete(self) -> None:
        # What arrived with the head may be body: counted exactly only where it could be too much.
        if self._head_bytes > LARGEST_HEAD and self._size_of_head() > LARGEST_HEAD:
            self._why = _HEAD_TOO_LARGE
            raise ValueError
        if len(self.pipeline) >= MOST_PIPELINED:
            self._why = _PIPELINED
            raise ValueError
        self.waits_for, self._head_bytes = "body", 0
        super().on_headers_complete()
        if self.parser.should_upgrade():  # no other protocol is spoken here: answer in HTTP/1.1 and close
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self.cycle.response_complete:
            self._wait("next", self._owner.limits.keep_alive_seconds)
        else:
            self.waits_for = ""

    def on_response_complete(self) -> None:
        # uvicorn's own would set a timer for each answer.
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._said_all:
            self.transport.close()  # once the answers are sent
        elif not self.waits_for:
            self._wait("next", self._owner.limits.keep_alive_seconds)

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._why)

    @property
    def idle(self) -> bool:
        """Whether no byte of a request has come."""
        return self.waits_for in ("first", "next")

    def look(self, now: float) -> None:
        """Closes the connection when its client is late."""
        left = self.transport.get_write_buffer_size()
        if left:
            cycle = self.cycle
            if cycle is not None and not cycle.response_complete:
                left += max(0, cycle.expected_content_length)
            if self.reading_since is None:
                self.reading_since = now
            elif 0 <= self._left - left < LEAST_MOVED:
                if now - self._moved_at > self._owner.limits.request_seconds:
                    self._owner.late += 1
                    self.transport.abort()
                return
            self._moved_at, self._left = now, left  # a part of it was taken, or it is the next answer
            return
        self.reading_since = None
        if self.waits_for and now - self.since > self.seconds and not self.transport.is_closing():
            if self.idle:
                self.transport.close()
            else:
                self._owner.late += 1
                why = f"the request was not whole after {self.seconds:g} s"
                self._refuse(Problem(408, "request_too_slow", why))

    def _wait(self, what: str, seconds: float) -> None:
        self.waits_for, self.seconds, self.since = what, seconds, _now()

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _refuse(self, problem: Problem) -> None:
        """Answers a request that never reached the app, unless an earlier answer is still being sent, and closes."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            clear = self.waits_for != "body"
        else:
            clear = self.waits_for == "body" and not cycle.response_started and not self.pipeline
        if clear:
            body = problem.body()
            told = {
                "content-type": MEDIA_TYPE,
                "content-length": str(len(body)),
                **problem.headers(),
                "connection": "close",
            }
            headers = [(name.encode(), value.encode()) for name, value in told.items()]
            lines = b"".join(b"%s: %s\r\n" % pair for pair in (*headers, *of_answer(headers)))
            status = HTTPStatus(problem.status)
            self.transport.write(b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (status, status.phrase.encode(), lines, body))
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()


class Connections:
    """The open connections of one server: how many there may be, and the sweep over them."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.limits = limits
        self.most = min(limits.connections, most_files() - OTHER_FILES)
        self.state = ServerState()
        self.config = Config(
            app,
            http=HttpToolsProtocol,
            ws="none",
            lifespan="off",
            loop="none",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        self.config.load()
        for name in ("uvicorn.error", "uvicorn.access"):
            logging.getLogger(name).disabled = True  # it would log paths and contents; the gateway logs
        self.refused = self.late = 0
        self._date()

    def __call__(self) -> Connection:
        """Makes a protocol, for `loop.create_server`."""
        return Connection(self)

    async def sweep(self) -> None:
        """Until cancelled, closes connections that are late, and idle ones when there are too many."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._date()
            now = _now()
            open_now: list[Connection] = list(self.state.connections)  # type: ignore[arg-type]  # we make no others
            for each in open_now:
                each.look(now)
            if len(open_now) > CROWDED * self.most:
                idle = sorted((e for e in open_now if e.idle and now - e.since > 1.0), key=lambda e: e.since)
                slow = [
                    (e.reading_since, e)
                    for e in open_now
                    if e.reading_since is not None and now - e.reading_since > 1.0
                ]
                slow.sort(key=lambda pair: pair[0])
                for each in [*idle, *(e for _, e in slow if e not in idle)][: len(open_now) - int(ROOMY * self.most)]:
                    # Unsent bytes would keep open a client that does not read.
                    if each.transport.get_write_buffer_size():
                        each.transport.abort()
                    else:
                        each.transport.close()
            if self.refused or self.late:
                log.warning("clients.refused over_the_limit=%d late=%d open=%d", self.refused, self.late, len(open_now))
                self.refused = self.late = 0

    async def close(self, seconds: float) -> None:
        """Closes idle connections, lets the others finish sending for at most `seconds`, and cuts the rest."""
        for each in list(self.state.connections):
            each.shutdown()
        end = _now() + seconds
        while self.state.connections and _now() < end:
            await asyncio.sleep(0.02)
        for each in list(self.state.connections):
            each.transport.abort()
        tasks = list(self.state.tasks)
        for task in tasks:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*tasks, return_exceptions=True)

    def _date(self) -> None:
        self.state.default_headers = [(b"date", formatdate(usegmt=True).encode())]


def most_files() -> int:
    """Raises the limit of file descriptors as far as allowed; returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # macOS has a limit below the hard one
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return 65_536 if soft == resource.RLIM_INFINITY else soft
