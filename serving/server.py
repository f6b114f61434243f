"""Running the API: granian, inside our own process and event loop.

Granian (ASGI) and uvicorn were of one speed here at 16 connections, and granian's slowest answers at 64 were nearer to its
usual ones. Embedded, because then there is one process: killing it leaves no orphan that holds the port.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import signal
import socket

from granian.constants import Interfaces
from granian.server.embed import Server

from features.errors import UserMistake
from serving.app import create_app
from serving.door.door import Door
from serving.settings import ServingSettings

log = logging.getLogger("serving")
DRAIN_SECONDS = 20.0
"""How long requests in flight may take after SIGTERM."""


def serve(settings: ServingSettings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is in flight and return.

    Raises `UserMistake` when the address is taken, and what the app's start raises.
    """
    _check_free(host, port)
    asyncio.run(_serve(settings, host, port))


async def _serve(settings: ServingSettings, host: str, port: int) -> None:
    local = _is_loopback(host)
    front, app = create_app(settings, open_on_loopback=local)
    # The lifespan runs here and not in granian, so that a start that fails is an exception with its message.
    async with app.router.lifespan_context(app):
        keys = app.state.serving.watched.keys
        needed = keys is None or keys.needed
        if not needed and not local:
            raise UserMistake(
                f"{host} can be reached from elsewhere and no API key exists: run python -m serving keys create NAME first"
            )
        if not needed:
            log.warning("api.open reason=loopback_and_no_key_yet next=python -m serving keys create NAME")
        await listen(front, host, port)


async def listen(front: Door, host: str, port: int) -> None:
    """Answer with `front`, whose app is started, until SIGTERM or SIGINT; then let what is in flight end."""
    logging.getLogger("_granian").setLevel(logging.ERROR)
    server = Server(front, address=host, port=port, interface=Interfaces.ASGINL, log_enabled=False, websockets=False)
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    log.info("api.listening address=http://%s:%d", host, port)
    draining = asyncio.create_task(_drain(front, stopping, server))
    # What was made for the start stays to the end: looking through it for garbage would stop all requests meanwhile.
    gc.collect()
    gc.freeze()
    try:
        await server.serve()
    finally:
        gc.unfreeze()
        draining.cancel()


async def _drain(front: Door, stopping: asyncio.Event, server: Server) -> None:
    """Wait for the signal; then refuse what comes (503, readiness included), let what is at work end, and stop."""
    await stopping.wait()
    front.draining = True
    log.info("api.draining in_flight=%d", front.in_flight)
    end = asyncio.get_running_loop().time() + DRAIN_SECONDS
    while front.in_flight and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.02)
    server.stop()  # type: ignore[no-untyped-call]  # granian has no types for it


def _is_loopback(host: str) -> bool:
    """Whether only this machine reaches what is bound to `host`.

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
