"""What a person says when they put their judgement beside a score."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from models.catalog import MODELS
from serving.scoring.schemas import OverrideShown

TEXT = r"^[^\x00]*$"
"""Postgres keeps no NUL in a text."""


class OverrideRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The band that a person gives, and why."""

    model: Annotated[
        str, Meta(max_length=60, description="the model whose score it stands beside", examples=["churn-risk"])
    ]
    band: Annotated[
        str,
        Meta(
            description="one of the model's bands, see GET /v1/{model}",
            examples=["low"],
            extra_json_schema={"enum": sorted({name for model in MODELS.values() for name, _ in model.bands})},
        ),
    ]
    reason: Annotated[
        str,
        Meta(
            min_length=3,
            max_length=1000,
            pattern=TEXT,
            description="why, for colleagues",
            examples=["The renewal is signed."],
        ),
    ]
    author: Annotated[
        str, Meta(min_length=1, max_length=100, pattern=TEXT, description="who says so", examples=["j.doe"])
    ]
    until: (
        Annotated[
            str,
            Meta(
                max_length=40,
                description="UTC date or time, ISO 8601, after which it no longer holds; null: until it is withdrawn",
                examples=["2026-12-31"],
                extra_json_schema={"anyOf": [{"format": "date"}, {"format": "date-time"}]},
            ),
        ]
        | None
    ) = None


class OverrideAnswer(msgspec.Struct):
    """The override that holds."""

    model: Annotated[str, Meta(examples=["churn-risk"])]
    entity: Annotated[str, Meta(examples=["account"])]
    entity_id: Annotated[str, Meta(examples=["acme"])]
    override: OverrideShown
