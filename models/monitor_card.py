"""What people are shown of a look at a live model: `monitor/MODEL/DATE.json` in the home, written by `training monitor`.

These are the parts of that report that an answer of the API has; the report itself holds more, and may grow.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from models import card_file
from models.card import CardMeasure

AGAIN = "python -m training monitor MODEL --source ... --as-of DATE writes it anew"
_NAME = re.compile(r"\d{4}-\d{2}-\d{2}\.json")


class MonitorCheck(Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    name: Annotated[str, Meta(description="what was looked at", examples=["drift"])]
    state: Annotated[str, Meta(description="fine, look or too early", examples=["fine"])]
    found: Annotated[
        str, Meta(description="the value", examples=["the score: 0.04; no signal of weight beyond it"])
    ] = ""
    limit: Annotated[str, Meta(description="the limit", examples=["a stability index of at most 0.25"])] = ""


class MonitorBand(Struct, frozen=True, kw_only=True):
    """Expected against observed outcomes of a band; of rows whose window is not over, those so far."""

    band: Annotated[str, Meta(description="the band, or all", examples=["high"])]
    rows: Annotated[int, Meta(description="rows in it", examples=[430])]
    expected: Annotated[
        CardMeasure | float | None, Meta(description="outcomes that the probabilities promise", examples=[172.4])
    ] = None
    observed: Annotated[
        int | None, Meta(description="outcomes that came; null while the window is not over", examples=[180])
    ] = None
    observed_so_far: Annotated[
        int | None, Meta(description="outcomes that came up to now, while the window is not over", examples=[35])
    ] = None
    beyond_chance: Annotated[
        bool | None,
        Meta(description="whether chance explains the difference only once in a hundred times", examples=[False]),
    ] = None


class MonitorRows(Struct, frozen=True, kw_only=True):
    """Rows in one state."""

    rows: Annotated[int, Meta(description="how many", examples=[4293])] = 0
    bands: Annotated[list[MonitorBand], Meta(description="all of them, and by band", examples=[[]])] = []


class MonitorSignal(Struct, frozen=True, kw_only=True):
    """One signal now against training; shares are of the entities, 0 to 1."""

    signal: Annotated[str, Meta(description="its name", examples=["days_since_usage"])]
    theme: Annotated[str, Meta(description="its theme", examples=["usage"])] = ""
    weight: Annotated[float | None, Meta(description="its share of the effects of all now", examples=[0.033])] = None
    psi: Annotated[
        float | None, Meta(description="stability index against training; null: not kept", examples=[0.072])
    ] = None
    noise: Annotated[
        float | None, Meta(description="what the index reaches by chance once in a hundred times", examples=[0.019])
    ] = None
    missing: Annotated[float | None, Meta(description="share without a value now", examples=[0.114])] = None
    missing_then: Annotated[float | None, Meta(description="share without a value in training", examples=[0.197])] = (
        None
    )
    new_words: Annotated[float | None, Meta(description="share with a word never seen", examples=[0.0])] = None
    outside: Annotated[float | None, Meta(description="share outside the range of training", examples=[0.0])] = None


class MonitorCard(Struct, frozen=True, kw_only=True):
    """A look at a live model."""

    as_of: Annotated[str, Meta(description="the moment that it looked at", examples=["2026-11-23T00:00:00+00:00"])]
    verdict: Annotated[str, Meta(description="fine, or someone should look", examples=["fine"])]
    version: Annotated[int | None, Meta(description="the version that was looked at", examples=[7])] = None
    source: Annotated[str | None, Meta(description="the source", examples=["sample"])] = None
    why: Annotated[
        list[str], Meta(description="why someone should look, a sentence each", examples=[["drift: ..."]])
    ] = []
    checks: Annotated[list[MonitorCheck], Meta(description="what was looked at", examples=[[]])] = []
    ripe: Annotated[
        MonitorRows, Meta(description="rows whose outcome is known, those acted upon left out", examples=[{"rows": 0}])
    ] = MonitorRows()
    pending: Annotated[MonitorRows, Meta(description="rows whose window is not over", examples=[{"rows": 4293}])] = (
        MonitorRows()
    )
    estimated_now: Annotated[
        dict[str, CardMeasure],
        Meta(description="quality estimated of the present", examples=[{"auc": {"value": 0.84}}]),
    ] = {}
    score_drift: Annotated[
        dict[str, float | None],
        Meta(
            description="the stability index of the score against training, and what chance gives",
            examples=[{"psi": 0.04}],
        ),
    ] = {}
    signals: Annotated[
        list[MonitorSignal], Meta(description="drift of each signal, the most moved first", examples=[[]])
    ] = []
    notes: Annotated[
        list[str], Meta(description="what a reader of the figures should know", examples=[["Dates from 2026-06 on."]])
    ] = []


def dates(home: Path, model: str) -> list[str]:
    """The dates of the looks at a model, the newest first. Raises `card_file.Unreadable`."""
    found = card_file.names(home / "monitor" / model)
    return sorted((name.removesuffix(".json") for name in found if _NAME.fullmatch(name)), reverse=True)


def read(home: Path, model: str, date: str) -> MonitorCard | None:
    """The look of a date, None when there is none. Raises `card_file.Unreadable`."""
    return card_file.read(home / "monitor" / model / f"{date}.json", MonitorCard, AGAIN)
