"""Handles SIGTERM and SIGINT of long-running commands: asks them to stop, and ends them after a bounded time."""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import Any

log = logging.getLogger("serving")


STAYING = ("api", "worker")
"""Commands that run until a signal ends them."""


def end_while_starting(arguments: list[str]) -> None:
    """Makes SIGTERM and SIGINT end a long-running command with 0 until `stop_on_signals` is called: it has begun
    nothing yet.
    """
    if arguments[1:2] and arguments[1] in STAYING:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: os._exit(0))


def stop_on_signals(seconds: float) -> threading.Event:
    """Returns an event that SIGTERM and SIGINT set. A process that still runs `seconds` later is ended with 0: a
    thread that waits for a database or a CRM cannot be stopped, and everything durable is in committed transactions.
    """
    stopping = threading.Event()

    def end() -> None:
        log.error("stopped.in_the_middle after_s=%g", seconds)
        os._exit(0)

    def stop(_number: int, _frame: Any) -> None:
        if not stopping.is_set():
            stopping.set()
            timer = threading.Timer(seconds, end)
            timer.daemon = True
            timer.start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping
