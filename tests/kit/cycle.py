"""One whole cycle in one process, to be killed anywhere in it: a signed webhook, its answer, the scoring, the write-back.

Run as a server of cycles: each line on stdin is JSON (body, headers, environment, file for the acknowledgement); a child is forked, which
stops itself until it is told to go on, so that a tracer can take hold of it. Its process id goes to stdout.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import duckdb  # noqa: F401  # what a child would import is imported once; no thread runs in the parent
import httpx
import lightgbm  # noqa: F401

import features.panel.build  # noqa: F401
import serving.vendors.hubspot.outbound  # noqa: F401
from features.kit.clock import make_clock
from serving.app import create_app
from serving.champion import Champions
from serving.connections.config import load_connections
from serving.inbox.truncated import read_truncated
from serving.outbox.deliver import Deliverers
from serving.settings import ServingSettings
from serving.store.connect import open_store
from serving.worker.loop import Worker


async def receive(
    settings: ServingSettings, body: bytes, headers: dict[str, str], acknowledged: str, early: bool
) -> None:
    _, app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            if early:  # the sabotaged twin: the answer goes out before anything is stored
                Path(acknowledged).write_text("204")
            answer = await client.post("/webhooks/crm", content=body, headers=headers)
            if not early:
                Path(acknowledged).write_text(str(answer.status_code))


def cycle(job: dict[str, str]) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
    settings = ServingSettings.from_env()
    if job["body"]:
        early = bool(job.get("early"))
        asyncio.run(receive(settings, job["body"].encode(), json.loads(job["headers"]), job["acknowledged"], early))
    connections = load_connections(settings.base.connections, secrets_needed=False, tokens_needed=True)
    store = open_store(settings.base.store_url)
    champions = Champions(settings.base.home)
    champions.refresh()
    working = Worker(store, connections, champions, make_clock())
    working.once()
    deliverers = Deliverers(store, connections, read_truncated)
    deliverers.once(working.stopping)
    deliverers.close()
    store.close()
    Path(job["acknowledged"] + ".done").write_text("done")


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the system
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            os.environ |= json.loads(job["environment"])
            code = 1
            try:
                cycle(job)
                code = 0
            finally:
                os._exit(code)
        print(child, flush=True)


if __name__ == "__main__":
    main()
