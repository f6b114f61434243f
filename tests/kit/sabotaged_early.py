"""`python -m serving` that answers a webhook before it is stored: what the kill test must catch."""

from __future__ import annotations

import threading
from typing import Any

from features.kit.cli import run
from serving.__main__ import app
from serving.inbox import endpoints
from serving.inbox import repository as inbox
from serving.state import AppState

DELAY_SECONDS = 30.0


async def _store_later(state: AppState, letters: list[dict[str, Any]]) -> int:
    def store() -> None:
        state.writer.submit(lambda connection: inbox.put(connection, letters))

    threading.Timer(DELAY_SECONDS, store).start()
    return len(letters)


if __name__ == "__main__":
    endpoints._store = _store_later
    run(app)
