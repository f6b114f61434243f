"""Answers about models and their versions. The cards themselves are `models.card` and `models.monitor_card`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from models.card import CardMeasure, ModelCard
from models.monitor_card import MonitorCard
from models.standing import StandingEvent


class VersionShown(Struct, kw_only=True):
    """One version in brief."""

    version: Annotated[int, Meta(description="number in the registry", examples=[7])]
    state: Annotated[
        str | None,
        Meta(
            description="champion, challenger or previous (the champion before); null: none of them",
            examples=["champion"],
        ),
    ]
    verdict: Annotated[
        str | None, Meta(description="what its gates said, in a few words; null: not known", examples=["ready"])
    ] = None
    verdict_code: Annotated[
        str | None,
        Meta(description="ready, rule_is_enough, no_signal or refused; null: not known", examples=["ready"]),
    ] = None
    ready: Annotated[bool | None, Meta(description="whether every gate held; null: not known", examples=[True])] = None
    sentence: Annotated[
        str | None, Meta(description="the verdict in one sentence", examples=["Ready. Of the 10 % of accounts ..."])
    ] = None
    why: Annotated[
        list[str], Meta(description="why it was refused, a sentence each", examples=[["drift: the odds are 2.1 times"]])
    ] = []
    auc: Annotated[
        CardMeasure | None, Meta(description="ROC AUC on rows that it did not see", examples=[{"value": 0.848}])
    ] = None
    made_at: Annotated[
        str | None, Meta(description="when it was fitted, UTC; null: not kept", examples=["2026-11-23T06:00:00Z"])
    ] = None
    source: Annotated[str | None, Meta(description="where it learnt", examples=["sample"])] = None
    trained_to: Annotated[
        str | None, Meta(description="last date that it learnt from; null without time", examples=["2026-02-12"])
    ] = None
    promoted: Annotated[
        StandingEvent | None,
        Meta(
            description="when it was put live last, and by whom; null: never, or before version 0.3",
            examples=[{"at": "2026-11-23T06:00:00Z", "action": "promoted", "version": 7}],
        ),
    ] = None
    refusals: Annotated[
        list[StandingEvent], Meta(description="when it was to be put live and was not, the newest first", examples=[[]])
    ] = []
    card: Annotated[
        str | None,
        Meta(
            description="null: it has a card; else why there is none, with the next step",
            examples=["no card: python -m training fit MODEL --source ... makes a new version with one"],
        ),
    ] = None


class ChampionShown(Struct, kw_only=True):
    """The version that the pointer in the home names."""

    version: Annotated[int | None, Meta(description="its number", examples=[7])]
    scorer: Annotated[str, Meta(description="checksum of the scorer", examples=["sha256:9c1f..."])]
    promoted_at: Annotated[str, Meta(description="when it was put live", examples=["2026-11-23T06:00:00+00:00"])]
    by: Annotated[
        str | None,
        Meta(description="who put it live: the name of the system's user; null: not kept", examples=["root"]),
    ] = None


class LookShown(Struct, kw_only=True):
    """The newest look of `training monitor` in brief."""

    date: Annotated[str, Meta(description="the date that it looked at", examples=["2026-11-23"])]
    version: Annotated[int | None, Meta(description="the version that was looked at", examples=[7])] = None
    verdict: Annotated[
        str | None, Meta(description="fine, or someone should look; null: see fault", examples=["fine"])
    ] = None
    why: Annotated[list[str], Meta(description="why someone should look", examples=[["drift: the score: 0.31"]])] = []
    fault: Annotated[
        str | None, Meta(description="why its file cannot be read; null: it can", examples=["... is not complete JSON"])
    ] = None


class ModelShown(Struct, kw_only=True):
    """How one model stands."""

    model: Annotated[str, Meta(description="its name", examples=["churn-risk"])]
    title: Annotated[str, Meta(description="its name for people", examples=["Churn risk"])]
    entity: Annotated[str, Meta(description="account or lead", examples=["account"])]
    outcome: Annotated[str, Meta(description="the question", examples=["churn"])]
    horizon_days: Annotated[int, Meta(description="days within which the outcome counts", examples=[90])]
    serves: Annotated[bool, Meta(description="whether this process scores with it", examples=[True])]
    serves_version: Annotated[
        int | None, Meta(description="the version that this process scores with; null: none", examples=[7])
    ]
    refused: Annotated[
        str | None,
        Meta(
            description="why this process does not take the champion; null: it does, or there is none", examples=["..."]
        ),
    ]
    champion: Annotated[
        ChampionShown | None,
        Meta(description="null: nothing was ever promoted", examples=[{"version": 7, "scorer": "", "promoted_at": ""}]),
    ]
    versions: Annotated[list[VersionShown], Meta(description="the newest first", examples=[[]])]
    more_versions: Annotated[int, Meta(description="older versions that are not in this list", examples=[0])]
    monitor: Annotated[
        LookShown | None, Meta(description="the newest look at it; null: none", examples=[{"date": "2026-11-23"}])
    ]
    faults: Annotated[
        list[str],
        Meta(description="files of the model that cannot be read, each with the next step", examples=[[]]),
    ]


class ModelsAnswer(Struct):
    """Every model."""

    models: Annotated[list[ModelShown], Meta(description="in the order of the catalog")]


class ModelPage(Struct, kw_only=True):
    """One model with the card of its champion."""

    model: Annotated[ModelShown, Meta(description="how it stands")]
    card: Annotated[
        ModelCard | None,
        Meta(description="the card of the champion; null: see its version in the list", examples=[None]),
    ]
    monitor: Annotated[
        MonitorCard | None, Meta(description="the newest look at it; null: none, or see its fault", examples=[None])
    ]
    monitored: Annotated[
        list[str], Meta(description="the dates of the looks, the newest first, 100 at most", examples=[["2026-11-23"]])
    ]


class VersionPage(Struct, kw_only=True):
    """One version with its card."""

    model: Annotated[str, Meta(description="the model's name", examples=["churn-risk"])]
    version: Annotated[VersionShown, Meta(description="the version in brief")]
    card: Annotated[
        ModelCard | None, Meta(description="its card; null: see the field card of the version", examples=[None])
    ]
