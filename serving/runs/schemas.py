"""Answers about nightly runs."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class RunBand(Struct):
    """What one model found in one band."""

    count: Annotated[int, Meta(description="accounts or leads", examples=[429])]
    expected: Annotated[
        float, Meta(description="sum of the probabilities: how many are expected to have the outcome", examples=[143.2])
    ]
    value: Annotated[
        float, Meta(description="their value, currency units; those without one are left out", examples=[8240000.0])
    ]
    at_stake: Annotated[float, Meta(description="sum of probability times value, currency units", examples=[2750400.0])]


class RunModel(Struct):
    """What one model did in a run."""

    model: Annotated[str, Meta(description="the model", examples=["churn-risk"])]
    version: Annotated[int | None, Meta(description="the version that scored; null: not kept", examples=[7])]
    rows: Annotated[int, Meta(description="accounts or leads", examples=[4293])]
    scored: Annotated[int | None, Meta(description="those with a score; null: not kept", examples=[4100])]
    no_score: Annotated[
        dict[str, int], Meta(description="the others, by the code of why", examples=[{"already_leaving": 12}])
    ]
    bands: Annotated[
        dict[str, RunBand],
        Meta(
            description="by band; empty: a run of an earlier version",
            examples=[{"high": {"count": 429, "expected": 143.2, "value": 8240000.0, "at_stake": 2750400.0}}],
        ),
    ]


class RunShown(Struct):
    """One nightly run."""

    id: Annotated[str, Meta(description="names the run in this list", examples=["20261123T020000Z-3f2a9c"])]
    state: Annotated[
        str,
        Meta(
            description="running, published, failed, unfinished (its process ended without a word) or unreadable (its card, see why)",
            examples=["published"],
        ),
    ]
    source: Annotated[str | None, Meta(description="the source", examples=["sample"])]
    as_of: Annotated[str | None, Meta(description="the moment that it scored for, as asked", examples=["2026-11-23"])]
    started_at: Annotated[str | None, Meta(description="when it began, UTC", examples=["2026-11-23T02:00:00Z"])]
    ended_at: Annotated[
        str | None,
        Meta(description="when it ended, UTC; null: it did not, or not with a word", examples=["2026-11-23T02:03:11Z"]),
    ]
    seconds: Annotated[float | None, Meta(description="how long it took", examples=[191.2])]
    exit_code: Annotated[
        int | None, Meta(description="of the command; 2 with a published run: a model was left out", examples=[0])
    ]
    run_id: Annotated[str | None, Meta(description="of the published run", examples=["bb091cc324ec5591"])]
    why: Annotated[
        str | None,
        Meta(
            description="why it is unfinished or failed, with the next step", examples=["the disk is full: make room"]
        ),
    ]
    models: Annotated[list[RunModel], Meta(description="what each model did")]
    not_scored: Annotated[list[str], Meta(description="models that read a table with a fault", examples=[["lead-fit"]])]
    without_champion: Annotated[list[str], Meta(description="models without a live version", examples=[["expansion"]])]
    warnings: Annotated[list[str], Meta(description="what the command warned of", examples=[[]])]
    queued_write_backs: Annotated[int | None, Meta(description="scores queued for CRMs", examples=[37])]
    resumed_chunks: Annotated[int | None, Meta(description="parts that an interrupted run had finished", examples=[0])]


class RunsAnswer(Struct):
    """Nightly runs, the newest first."""

    runs: Annotated[list[RunShown], Meta(description="the newest first")]
    next: Annotated[
        str | None,
        Meta(
            description="the parameter `before` of the next page; null: there is none",
            examples=["20261123T020000Z-3f2a9c"],
        ),
    ]
