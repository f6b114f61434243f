"""Types of the score request and its answer in msgspec, which reads and writes them without a copy."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from models.scorer.reason_texts import Reason, Value
from serving.eligibility import NoScore
from serving.overrides.schemas import OverrideShown

MAX_RECORDS = 1000
MAX_REASONS = 20
MAX_SIGNALS = 2000

_VALUE = "yearly revenue of the account or expected deal size of the lead, in currency units; taken from the store when it is not given"
"""Description of the number, and of "number or null"."""

EntityId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=256,
        pattern=r"^[^\x00]*$",
        description="the account or lead, as in the source",
        examples=["acme"],
    ),
]


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
            Annotated[float, Meta(ge=0, description=_VALUE, examples=[48000.0])] | None,
            Meta(description=_VALUE, examples=[48000.0]),
        ]
        | UnsetType
    ) = UNSET


class ScoreRequest(Struct, forbid_unknown_fields=True):
    """1 to 1,000 records, each of 262,144 bytes at most."""

    records: Annotated[
        list[Record],
        Meta(
            min_length=1,
            max_length=MAX_RECORDS,
            description="what to score, 1 to 1,000",
            examples=[[{"entity_id": "acme"}]],
        ),
    ]
    reasons: (
        Annotated[int, Meta(ge=0, le=MAX_REASONS, description="reasons per record, strongest first", examples=[3])]
        | UnsetType
    ) = UNSET


class ValueAtRisk(Struct):
    """Value at risk: what the account's leaving would cost."""

    amount: Annotated[float, Meta(description="probability x arr", examples=[17760.0])]
    currency: Annotated[str, Meta(description="ISO 4217", examples=["USD"])]
    arr: Annotated[float, Meta(description="yearly recurring revenue", examples=[48000.0])]


class ExpectedValue(Struct):
    """What a lead is worth."""

    amount: Annotated[float, Meta(description="probability x deal", examples=[17760.0])]
    currency: Annotated[str, Meta(description="ISO 4217", examples=["USD"])]
    deal: Annotated[float, Meta(description="expected size of the deal", examples=[12000.0])]


class FitIntent(Struct):
    """Effects of all themes in two sums: who it is (fit) and what it does (intent)."""

    fit: Annotated[
        float, Meta(description="effects of the themes of fit (see GET /v1/{model}), on the log-odds", examples=[0.04])
    ]
    intent: Annotated[float, Meta(description="effects of all other themes, on the log-odds", examples=[1.38])]


