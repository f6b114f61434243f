"""Reasons for having no score, in words, by the code in the panel's `eligibility` column."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from features.outcomes.catalog import OUTCOMES
from features.outcomes.outcome import ELIGIBLE, Outcome
from models.population import OUTSIDE

__all__ = [
    "DETAILS",
    "ELIGIBLE",
    "ERASED",
    "OPTED_OUT",
    "OUTSIDE",
    "STALE",
    "TOO_LITTLE_HISTORY",
    "detail",
]

OPTED_OUT, ERASED, STALE, TOO_LITTLE_HISTORY = "opted_out", "erased", "stale", "too_little_history"

DETAILS = {
    **{each.code: each.detail for outcome in reversed(OUTCOMES.values()) for each in outcome.not_eligible},
    ERASED: "What was stored of it was erased on request, and it is not scored again.",
    OUTSIDE: "It is not of the population that the model is for: see GET /v1/{model}.",
    TOO_LITTLE_HISTORY: "None of the signals that the model reads has a value: too little is known of it yet.",
    STALE: "Its signals are so old that what the score would speak of is over: run python -m serving batch.",
}


def detail(code: str, outcome: Outcome | None = None) -> str:
    """The text of a code; the model's outcome may have its own wording."""
    own = {each.code: each.detail for each in outcome.not_eligible} if outcome else {}
    return own.get(code) or DETAILS.get(code, "It is not among those that this model is for.")


class NoScore(Struct):
    """Why a record has no score."""

    code: Annotated[
        str,
        Meta(
            description="stable name for programs",
            examples=["already_leaving"],
            extra_json_schema={"enum": sorted(DETAILS)},
        ),
    ]
    detail: Annotated[
        str,
        Meta(
            description="why, in words",
            examples=["The account gave notice of leaving before this moment: the outcome is known."],
        ),
    ]
