"""Answers about objections and erasure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class ObjectionAnswer(msgspec.Struct):
    """Whether it is scored."""

    entity: Annotated[str, Meta(examples=["account"])]
    entity_id: Annotated[str, Meta(examples=["acme"])]
    objects: Annotated[bool, Meta(description="true: it gets no score, with the code opted_out")]


class ErasureAnswer(msgspec.Struct):
    """What was deleted."""

    kind: Annotated[str, Meta(description="account, lead or contact", examples=["contact"])]
    deleted: Annotated[
        dict[str, int], Meta(description="rows by table of the store", examples=[{"decisions": 12, "signals": 1}])
    ]
