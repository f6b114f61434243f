"""Why a score moved, as an answer."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from models.scorer.reason_texts import Value

Moment = Annotated[str, Meta(description="UTC", examples=["2026-11-23T06:00:00Z"])]


class ScorePoint(msgspec.Struct):
    """One end."""

    id: Annotated[int, Meta(description="of the decision record", examples=[4711])]
    as_of: Moment
    version: Annotated[
        int | None,
        Meta(description="the model's version in the registry; null when it was put live without one", examples=[7]),
    ]
    scorer: Annotated[str, Meta(description="sha256 of the scorer", examples=["sha256:9c1f..."])]
    log_odds: Annotated[float, Meta(description="of the probability", examples=[-0.53])]
    probability: Annotated[float, Meta(description="calibrated, 0 to 1", examples=[0.37])]
    score: Annotated[int, Meta(description="percentile of the version's reference population, 1 to 100", examples=[94])]
    band: Annotated[str, Meta(description="name of the range of scores, see GET /v1/{model}", examples=["high"])]


Of = Literal["data", "time", "unsplit"]
_DATA = "of what was learnt since, or restated"
_TIME = "of what the rows known before give at the new moment"
_UNSPLIT = "of data and time together, where their split was not recorded"


class Parts(msgspec.Struct, omit_defaults=True):
    """On the log-odds; they sum to the difference of the two."""

    version: Annotated[
        float, Meta(description="of the new version on the new inputs; 0 for the same version", examples=[0.0])
    ]
    data: Annotated[float | UnsetType, Meta(description=_DATA, examples=[0.61])] = UNSET
    time: Annotated[float | UnsetType, Meta(description=_TIME, examples=[0.12])] = UNSET
    unsplit: Annotated[float | UnsetType, Meta(description=_UNSPLIT, examples=[0.73])] = UNSET


class ScoreParts(msgspec.Struct, omit_defaults=True):
    """In percentiles; they sum to the difference of the two."""

    version: Annotated[int, Meta(description="of the new version, by the old one's reference population", examples=[0])]
    thresholds: Annotated[int, Meta(description="of the new version's reference population and bands", examples=[0])]
    data: Annotated[int | UnsetType, Meta(description=_DATA, examples=[9])] = UNSET
    time: Annotated[int | UnsetType, Meta(description=_TIME, examples=[2])] = UNSET
    unsplit: Annotated[int | UnsetType, Meta(description=_UNSPLIT, examples=[11])] = UNSET


class BandStep(msgspec.Struct):
    """The band after a step."""

    after: Annotated[
        Literal["start", "data", "time", "unsplit", "version", "thresholds"],
        Meta(description="the step", examples=["data"]),
    ]
    band: Annotated[str, Meta(description="name of the range of scores, see GET /v1/{model}", examples=["medium"])]


class MovedSignal(msgspec.Struct):
    """One signal's share of a part; one that did not move can have one, because it weighs otherwise beside the others."""

    signal: Annotated[str, Meta(description="name of the signal, see GET /v1/{model}", examples=["active_users_28d"])]
    theme: Annotated[str, Meta(description="family of the signal", examples=["usage"])]
    part: Annotated[
        Of, Meta(description="what moved it: what was learnt since, or the passing of time", examples=["data"])
    ]
    before: Annotated[Value, Meta(description="of data: what time alone would have made of it", examples=[21])]
    after: Annotated[Value, Meta(description="of time: what time alone makes of it", examples=[12])]
    effect: Annotated[float, Meta(description="on the log-odds; those of a part sum to it", examples=[0.81])]
    text: Annotated[
        str,
        Meta(
            description="about the value of the newer score; can be read out by a salesperson",
            examples=["12 users were active in the last 28 days, 21 in the 28 days before."],
        ),
    ]


class ChangeAnswer(msgspec.Struct):
    """The difference of two scores, split without a remainder."""

    model: Annotated[str, Meta(description="a model's name, such as churn-risk", examples=["churn-risk"])]
    entity: Annotated[str, Meta(description="account or lead", examples=["account"])]
    entity_id: Annotated[
        str,
        Meta(description="the account or lead, as in the source", examples=["acme"]),
    ]
    before: Annotated[ScorePoint, Meta(description="the earlier score")]
    after: Annotated[ScorePoint, Meta(description="the later score")]
    split: Annotated[
        Literal["recorded", "not_recorded"],
        Meta(
            description="whether it is on record what the rows known before give now, so that data and time are told apart"
        ),
    ]
    log_odds: Annotated[float, Meta(description="after minus before", examples=[0.73])]
    parts: Annotated[
        Parts,
        Meta(
            description="the difference on the log-odds, split", examples=[{"data": 0.61, "time": 0.12, "version": 0.0}]
        ),
    ]
    score: Annotated[int, Meta(description="percentile after minus before", examples=[11])]
    score_parts: Annotated[
        ScoreParts,
        Meta(
            description="the difference in percentiles, split",
            examples=[{"data": 9, "time": 2, "version": 0, "thresholds": 0}],
        ),
    ]
    bands: Annotated[
        list[BandStep],
        Meta(
            description="from the old band to the new one, step by step",
            examples=[[{"after": "start", "band": "medium"}, {"after": "data", "band": "high"}]],
        ),
    ]
    signals: Annotated[list[MovedSignal], Meta(description="each signal's share of a part, the strongest first")]
    not_read: Annotated[
        list[str],
        Meta(
            description="signals that the new version does not read; the old one was asked with their old values",
            examples=[["satisfaction_84d"]],
        ),
    ]
