"""Logging of the serving commands: one line an event, UTC, to stderr; no ids of people, no values."""

from __future__ import annotations

import logging
import sys
import time


def configure(level: int = logging.INFO) -> None:
    """Called by the commands, never by an import."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    log = logging.getLogger("serving")
    log.handlers[:] = [handler]
    log.setLevel(level)
    log.propagate = False
