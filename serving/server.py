"""Running the API: granian, inside our own process and event loop.

Granian (ASGI) and uvicorn were of one speed here at 16 connections, and granian's slowest answers at 64 were nearer to its
usual ones. Embedded, because then there is one process: killing it leaves no orphan that holds the port.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket

from granian.constants import Interfaces
from granian.server.embed import Server

from features.errors import UserMistake
from serving.app import create_app
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
    front, app = create_app(settings)
    # The lifespan runs here and not in granian, so that a start that fails is an exception with its message.
    async with app.router.lifespan_context(app):
        logging.getLogger("_granian").setLevel(logging.ERROR)
        server = Server(
            front, address=host, port=port, interface=Interfaces.ASGINL, log_enabled=False, websockets=False
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.stop)
        log.info("api.listening address=http://%s:%d", host, port)
        await server.serve()


def _check_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserMistake(f"{host}:{port} cannot be used ({error.strerror}): choose another with --port") from None
