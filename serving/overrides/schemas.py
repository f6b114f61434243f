"""What a person says when they put their judgement beside a score."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from serving.scoring.schemas import OverrideShown


class OverrideRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The band that a person gives, and why."""

    model: Annotated[
        str, Meta(max_length=60, description="the model whose score it stands beside", examples=["churn-risk"])
    ]
    band: Annotated[
        str, Meta(max_length=60, description="one of the model's bands, see GET /v1/{model}", examples=["low"])
    ]
    reason: Annotated[
        str, Meta(min_length=3, max_length=1000, description="why, for colleagues", examples=["The renewal is signed."])
    ]
    author: Annotated[str, Meta(min_length=1, max_length=100, description="who says so", examples=["j.doe"])]
    until: (
        Annotated[
            str,
            Meta(
                max_length=40,
                description="UTC date or time, ISO 8601, after which it no longer holds; null: until it is withdrawn",
                examples=["2026-12-31"],
            ),
        ]
        | None
    ) = None


class OverrideAnswer(msgspec.Struct):
    """The override that holds, null when none does."""

    model: Annotated[str, Meta(examples=["churn-risk"])]
    entity: Annotated[str, Meta(examples=["account"])]
    entity_id: Annotated[str, Meta(examples=["acme"])]
    override: OverrideShown | None
