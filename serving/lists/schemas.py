"""Rows of lists and pages of single entities, as answers."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from serving.decisions.schemas import RecordedScore
from serving.eligibility import NoScore
from serving.overrides.schemas import OverrideShown

_SEGMENTS = Meta(
    description="segment columns with their values; those that are not known are left out",
    examples=[{"industry": "software", "region": "emea"}],
)
_OVERRIDE = {
    "band": "low",
    "reason": "The renewal is signed.",
    "author": "j.doe",
    "set_at": "2026-11-23T06:00:00Z",
    "until": None,
}
_SCORE = {
    "id": 4711,
    "model": "churn-risk",
    "version": 7,
    "scorer": "sha256:9c1f...",
    "as_of": "2026-11-23T06:00:00Z",
    "recorded_at": "2026-11-23T06:00:01Z",
    "cause": "batch",
    "probability": 0.37,
    "score": 94,
    "band": "high",
    "value": 48000.0,
    "reasons": [],
}
_ID = Meta(description="the account or lead, as in the source", examples=["acme"])
_AS_OF = Meta(description="the moment it is for, UTC", examples=["2026-11-23T06:00:00Z"])


class FirstReason(msgspec.Struct):
    """The strongest reason of a score."""

    signal: Annotated[str, Meta(description="name of the signal", examples=["active_users_change_28d"])]
    theme: Annotated[str, Meta(description="family of the signal", examples=["usage"])]
    text: Annotated[
        str,
        Meta(
            description="the reason as a sentence",
            examples=["12 users were active in the last 28 days, 21 in the 28 days before."],
        ),
    ]


class ListRow(msgspec.Struct):
    """The newest score of one entity, and who it is. What is not known is null."""

    entity_id: Annotated[str, _ID]
    name: Annotated[str | None, Meta(description="of the company", examples=["Acme Robotics"])]
    domain: Annotated[str | None, Meta(description="of the company", examples=["acme.com"])]
    owner: Annotated[str | None, Meta(description="who looks after it", examples=["j.doe"])]
    parent_id: Annotated[str | None, Meta(description="account that it belongs to", examples=["acme-group"])]
    target_tier: Annotated[str | None, Meta(description="tier on the list of target accounts", examples=["1"])]
    segments: Annotated[dict[str, str], _SEGMENTS]
    arr: Annotated[
        float | None, Meta(description="yearly recurring revenue, currency units; of accounts", examples=[48000.0])
    ]
    renewal_at: Annotated[
        str | None, Meta(description="when the contract is up for renewal, UTC", examples=["2027-01-31T00:00:00Z"])
    ]
    plan: Annotated[str | None, Meta(description="of the paid contract", examples=["enterprise"])]
    as_of: Annotated[str, _AS_OF]
    version: Annotated[
        int | None,
        Meta(description="the model's version in the registry; null when it was put live without one", examples=[7]),
    ]
    probability: Annotated[float | None, Meta(description="calibrated, 0 to 1", examples=[0.37])]
    score: Annotated[int | None, Meta(description="percentile of the reference population, 1 to 100", examples=[94])]
    band: Annotated[str | None, Meta(description="name of the range of scores, see GET /v1/{model}", examples=["high"])]
    change: Annotated[
        int | None,
        Meta(
            description="score minus that of the nightly run before, in points; null when there was none", examples=[12]
        ),
    ]
    value: Annotated[float | None, Meta(description="yearly revenue or deal size, currency units", examples=[48000.0])]
    value_at_risk: Annotated[
        float | None,
        Meta(
            description="probability x value, currency units: of a lead, what it is worth on average",
            examples=[17760.0],
        ),
    ]
    no_score: Annotated[
        NoScore | None,
        Meta(
            description="why there is no score; null when there is one",
            examples=[
                {
                    "code": "already_leaving",
                    "detail": "The account gave notice of leaving before this moment: the outcome is known.",
                }
            ],
        ),
    ]
    reason: Annotated[
        FirstReason | None,
        Meta(
            description="the strongest reason; null without a score",
            examples=[
                {
                    "signal": "days_to_renewal",
                    "theme": "commercial",
                    "text": "The contract is up for renewal in 41 days.",
                }
            ],
        ),
    ]
    acted_at: Annotated[
        str | None,
        Meta(
            description="when somebody last acted, as the source or a note says, UTC; null when nobody did",
            examples=["2026-11-20T09:00:00Z"],
        ),
    ]
    override: Annotated[
        OverrideShown | None,
        Meta(
            description="what a person put beside the score; null when nobody did",
            examples=[_OVERRIDE],
        ),
    ]


class ListAnswer(msgspec.Struct):
    """One page of a list."""

    model: Annotated[str, Meta(description="a model's name, such as churn-risk", examples=["churn-risk"])]
    entity: Annotated[str, Meta(description="account or lead", examples=["account"])]
    sort: Annotated[str, Meta(description="the sorted column", examples=["value_at_risk"])]
    order: Annotated[str, Meta(description="asc or desc; rows without a value come last either way", examples=["desc"])]
    rows: Annotated[list[ListRow], Meta(description="in this order; empty when nothing is found")]
    next_cursor: Annotated[
        str | None, Meta(description="gives the next page, as cursor=; null on the last one", examples=["mI7tq3lX..."])
    ]


class NoteShown(msgspec.Struct):
    """An outcome or an action that somebody told."""

    id: Annotated[str, Meta(description="to withdraw it", examples=["0b2f6c1d9a8e4f7733c5a1e2d4b6f809"])]
    kind: Annotated[str, Meta(description="outcome or action", examples=["action"])]
    what: Annotated[str, Meta(description="won, lost or churned; or the kind of action", examples=["call"])]
    when: Annotated[str, Meta(description="when it happened, UTC", examples=["2026-11-20T09:00:00Z"])]
    told_at: Annotated[str, Meta(description="when it was told, UTC", examples=["2026-11-20T10:00:00Z"])]
    source: Annotated[str, Meta(description="who or what told it", examples=["customer success"])]
    note: Annotated[str | None, Meta(description="free text; null without", examples=["They will renew."])]


class ModelView(msgspec.Struct):
    """What one model says of an entity."""

    model: Annotated[str, Meta(description="a model's name, such as churn-risk", examples=["churn-risk"])]
    title: Annotated[str, Meta(description="in words", examples=["Churn risk"])]
    change: Annotated[
        int | None,
        Meta(
            description="score minus that of the nightly run before, in points; null when there was none", examples=[12]
        ),
    ]
    score: Annotated[
        RecordedScore | None, Meta(description="the newest decision record; null when there is none", examples=[_SCORE])
    ]
    override: Annotated[
        OverrideShown | None,
        Meta(description="what a person put beside the score; null when nobody did", examples=[_OVERRIDE]),
    ]


class Relative(msgspec.Struct):
    """An account that belongs to the same company."""

    entity_id: Annotated[str, _ID]
    name: Annotated[str | None, Meta(description="of the company; null when it is not known", examples=["Acme Group"])]


class LeadOfAccount(msgspec.Struct):
    """A lead of an account, with its newest score."""

    entity_id: Annotated[str, Meta(description="the lead, as in the source", examples=["lead_7"])]
    name: Annotated[str | None, Meta(description="of the company; null when it is not known", examples=["Acme"])]
    model: Annotated[
        str | None, Meta(description="the model that scored it; null without a score", examples=["lead-fit"])
    ]
    score: Annotated[int | None, Meta(description="percentile of the reference population, 1 to 100", examples=[94])]
    band: Annotated[str | None, Meta(description="name of the range of scores, see GET /v1/{model}", examples=["high"])]


class EntityAnswer(msgspec.Struct):
    """All about one account or lead. What is not known is null."""

    entity: Annotated[str, Meta(description="account or lead", examples=["account"])]
    entity_id: Annotated[str, _ID]
    name: Annotated[str | None, Meta(description="of the company", examples=["Acme Robotics"])]
    domain: Annotated[str | None, Meta(description="of the company", examples=["acme.com"])]
    owner: Annotated[str | None, Meta(description="who looks after it", examples=["j.doe"])]
    target_tier: Annotated[str | None, Meta(description="tier on the list of target accounts", examples=["1"])]
    segments: Annotated[dict[str, str], _SEGMENTS]
    arr: Annotated[float | None, Meta(description="yearly recurring revenue, currency units", examples=[48000.0])]
    renewal_at: Annotated[
        str | None, Meta(description="when the contract is up for renewal, UTC", examples=["2027-01-31T00:00:00Z"])
    ]
    plan: Annotated[str | None, Meta(description="of the paid contract", examples=["enterprise"])]
    profile_as_of: Annotated[
        str | None, Meta(description="the moment the profile is for, UTC", examples=["2026-11-23T06:00:00Z"])
    ]
    acted_at: Annotated[
        str | None,
        Meta(
            description="when somebody last acted, as the source or a note says, UTC; null when nobody did",
            examples=["2026-11-20T09:00:00Z"],
        ),
    ]
    models: Annotated[list[ModelView], Meta(description="each model of such entities")]
    notes: Annotated[list[NoteShown], Meta(description="outcomes and actions told of it, newest first, 100 at most")]
    parent: Annotated[
        Relative | None,
        Meta(
            description="account that it belongs to; null when it is not known",
            examples=[{"entity_id": "acme-group", "name": "Acme Group"}],
        ),
    ]
    children: Annotated[list[Relative], Meta(description="accounts that belong to it, by id, 100 at most")]
    leads: Annotated[
        list[LeadOfAccount],
        Meta(description="leads whose source says that they are of this account, by id, 100 at most"),
    ]
