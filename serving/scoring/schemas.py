"""What a score request and its answer look like, as msgspec types: read and written without a copy in between."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from models.scorer.reason_texts import Reason, Value
from serving.scoring.eligibility import DETAILS

MAX_RECORDS = 1000
MAX_REASONS = 20
MAX_SIGNALS = 2000

EntityId = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[^\x00]*$", description="the account or lead, as in the source", examples=["acme"])]  # fmt: skip


class Record(Struct, forbid_unknown_fields=True):
    """One thing to score: by its id, by signals, or by its id with some signals laid over the stored ones."""

    entity_id: EntityId | UnsetType = UNSET
    signals: (
        Annotated[
            dict[str, Value],
            Meta(
                max_length=MAX_SIGNALS,
                description="signal name to number, text (a category), true or false, or null (missing); see GET /v1/{model}",
                examples=[{"active_users_28d": 12, "industry": "software"}],
            ),
        ]
        | UnsetType
    ) = UNSET
    value: (
        Annotated[
            float,
            Meta(
                ge=0,
                description="yearly revenue of the account or expected deal size of the lead, in currency units; "
                "taken from the store when it is not given",
                examples=[48000.0],
            ),
        ]
        | UnsetType
        | None
    ) = UNSET


class ScoreRequest(Struct, forbid_unknown_fields=True):
    """1 to 1,000 records, each of 262,144 bytes at most."""

    records: Annotated[
        list[Record], Meta(min_length=1, max_length=MAX_RECORDS, description="what to score, 1 to 1,000")
    ]
    reasons: (
        Annotated[int, Meta(ge=0, le=MAX_REASONS, description="reasons per record, strongest first", examples=[3])] | UnsetType
    ) = UNSET  # fmt: skip


class ValueAtRisk(Struct):
    """What an account's leaving would cost."""

    amount: Annotated[float, Meta(description="probability x arr")]
    currency: Annotated[str, Meta(description="ISO 4217", examples=["USD"])]
    arr: Annotated[float, Meta(description="yearly recurring revenue")]


class ExpectedValue(Struct):
    """What a lead is worth."""

    amount: Annotated[float, Meta(description="probability x deal")]
    currency: Annotated[str, Meta(description="ISO 4217", examples=["USD"])]
    deal: Annotated[float, Meta(description="expected size of the deal")]


class FitIntent(Struct):
    """The themes in two: who it is against what it does."""

    fit: Annotated[float, Meta(description="effects of the themes of fit (see GET /v1/{model}), on the log-odds")]
    intent: Annotated[float, Meta(description="effects of all other themes, on the log-odds")]


class OverrideShown(Struct):
    """What a person put beside the machine's score. Reasons and themes are the machine's and never speak of it."""

    band: Annotated[str, Meta(description="the band that the person gives", examples=["low"])]
    reason: Annotated[str, Meta(description="in the person's words", examples=["The renewal is signed."])]
    author: Annotated[str, Meta(examples=["j.doe"])]
    set_at: Annotated[str, Meta(examples=["2026-11-23T06:00:00Z"])]
    until: Annotated[str | None, Meta(description="null: until it is withdrawn", examples=["2026-12-31T00:00:00Z"])]


class NoScore(Struct):
    """Why there is honestly none."""

    code: Annotated[
        str,
        Meta(
            description="stable name for programs",
            examples=["already_leaving"],
            extra_json_schema={"enum": sorted(DETAILS)},
        ),
    ]
    detail: Annotated[str, Meta(description="why, in words")]


class Result(Struct, omit_defaults=False):
    """The answer for one record; `no_score` stands in the place of the numbers."""

    index: Annotated[int, Meta(description="position of the record in the request, from 0")]
    entity_id: str | None
    as_of: Annotated[str, Meta(description="the moment the score is for, UTC", examples=["2026-11-23T06:00:00Z"])]
    probability: Annotated[float, Meta(description="calibrated, 0 to 1")] | UnsetType = UNSET
    score: Annotated[int, Meta(description="percentile of the reference population, 1 to 100")] | UnsetType = UNSET
    band: Annotated[str, Meta(examples=["high"])] | UnsetType = UNSET
    base_rate: Annotated[float, Meta(description="share of the outcome in the reference population")] | UnsetType = (
        UNSET
    )
    value_at_risk: ValueAtRisk | UnsetType = UNSET
    expected_value: ExpectedValue | UnsetType = UNSET
    no_score: NoScore | UnsetType = UNSET
    reasons: list[Reason] | UnsetType = UNSET
    themes: Annotated[dict[str, float], Meta(description="effects summed by theme")] | UnsetType = UNSET
    fit_intent: FitIntent | UnsetType = UNSET
    base: (
        Annotated[float, Meta(description="what the effects start from; base and themes sum to the log-odds")] | UnsetType
    ) = UNSET  # fmt: skip
    trend: (
        Annotated[
            Literal["improving", "steady", "declining", "not_enough"],
            Meta(description="the percentile against that of 28 to 84 days before, seen from the relationship"),
        ]
        | UnsetType
    ) = UNSET
    override: OverrideShown | UnsetType = UNSET
    signals_from: Annotated[str, Meta(description="store, request or store+request", examples=["store"])] = "request"
    overlaid: (
        Annotated[list[str], Meta(description="signals of the request that took the place of stored ones")] | UnsetType
    ) = UNSET
    warnings: list[str] = []  # msgspec copies a default list


