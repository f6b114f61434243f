"""Errors as problem+json (RFC 9457): the status of each kind, and the one renderer."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

from serving.errors import Conflict, Declined, Invalid, Malformed, NotFound, NotLive, StoreAway
from serving.log import place_of

log = logging.getLogger("serving")
MEDIA_TYPE = "application/problem+json"


@dataclass
class Problem(Exception):
    """Raised when a request gets an error answer. `detail` says what is wrong and the next step, and repeats no
    secret.
    """

    status: int
    code: str
    """Stable, in words with underscores: what a program switches on."""
    detail: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    retry_after_seconds: int | None = None
    challenge: str | None = None
    """`WWW-Authenticate` header of a 401."""

    def body(self) -> bytes:
        return msgspec.json.encode(
            {
                "type": f"urn:accountscore:problem:{self.code}",
                "title": HTTPStatus(self.status).phrase,
                "status": self.status,
                "detail": self.detail,
                "code": self.code,
                **self.extra,
            }
        )

    def headers(self) -> dict[str, str]:
        headers = {"cache-control": "no-store"}
        if self.retry_after_seconds is not None:
            headers["retry-after"] = str(self.retry_after_seconds)
        if self.challenge is not None:
            headers["www-authenticate"] = self.challenge
        return headers


STATUS: dict[type[Declined], int] = {NotFound: 404, Malformed: 400, Invalid: 422, Conflict: 409, NotLive: 503}
RETRY_AFTER_SECONDS = 5


def problem_of(error: Declined) -> Problem:
    """Maps a domain error to its HTTP answer."""
    retry = RETRY_AFTER_SECONDS if error.retryable else None
    return Problem(STATUS[type(error)], error.code, str(error), error.more, retry)


def store_away() -> Problem:
    return Problem(
        503, "store_away", "the store does not answer; nothing was changed: try again", {}, RETRY_AFTER_SECONDS
    )


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Turns `StoreAway` into a 503."""
    try:
        yield
    except StoreAway:
        raise store_away() from None


def fault(error: Exception) -> Problem:
    """A 500 for an unexpected error; the log gets its type and place."""
    log.error("request.failed %s", place_of(error))
    return Problem(500, "fault", "something of ours failed; it is in the log")


def render(problem: Problem) -> Response:
    return Response(problem.body(), problem.status, headers=problem.headers(), media_type=MEDIA_TYPE)


SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "type": "object",
    "description": "Why there is no answer (RFC 9457). It repeats nothing of what was sent but names of keys.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {
            "type": "string",
            "description": "names the kind of problem",
            "examples": ["urn:accountscore:problem:no_such_model"],
        },
        "title": {"type": "string", "description": "the status in words", "examples": ["Not Found"]},
        "status": {"type": "integer", "description": "the HTTP status", "examples": [404]},
        "detail": {
            "type": "string",
            "description": "what is wrong and the next step",
            "examples": ["no such model: one of churn-risk, lead-fit"],
        },
        "code": {"type": "string", "description": "stable name for programs", "examples": ["no_such_model"]},
        "faults": {
            "type": "array",
            "description": "each thing that is wrong with what was sent, where one can say so",
            "items": {"$ref": "#/components/schemas/FaultJson"},
            "examples": [
                [
                    {
                        "where": "record 0, signal mrr",
                        "found": "a text",
                        "rule": "a number (money) or null",
                        "next_step": "send it without quotes",
                    }
                ]
            ],
        },
        "choices": {
            "type": "array",
            "description": "what there is in the place of what was asked for",
            "items": {"type": "string"},
            "examples": [["churn-risk", "lead-fit"]],
        },
        "models": {
            "type": "object",
            "description": "how each model stands, where none serves",
            "examples": [{"churn-risk": {"serves": False, "refused": "..."}}],
        },
    },
}
REF = {"$ref": "#/components/schemas/Problem"}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a FastAPI route for these error statuses."""
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": REF}}}
        for status in statuses
    }