class Result(Struct, omit_defaults=False):
    """The answer for one record; `no_score` stands in the place of the numbers."""

    index: Annotated[int, Meta(description="position of the record in the request, from 0", examples=[0])]
    entity_id: Annotated[
        str | None,
        Meta(
            description="the account or lead, as in the source; null when signals alone were given", examples=["acme"]
        ),
    ]
    as_of: Annotated[str, Meta(description="the moment the score is for, UTC", examples=["2026-11-23T06:00:00Z"])]
    probability: Annotated[float, Meta(description="calibrated, 0 to 1", examples=[0.37])] | UnsetType = UNSET
    score: (
        Annotated[int, Meta(description="percentile of the reference population, 1 to 100", examples=[94])] | UnsetType
    ) = UNSET
    band: (
        Annotated[str, Meta(description="name of the range of scores, see GET /v1/{model}", examples=["high"])]
        | UnsetType
    ) = UNSET
    base_rate: (
        Annotated[float, Meta(description="share of the outcome in the reference population", examples=[0.061])]
        | UnsetType
    ) = UNSET
    value_at_risk: (
        Annotated[
            ValueAtRisk,
            Meta(
                description="of an account whose revenue is known",
                examples=[{"amount": 17760.0, "currency": "USD", "arr": 48000.0}],
            ),
        ]
        | UnsetType
    ) = UNSET
    expected_value: (
        Annotated[
            ExpectedValue,
            Meta(
                description="of a lead whose deal size is known",
                examples=[{"amount": 4440.0, "currency": "USD", "deal": 12000.0}],
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
    themes: (
        Annotated[
            dict[str, float],
            Meta(
                description="effects summed by theme",
                examples=[{"usage": 0.97, "commercial": 0.41, "firmographic": 0.04}],
            ),
        ]
        | UnsetType
    ) = UNSET
    fit_intent: (
        Annotated[FitIntent, Meta(description="the themes in two", examples=[{"fit": 0.04, "intent": 1.38}])]
        | UnsetType
    ) = UNSET
    base: (
        Annotated[
            float,
            Meta(description="what the effects start from; base and themes sum to the log-odds", examples=[-2.73]),
        ]
        | UnsetType
    ) = UNSET
    trend: (
        Annotated[
            Literal["improving", "steady", "declining", "not_enough"],
            Meta(description="the percentile against that of 28 to 84 days before, seen from the relationship"),
        ]
        | UnsetType
    ) = UNSET
    override: (
        Annotated[
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
        | UnsetType
    ) = UNSET
    signals_from: Annotated[str, Meta(description="store, request or store+request", examples=["store"])] = "request"
    overlaid: (
        Annotated[
            list[str],
            Meta(
                description="signals of the request that took the place of stored ones", examples=[["active_users_28d"]]
            ),
        ]
        | UnsetType
    ) = UNSET
    warnings: Annotated[
        list[str],
        Meta(
            description="what to know before relying on it: categories not seen in training, numbers out of its range, signals that are absent or old",
            examples=[["2 signals are not in the store and count as missing: satisfaction_84d, tickets_escalated_28d"]],
        ),
    ] = []  # msgspec copies a default list


class FaultJson(Struct):
    """One thing that is wrong."""

    where: Annotated[str, Meta(description="record, key or signal", examples=["record 0, signal mrr"])]
    found: Annotated[str, Meta(description="what is there instead; never the value itself", examples=["a text"])]
    rule: Annotated[str, Meta(description="what would be right", examples=["a number (money) or null"])]
    next_step: Annotated[str, Meta(description="what to do", examples=["send it without quotes"])]


class RecordError(Struct):
    """A record that could not be scored; the others are not affected."""

    index: Annotated[int, Meta(description="position of the record in the request, from 0", examples=[0])]
    entity_id: Annotated[
        str | None,
        Meta(
            description="the account or lead, as in the source; null when signals alone were given", examples=["acme"]
        ),
    ]
    code: Annotated[str, Meta(description="stable name for programs", examples=["bad_record", "unknown_entity"])]
    faults: Annotated[
        list[FaultJson],
        Meta(
            description="each thing that is wrong with it",
            examples=[
                [
                    {
                        "where": "record 0, signal mrr",
                        "found": "a text",
                        "rule": "a number (money) or null",
                        "next_step": "send it without quotes",
                    }
                ]
            ],
        ),
    ]


class ScoreAnswer(Struct):
    """Results and errors in the order of the request."""

    model: Annotated[str, Meta(description="a model's name, such as churn-risk", examples=["churn-risk"])]
    version: Annotated[
        int | None,
        Meta(description="the model's version in the registry; null when it was put live without one", examples=[7]),
    ]
    scorer: Annotated[str, Meta(description="sha256 of the scorer", examples=["sha256:9c1f..."])]
    horizon_days: Annotated[int, Meta(description="days from as_of in which the outcome counts", examples=[90])]
    results: Annotated[
        list[Result], Meta(description="one for each record that could be scored, in the order of the request")
    ]
    errors: Annotated[list[RecordError], Meta(description="one for each record that could not")]


class SignalShown(Struct):
    """One signal that the live version reads."""

    name: Annotated[str, Meta(description="the signal's name", examples=["active_users_28d"])]
    theme: Annotated[str, Meta(description="family of the signal", examples=["usage"])]
    unit: Annotated[str, Meta(description="what its number counts", examples=["count"])]
    label: Annotated[
        str, Meta(description="what it is called for people", examples=["active users in the last 28 days"])
    ]
    window: Annotated[str, Meta(description="half-open", examples=["[as_of - 28 d, as_of)"])]
    missing: Annotated[str, Meta(description="what a missing value means", examples=["there was no usage"])]
    by_clock: Annotated[bool, Meta(description="whether it moves by the passing of time alone", examples=[False])]
    missing_share: Annotated[float, Meta(description="in training, 0 to 1", examples=[0.12])]
    vocabulary: Annotated[
        list[str] | None,
        Meta(description="words seen in training; null for a number", examples=[["software", "retail"]]),
    ]
    low: Annotated[float | None, Meta(description="smallest number seen in training", examples=[0.0])]
    high: Annotated[float | None, Meta(description="largest number seen in training", examples=[480.0])]
    topic: Annotated[
        str, Meta(description="signals of one topic say the same and share a reason", examples=["usage_level"])
    ]


class BandShown(Struct):
    """A band and where it begins."""

    name: Annotated[str, Meta(description="the band's name", examples=["high"])]
    lowest_score: Annotated[int, Meta(description="percentile", examples=[90])]


class ModelAnswer(Struct):
    """What a model is."""

    model: Annotated[str, Meta(description="a model's name, such as churn-risk", examples=["churn-risk"])]
    title: Annotated[str, Meta(description="the model's name for people", examples=["Churn risk"])]
    version: Annotated[
        int | None,
        Meta(description="the model's version in the registry; null when it was put live without one", examples=[7]),
    ]
    scorer: Annotated[str, Meta(description="sha256 of the scorer", examples=["sha256:9c1f..."])]
    entity: Annotated[str, Meta(description="account or lead", examples=["account"])]
    horizon_days: Annotated[int, Meta(description="days from as_of in which the outcome counts", examples=[90])]
    outcome: Annotated[str, Meta(description="what happened to those with the outcome", examples=["left"])]
    population: Annotated[
        str,
        Meta(description="whom it is for; the others get no_score outside_population", examples=["plan is enterprise"]),
    ]
    live_since: Annotated[str, Meta(description="UTC", examples=["2026-11-23T06:00:00+00:00"])]
    base_rate: Annotated[float, Meta(description="share of the outcome in training, 0 to 1", examples=[0.061])]
    trained_from: Annotated[
        str | None, Meta(description="first as_of of its training, UTC date", examples=["2024-06-01"])
    ]
    trained_to: Annotated[str | None, Meta(description="last as_of of its training, UTC date", examples=["2025-12-31"])]
    source: Annotated[str | None, Meta(description="where its data came from", examples=["sample"])]
    fit_themes: Annotated[
        list[str], Meta(description="themes of fit; the others are intent", examples=[["firmographic"]])
    ]
    bands: Annotated[
        list[BandShown],
        Meta(description="the ranges of scores, the highest first", examples=[[{"name": "high", "lowest_score": 90}]]),
    ]
    signals: Annotated[list[SignalShown], Meta(description="what the live version reads")]
    metrics: Annotated[
        dict[str, Any],
        Meta(description="how good it was on data that it had not seen", examples=[{"roc_auc": 0.82, "brier": 0.051}]),
    ]
