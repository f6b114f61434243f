"""Logging of the serving commands: one line an event, UTC, to stderr; no ids of people, no values."""

from __future__ import annotations

import logging
import re
import sys
import time
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request at work, set by the door: each line that is logged for it names it."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class OneLine(logging.Formatter):
    """`TIME LEVEL LOGGER event key=value ... request=ID`: nothing that is logged can begin a line of its own."""

    converter = time.gmtime  # type: ignore[assignment]  # logging's documented way to UTC

    def format(self, record: logging.LogRecord) -> str:
        line = _CONTROL.sub(lambda found: repr(found[0])[1:-1], super().format(record))
        number = request_id.get()
        return f"{line} request={number}" if number else line


def place_of(error: BaseException) -> str:
    """`type=... at=FILE:LINE` of an error that was not foreseen. Its message stays out: it may hold what a request or a row
    held."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "unknown"
    return f"type={type(error).__name__} at={where}"


def configure(level: int = logging.INFO) -> None:
    """Called by the commands, never by an import."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(asctime)sZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S"))
    log = logging.getLogger("serving")
    log.handlers[:] = [handler]
    log.setLevel(level)
    log.propagate = False
