"""Runs the API: one process, one event loop, HTTP/1.1 by uvicorn's protocol with deadlines
(`serving.gateway.connection`).

SIGTERM ends it whatever its clients do: requests in flight get `drain_seconds`, then the connections are cut."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import socket
import threading

from features.kit.errors import UserMistake
from serving.app import create_app
from serving.gateway.connection import Connections
from serving.gateway.middleware import Door
from serving.settings import Limits, ServingSettings

log = logging.getLogger("serving")
BACKLOG = 4096
CLOSE_SECONDS = 2.0
"""Seconds after the drain for sending answers that are ready."""
LOOK_SECONDS = 0.05
"""Seconds between two looks at `stopping`."""


def serve(settings: ServingSettings, host: str, port: int, stopping: threading.Event) -> None:
    """Serves until `stopping` is set, answers what is in flight, and returns. Raises `UserMistake` when the address
    is taken, and whatever the app's start raises.

    Raises `UserMistake` when the address is taken, and what the app's start raises.
    """
    _check_free(host, port)
    asyncio.run(_serve(settings, host, port, stopping))


async def _serve(settings: ServingSettings, host: str, port: int, stopping: threading.Event) -> None:
    local = _is_loopback(host)
    front, app = create_app(settings, open_on_loopback=local)
    # The lifespan runs here, so that a failed start raises its own exception.
    async with app.router.lifespan_context(app):
        keys = app.state.serving.watched.keys
        needed = keys is None or keys.needed
        if not needed and not local:
            raise UserMistake(
                f"{host} can be reached from elsewhere and no API key exists: run python -m serving keys create NAME first"
            )
        if not needed and not settings.sign_in.by_others:
            log.warning("api.open reason=loopback_and_no_key_yet next=python -m serving keys create NAME")
        await listen(front, host, port, stopping, settings.limits, settings.drain_seconds)


async def listen(
    front: Door,
    host: str,
    port: int,
    stopping: threading.Event,
    limits: Limits | None = None,
    drain_seconds: float = 20.0,
) -> None:
    """Answers with `front`, whose app is started, until `stopping` is set; then waits for what is in flight."""
    loop = asyncio.get_running_loop()
    connections = Connections(front, limits or Limits())
    server = await loop.create_server(connections, host, port, backlog=BACKLOG)
    sweeping = asyncio.create_task(connections.sweep())
    log.info("api.listening address=http://%s:%d", host, port)
    # Objects of the start live to the end. The garbage collector need not walk them: that would pause every request.
    gc.collect()
    gc.freeze()
    try:
        while not stopping.is_set():
            await asyncio.sleep(LOOK_SECONDS)
        # While it drains, new requests get 503, readiness included.
        front.draining = True
        log.info("api.draining in_flight=%d", front.in_flight)
        end = loop.time() + drain_seconds
        while front.in_flight and loop.time() < end:
            await asyncio.sleep(0.02)
    finally:
        gc.unfreeze()
        server.close()
        await connections.close(CLOSE_SECONDS)
        sweeping.cancel()


def _is_loopback(host: str) -> bool:
    """Whether `host` is a loopback address.

    >>> _is_loopback("127.0.0.1"), _is_loopback("::1"), _is_loopback("localhost"), _is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserMistake(f"{host}:{port} cannot be used ({error.strerror}): choose another with --port") from None
