"""Recorded scores, as an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from features.kit.clock import from_us, iso
from models.scorer.reason_texts import Reason
from serving.decisions.repository import reasons_of
from serving.eligibility import NoScore, detail
from serving.overrides.schemas import OverrideShown


class RecordedScore(msgspec.Struct):
    """One decision record. `no_score` stands in the place of the numbers."""

    id: Annotated[int, Meta(description="for python -m serving replay ID", examples=[4711])]
    model: Annotated[str, Meta(description="a model's name, such as churn-risk", examples=["churn-risk"])]
    version: Annotated[
        int | None,
        Meta(description="the model's version in the registry; null when it was put live without one", examples=[7]),
    ]
    scorer: Annotated[str, Meta(description="sha256 of the scorer", examples=["sha256:9c1f..."])]
    as_of: Annotated[str, Meta(description="the moment the score is for, UTC", examples=["2026-11-23T06:00:00Z"])]
    recorded_at: Annotated[str, Meta(description="UTC", examples=["2026-11-23T06:00:01Z"])]
    cause: Annotated[
        str,
        Meta(
            description="request, webhook, batch, backfill, or what_if: a request that laid signals over the stored ones",
            examples=["batch"],
        ),
    ]
    probability: Annotated[float, Meta(description="calibrated, 0 to 1", examples=[0.37])] | UnsetType = UNSET
    score: (
        Annotated[int, Meta(description="percentile of the reference population, 1 to 100", examples=[94])] | UnsetType
    ) = UNSET
    band: (
        Annotated[str, Meta(description="name of the range of scores, see GET /v1/{model}", examples=["high"])]
        | UnsetType
    ) = UNSET
    value: (
        Annotated[float | None, Meta(description="yearly revenue or deal size, currency units", examples=[48000.0])]
        | UnsetType
    ) = UNSET
    reasons: (
        Annotated[
            list[Reason],
            Meta(
                description="what moved the score most, strongest first, up and down; signals that say the same are one reason",
                examples=[
                    [
                        {
                            "signal": "active_users_change_28d",
                            "theme": "usage",
                            "value": -0.42,
                            "direction": "up",
                            "effect": 0.81,
                            "share": 0.31,
                            "text": "12 users were active in the last 28 days, 21 in the 28 days before.",
                            "members": {"active_users_change_28d": 0.62, "events_change_28d": 0.19},
                        }
                    ]
                ],
            ),
        ]
        | UnsetType
    ) = UNSET
    no_score: (
        Annotated[
            NoScore,
            Meta(
                description="why there is honestly no score, in the place of the numbers",
                examples=[
                    {
                        "code": "already_leaving",
                        "detail": "The account gave notice of leaving before this moment: the outcome is known.",
                    }
                ],
            ),
        ]
        | UnsetType
    ) = UNSET


class ScoresAnswer(msgspec.Struct):
    """Newest first."""

    entity: Annotated[str, Meta(description="account or lead", examples=["account"])]
    entity_id: Annotated[
        str,
        Meta(description="the account or lead, as in the source", examples=["acme"]),
    ]
    scores: Annotated[list[RecordedScore], Meta(description="decision records, the newest as_of first")]
    overrides: Annotated[
        dict[str, OverrideShown],
        Meta(
            description="what people put beside the present score, by model",
            examples=[
                {
                    "churn-risk": {
                        "band": "low",
                        "reason": "The renewal is signed.",
                        "author": "j.doe",
                        "set_at": "2026-11-23T06:00:00Z",
                        "until": None,
                    }
                }
            ],
        ),
    ]


def shown_record(row: Mapping[str, Any]) -> RecordedScore:
    """A row of `decisions`."""
    shown = RecordedScore(
        row["id"],
        row["model"],
        row["version"],
        f"sha256:{row['scorer']}",
        iso(from_us(row["as_of"])),
        iso(from_us(row["recorded_at"])),
        row["cause"],
    )
    if row["no_score"] is not None:
        shown.no_score = NoScore(row["no_score"], detail(row["no_score"]))
        return shown
    shown.probability, shown.score, shown.band, shown.value = (
        row["probability"],
        row["score"],
        row["band"],
        row["value"],
    )
    shown.reasons = reasons_of(row)
    return shown
