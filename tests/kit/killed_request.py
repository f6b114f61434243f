"""One score request with an Idempotency-Key, in a process that kills itself at a given moment of it.

    python -m tests.kit.killed_request ENTITY_ID MOMENT [apart]

MOMENT is `commit N` (just before the N-th commit of the request), `answer` (before its first byte leaves) or `never`.
`apart` is the sabotage: score and answer are committed one after the other.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from typing import Any

import httpx
from sqlalchemy import event

from features.kit.clock import make_clock
from serving.app import create_app
from serving.scoring import endpoints
from serving.settings import ServingSettings
from tests.kit.inside import NOW


def body_of(entity_id: str) -> dict[str, Any]:
    return {"records": [{"entity_id": entity_id, "signals": {"number_0": 1.0}}], "reasons": 2}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(entity_id: str, moment: str, *how: str) -> None:
    if "apart" in how:
        endpoints.keep_of = lambda _scope: None  # type: ignore[attr-defined]
    door, app = create_app(ServingSettings.from_env(), make_clock(NOW), open_on_loopback=True)
    commits = itertools.count(1)

    def committing(_connection: object) -> None:
        if moment == f"commit {next(commits)}":
            die()

    async def front(scope: Any, receive: Any, send: Any) -> None:
        async def last(message: Any) -> None:
            if moment == "answer":
                die()
            await send(message)

        await door(scope, receive, last)

    async with app.router.lifespan_context(app):
        event.listen(app.state.serving.store.engine, "commit", committing)
        transport = httpx.ASGITransport(front)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            headers = {"idempotency-key": f"key-of-{entity_id}"}
            answer = await client.post("/v1/churn-risk/score", json=body_of(entity_id), headers=headers)
    print(answer.status_code)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
