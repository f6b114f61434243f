"""Recorded scores, as an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from models.scorer.reason_texts import Reason
from serving.clock import from_us, iso
from serving.decisions.repository import reasons_of
from serving.scoring.eligibility import detail
from serving.scoring.schemas import NoScore, OverrideShown


class RecordedScore(msgspec.Struct):
    """One decision record. `no_score` stands in the place of the numbers."""

    id: Annotated[int, Meta(description="for python -m serving replay ID", examples=[4711])]
    model: Annotated[str, Meta(examples=["churn-risk"])]
    version: int | None
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
    probability: Annotated[float, Meta(description="calibrated, 0 to 1")] | UnsetType = UNSET
    score: Annotated[int, Meta(description="percentile of the reference population, 1 to 100")] | UnsetType = UNSET
    band: Annotated[str, Meta(examples=["high"])] | UnsetType = UNSET
    value: Annotated[float | None, Meta(description="yearly revenue or deal size, currency units")] | UnsetType = UNSET
    reasons: list[Reason] | UnsetType = UNSET
    no_score: NoScore | UnsetType = UNSET


class ScoresAnswer(msgspec.Struct):
    """Newest first."""

    entity: Annotated[str, Meta(examples=["account"])]
    entity_id: Annotated[str, Meta(examples=["acme"])]
    scores: list[RecordedScore]
    overrides: Annotated[
        dict[str, OverrideShown], Meta(description="what people put beside the present score, by model")
    ]


def shown_record(row: Mapping[str, Any]) -> RecordedScore:
    """A row of `decisions`."""
    shown = RecordedScore(
        row["id"], row["model"], row["version"], f"sha256:{row['scorer']}", iso(from_us(row["as_of"])),
        iso(from_us(row["recorded_at"])), row["cause"],
    )  # fmt: skip
    if row["no_score"] is not None:
        shown.no_score = NoScore(row["no_score"], detail(row["no_score"]))
        return shown
    shown.probability, shown.score, shown.band, shown.value = (
        row["probability"], row["score"], row["band"], row["value"]
    )  # fmt: skip
    shown.reasons = reasons_of(row)
    return shown
