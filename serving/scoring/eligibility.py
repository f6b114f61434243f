"""Why there is honestly no score, in words, by the code that the panel's `eligibility` has."""

from __future__ import annotations

ELIGIBLE = "eligible"
"""What `eligibility` says of those that are scored (`features.panel.build`, which the API does not import)."""

OPTED_OUT, ERASED, STALE, TOO_LITTLE_HISTORY = "opted_out", "erased", "stale", "too_little_history"

DETAILS = {
    "not_customer": "The account has no active paid subscription, so there is none that could end.",
    "already_leaving": "The account gave notice of leaving before this moment: the outcome is known.",
    "internal": "The account is internal, a test or a competitor.",
    OPTED_OUT: "The person or company objected to scoring.",
    ERASED: "What was stored of it was erased on request, and it is not scored again.",
    "closed": "The lead is converted or disqualified: the outcome is known.",
    "already_customer": "The lead's company has a won deal or a paid contract already: there is nothing left to win.",
    TOO_LITTLE_HISTORY: "None of the signals that the model reads has a value: too little is known of it yet.",
    STALE: "Its signals are so old that what the score would speak of is over: run python -m serving batch.",
}


def detail(code: str) -> str:
    return DETAILS.get(code, "It is not among those that this model is for.")
