"""`python -m serving` that asks the registry before it takes a model: what the tests, whose registry is away, must catch."""

from __future__ import annotations

import contextlib
import os
import socket
from urllib.parse import urlsplit

from features.kit.cli import run
from serving.__main__ import app
from serving.champion import Champions

_refresh = Champions.refresh


def _ask_first(self: Champions) -> None:
    registry = urlsplit(os.environ["ACCOUNTSCORE_TRACKING_URI"])
    with contextlib.suppress(OSError), socket.create_connection((registry.hostname, registry.port or 80), timeout=5):
        _refresh(self)


if __name__ == "__main__":
    Champions.refresh = _ask_first  # type: ignore[method-assign]
    run(app)