class FaultJson(Struct):
    """One thing that is wrong."""

    where: Annotated[str, Meta(description="record, key or signal", examples=["record 0, signal mrr"])]
    found: Annotated[str, Meta(description="what is there instead; never the value itself", examples=["a text"])]
    rule: Annotated[str, Meta(examples=["a number (money) or null"])]
    next_step: Annotated[str, Meta(examples=["send it without quotes"])]


class RecordError(Struct):
    """A record that could not be scored; the others of the request are not touched by it."""

    index: Annotated[int, Meta(description="position of the record in the request, from 0")]
    entity_id: str | None
    code: Annotated[str, Meta(examples=["bad_record", "unknown_entity"])]
    faults: list[FaultJson]


class ScoreAnswer(Struct):
    """Results and errors in the order of the request."""

    model: Annotated[str, Meta(examples=["churn-risk"])]
    version: int | None
    scorer: Annotated[str, Meta(description="sha256 of the scorer", examples=["sha256:9c1f..."])]
    horizon_days: Annotated[int, Meta(description="days from as_of in which the outcome counts", examples=[90])]
    results: list[Result]
    errors: list[RecordError]


class SignalShown(Struct):
    """One signal that the live version reads."""

    name: Annotated[str, Meta(examples=["active_users_28d"])]
    theme: Annotated[str, Meta(examples=["usage"])]
    unit: Annotated[str, Meta(examples=["count"])]
    label: Annotated[str, Meta(examples=["active users in the last 28 days"])]
    window: Annotated[str, Meta(description="half-open", examples=["[as_of - 28 d, as_of)"])]
    missing: Annotated[str, Meta(description="what a missing value means", examples=["there was no usage"])]
    by_clock: Annotated[bool, Meta(description="whether it moves by the passing of time alone")]
    missing_share: Annotated[float, Meta(description="in training, 0 to 1")]
    vocabulary: Annotated[list[str] | None, Meta(description="words seen in training; null for a number")]
    low: Annotated[float | None, Meta(description="smallest number seen in training")]
    high: Annotated[float | None, Meta(description="largest number seen in training")]
    topic: Annotated[
        str, Meta(description="signals of one topic say the same and share a reason", examples=["usage_level"])
    ]


class BandShown(Struct):
    """A band and where it begins."""

    name: Annotated[str, Meta(examples=["high"])]
    lowest_score: Annotated[int, Meta(description="percentile", examples=[90])]


class ModelAnswer(Struct):
    """What a model is."""

    model: Annotated[str, Meta(examples=["churn-risk"])]
    title: Annotated[str, Meta(examples=["Churn risk"])]
    version: int | None
    scorer: Annotated[str, Meta(description="sha256 of the scorer", examples=["sha256:9c1f..."])]
    entity: Annotated[str, Meta(description="account or lead", examples=["account"])]
    horizon_days: Annotated[int, Meta(examples=[90])]
    outcome: Annotated[str, Meta(description="what happened to those with the outcome", examples=["left"])]
    live_since: Annotated[str, Meta(description="UTC", examples=["2026-11-23T06:00:00+00:00"])]
    base_rate: Annotated[float, Meta(description="share of the outcome in training, 0 to 1", examples=[0.061])]
    trained_from: str | None
    trained_to: str | None
    source: str | None
    fit_themes: Annotated[
        list[str], Meta(description="themes of fit; the others are intent", examples=[["firmographic"]])
    ]
    bands: list[BandShown]
    signals: list[SignalShown]
    metrics: Annotated[dict[str, Any], Meta(description="how good it was on data that it had not seen")]
