"""Request and answer bodies about overrides."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from features.kit.clock import from_us, iso
from models.catalog import MODELS
from serving.overrides.repository import Override

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
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=100,
                pattern=TEXT,
                description="who says so, taken only while nobody must sign in (loopback, no key was made)",
                examples=["j.doe"],
            ),
        ]
        | None,
        Meta(
            description="who says so, taken only while nobody must sign in (loopback, no key was made); else the author is "
            "who signed in, and another name that is sent is not taken: leave it out",
            examples=["j.doe"],
        ),
    ] = None
    until: Annotated[
        Annotated[
            str,
            Meta(
                max_length=40,
                description="UTC date or time, ISO 8601, after which it no longer holds; null: until it is withdrawn",
                examples=["2026-12-31"],
                extra_json_schema={"anyOf": [{"format": "date"}, {"format": "date-time"}]},
            ),
        ]
        | None,
        Meta(
            description="UTC date or time, ISO 8601, after which it no longer holds; null: until it is withdrawn",
            examples=["2026-12-31"],
        ),
    ] = None


class OverrideShown(msgspec.Struct):
    """What a person put beside the machine's score. Reasons and themes are the machine's and never speak of it."""

    band: Annotated[str, Meta(description="the band that the person gives", examples=["low"])]
    reason: Annotated[str, Meta(description="in the person's words", examples=["The renewal is signed."])]
    author: Annotated[
        str, Meta(description="who says so: the person who signed in, or the holder of the key", examples=["j.doe"])
    ]
    set_at: Annotated[str, Meta(description="when it was put, UTC", examples=["2026-11-23T06:00:00Z"])]
    until: Annotated[str | None, Meta(description="null: until it is withdrawn", examples=["2026-12-31T00:00:00Z"])]


class OverrideAnswer(msgspec.Struct):
    """The override that holds."""

    model: Annotated[str, Meta(description="a model's name, such as churn-risk", examples=["churn-risk"])]
    entity: Annotated[str, Meta(description="account or lead", examples=["account"])]
    entity_id: Annotated[
        str,
        Meta(description="the account or lead, as in the source", examples=["acme"]),
    ]
    override: Annotated[
        OverrideShown,
        Meta(
            description="what a person put beside the machine's score; reasons and themes never speak of it",
            examples=[
                {
                    "band": "low",
                    "reason": "The renewal is signed.",
                    "author": "j.doe",
                    "set_at": "2026-11-23T06:00:00Z",
                    "until": None,
                }
            ],
        ),
    ]

    warnings: Annotated[
        list[str],
        Meta(
            description="what was sent and not taken",
            examples=[["author: who signed in is the author, and the name that was sent was not taken: leave it out"]],
        ),
    ] = []


def shown_override(override: Override) -> OverrideShown:
    until = None if override.until is None else iso(from_us(override.until))
    return OverrideShown(override.band, override.reason, override.author, iso(from_us(override.set_at)), until)
