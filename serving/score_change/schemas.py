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
    version: int | None
    scorer: Annotated[str, Meta(examples=["sha256:9c1f..."])]
    log_odds: Annotated[float, Meta(description="of the probability")]
    probability: Annotated[float, Meta(description="calibrated, 0 to 1", examples=[0.37])]
    score: Annotated[int, Meta(description="percentile of the version's reference population, 1 to 100", examples=[94])]
    band: Annotated[str, Meta(examples=["high"])]


Of = Literal["data", "time", "unsplit"]
_DATA = "of what was learnt since, or restated"
_TIME = "of what the rows known before give at the new moment"
_UNSPLIT = "of data and time together, where their split was not recorded"


class Parts(msgspec.Struct, omit_defaults=True):
    """On the log-odds; they sum to the difference of the two."""

    version: Annotated[float, Meta(description="of the new version on the new inputs; 0 for the same version")]
    data: Annotated[float | UnsetType, Meta(description=_DATA)] = UNSET
    time: Annotated[float | UnsetType, Meta(description=_TIME)] = UNSET
    unsplit: Annotated[float | UnsetType, Meta(description=_UNSPLIT)] = UNSET


class ScoreParts(msgspec.Struct, omit_defaults=True):
    """In percentiles; they sum to the difference of the two."""

    version: Annotated[int, Meta(description="of the new version, by the old one's reference population")]
    thresholds: Annotated[int, Meta(description="of the new version's reference population and bands")]
    data: Annotated[int | UnsetType, Meta(description=_DATA)] = UNSET
    time: Annotated[int | UnsetType, Meta(description=_TIME)] = UNSET
    unsplit: Annotated[int | UnsetType, Meta(description=_UNSPLIT)] = UNSET


class BandStep(msgspec.Struct):
    """The band after a step."""

    after: Literal["start", "data", "time", "unsplit", "version", "thresholds"]
    band: Annotated[str, Meta(examples=["medium"])]


class MovedSignal(msgspec.Struct):
    """One signal's share of a part; one that did not move can have one, because it weighs otherwise beside the others."""

    signal: Annotated[str, Meta(examples=["active_users_28d"])]
    theme: Annotated[str, Meta(examples=["usage"])]
    part: Of
    before: Annotated[Value, Meta(description="of data: what time alone would have made of it")]
    after: Annotated[Value, Meta(description="of time: what time alone makes of it")]
    effect: Annotated[float, Meta(description="on the log-odds; those of a part sum to it")]
    text: Annotated[str, Meta(description="about the value of the newer score; can be read out by a salesperson")]


class ChangeAnswer(msgspec.Struct):
    """The difference of two scores, split without a remainder."""

    model: Annotated[str, Meta(examples=["churn-risk"])]
    entity: Annotated[str, Meta(examples=["account"])]
    entity_id: Annotated[str, Meta(examples=["acme"])]
    before: ScorePoint
    after: ScorePoint
    split: Annotated[
        Literal["recorded", "not_recorded"],
        Meta(
            description="whether it is on record what the rows known before give now, so that data and time are told apart"
        ),
    ]
    log_odds: Annotated[float, Meta(description="after minus before")]
    parts: Parts
    score: Annotated[int, Meta(description="percentile after minus before")]
    score_parts: ScoreParts
    bands: Annotated[list[BandStep], Meta(description="from the old band to the new one, step by step")]
    signals: list[MovedSignal]
    not_read: Annotated[
        list[str],
        Meta(description="signals that the new version does not read; the old one was asked with their old values"),
    ]
