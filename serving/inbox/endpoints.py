"""`POST /webhooks/{connection}`: verifies the raw bytes, stores the events, answers. The worker scores them later."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from starlette.types import Scope

from features.kit.clock import to_us
from serving.connections.config import ConnectionConfig
from serving.errors import StoreAway
from serving.http import read_body
from serving.inbox import repository as inbox
from serving.inbox.sealed import Seal
from serving.problems import Problem, documented, store_away
from serving.state import AppState, state_of
from serving.vendors.inbound import Delivery

router = APIRouter(tags=["webhooks"])
RETRY_AFTER_SECONDS = 60
"""For a connection that is off: a person has to mend it."""
SMALL_BODY_BYTES = 64 * 1024
"""A larger body is parsed in a thread: 100 records of Salesforce take 20 ms and more, and would hold up other requests."""
ConnectionName = Annotated[
    str, Path(max_length=63, description="the connection's name, that of its TOML file", examples=["crm"])
]


@router.post(
    "/webhooks/{connection}",
    status_code=204,
    summary="Deliver events of a CRM",
    responses={
        200: {
            "description": "as 204, to Salesforce: its `Ack`",
            "content": {"text/xml": {"schema": {"type": "string"}}},
        },
        **documented(400, 401, 404, 413, 422, 503),
    },
    response_class=Response,
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "the vendor's own format, signed by the vendor",
            "content": {"application/json": {"schema": {}}, "text/xml": {"schema": {}}},
        }
    },
)
async def receive_webhook(connection: ConnectionName, request: Request) -> Response:
    """Stores the authentic events that the connection uses, and answers 204 when they are durable (200 with its `Ack`
    for Salesforce).

    A repeated event is stored once. A signature or key that is wrong, missing, malformed or older than five minutes, or
    an organisation that is not listed, is answered 401 and nothing is stored.
    """
    state = state_of(request)
    config = state.connections.get(connection)
    if connection in state.off:
        # 503 and not 404 or 401, so that the vendor keeps the events and sends them again.
        raise Problem(
            503,
            "connection_off",
            "the connection is off: its settings have a fault, which the log and python -m serving connections name; nothing was taken",
            {},
            RETRY_AFTER_SECONDS,
        )
    if config is None:
        # Without the list of names, which is nobody's business here.
        raise Problem(404, "no_such_connection", "no such connection: its name is that of its TOML file")
    vendor = config.inbound
    body = await read_body(request.scope, request.receive, vendor.largest_body)
    delivery = _delivery(request.scope, config, body)
    if not vendor.verify(delivery, config.secrets, time.time_ns() // 1_000_000, config.older_signatures):
        raise _refused(
            state, config, "the signature or key is missing, malformed, not ours, or signed more than 5 minutes off"
        )
    try:
        small = len(body) <= SMALL_BODY_BYTES
        events = vendor.parse(delivery) if small else await asyncio.to_thread(vendor.parse, delivery)
    except ValueError as error:
        raise Problem(400, "no_events", f"authentic, but no list of events: {error}") from None
    if not all(inbox.may_send(config, event) for event in events if event is not None):
        raise _refused(state, config, "the organisation is none of those in the connection")
    wanted = [event for event in events if event is not None and inbox.is_wanted(config, event)]
    new = await _store(state, inbox.events_of(config, wanted, to_us(state.clock()), state.part(Seal)))
    counted = state.metrics.webhook_events
    counted.labels(config.name, "stored").inc(new)
    counted.labels(config.name, "repeated").inc(len(wanted) - new)
    counted.labels(config.name, "unwanted").inc(len(events) - len(wanted))
    answer = vendor.answer
    return Response(answer.body or None, answer.status, media_type=answer.media_type)


def _refused(state: AppState, config: ConnectionConfig, why: str) -> Problem:
    state.metrics.webhook_events.labels(config.name, "refused").inc()
    return Problem(401, "bad_signature", why, challenge=config.inbound.challenge)


async def _store(state: AppState, events: list[dict[str, Any]]) -> int:
    if not events:
        return 0
    try:
        return await state.writer.written(lambda connection: inbox.put(connection, events))
    except StoreAway:
        raise store_away() from None  # 503, so that the vendor keeps the events and sends them again


def _delivery(scope: Scope, config: ConnectionConfig, body: bytes) -> Delivery:
    names = [name for name, _ in scope["headers"]]
    headers = {
        name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if names.count(name) == 1
    }
    # Built from the configured address: Host and X-Forwarded-* are written by the client.
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    query = scope["query_string"].decode("latin-1")
    uri = config.public_url + path + (f"?{query}" if query else "")
    return Delivery(scope["method"], uri, headers, body)
