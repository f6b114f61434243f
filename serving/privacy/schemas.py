"""Answers about objections and erasure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class ObjectionAnswer(msgspec.Struct):
    """It objected to scoring: its answers have no score, with the code opted_out."""

    entity: Annotated[str, Meta(description="account or lead", examples=["account"])]
    entity_id: Annotated[
        str,
        Meta(description="the account or lead, as in the source", examples=["acme"]),
    ]
    since: Annotated[str, Meta(description="UTC", examples=["2026-11-23T06:00:00Z"])]


class ErasureAnswer(msgspec.Struct):
    """What was deleted."""

    kind: Annotated[str, Meta(description="account, lead or contact", examples=["contact"])]
    found: Annotated[
        bool,
        Meta(
            description="whether anything was stored of it; the mark that keeps it out is set in any case",
            examples=[True],
        ),
    ]
    deleted: Annotated[dict[str, int], Meta(description="records by kind", examples=[{"decisions": 12, "signals": 1}])]
    left: Annotated[
        list[str],
        Meta(description="what could not be done at once, with the next step; empty when all is done", examples=[[]]),
    ]
