"""`/ui/{model}`: the list that people work from. Its query string is the view that they share; the queries are those of `GET /v1/{model}/scores`."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from features.kit.clock import parse_as_of, to_us
from features.signals.signal import THEMES
from models.definition import Model
from serving.eligibility import DETAILS
from serving.errors import Invalid
from serving.gateway.actor import actor_of
from serving.lists import service
from serving.lists.cursor import Signer
from serving.lists.endpoints import csv_answer
from serving.lists.filters import NO_SCORES, SORTS, USUAL_LIMIT
from serving.lists.schemas import ListRow
from serving.lists.service import Around, Params
from serving.page.look import render
from serving.problems import STATUS, guarded
from serving.runs.service import runs
from serving.sign_in.visit import visitor_of
from serving.state import AppState, state_of

router = APIRouter(include_in_schema=False)
NOT_OF_THE_LIST = ("done", "from", "mine")
COLUMNS: Sequence[tuple[str, str, str]] = (
    ("name", "", ""),
    ("owner", "Owner", ""),
    ("score", "Score", "num"),
    ("probability", "Probability", "num"),
    ("band", "Band", ""),
    ("change", "Change", "num"),
    ("value_at_risk", "", "num"),
    ("renewal_at", "Renewal", "num"),
    ("theme", "First reason", ""),
)
"""Sorted column, its heading (empty: by the entity) and class."""


@dataclass(frozen=True)
class Heading:
    """A column's heading, which is a link that sorts by it."""

    text: str
    kind: str
    link: str
    sorted: str
    """ascending, descending, or empty."""


@router.get("/ui/{model}")
async def work_list(request: Request, model: str) -> Response:
    """One page of the list; with the list's faults in its place, when there are any."""
    state = state_of(request)
    definition = state.champions.definition(model)
    given, params = _params(request, definition)
    around = Around(state.watched.directives, to_us(state.clock()))
    signer = state.part(Signer)
    faults: Sequence[Mapping[str, str]] = ()
    with guarded():
        segments = await asyncio.to_thread(service.segment_columns, state.store, definition.entity)
        try:
            asked, position = await asyncio.to_thread(service.asked_for, state.store, definition, params, signer)
        except Invalid as error:
            faults = error.more.get("faults", ())
            asked, position = await asyncio.to_thread(service.asked_for, state.store, definition, (), signer)
        answer = await asyncio.to_thread(service.page, state.store, asked, position, signer, around)
    night = await asyncio.to_thread(_last_night, state, definition)
    start = _start(request)
    return render(
        request,
        "work_list.html",
        STATUS[Invalid] if faults else 200,
        model=definition,
        bands=[name for name, _ in definition.bands],
        asked=defaultdict(str, given),
        chosen=[value for name, value in given if name == "band"],
        faults=faults,
        rows=[] if faults else answer.rows,
        start=start,
        headings=_headings(definition, answer.sort, answer.order, given),
        sort=answer.sort,
        segments=segments,
        themes=list(THEMES),
        no_scores={code: DETAILS[code] for code in NO_SCORES},
        next_link=_link(definition, given, cursor=answer.next_cursor, start=start + len(answer.rows))
        if answer.next_cursor and not faults
        else None,
        first_link=_link(definition, given) if position is not None else None,
        csv_link=f"/ui/{definition.name}/list.csv?{urlencode(_pairs(given))}",
        filtered=bool({name for name, _ in given} - {"sort", "order", "limit", "cursor", "from"}),
        night=night,
        cut=_cut(definition, night, given, start, answer.rows),
        now=state.clock(),
        days_to=days_to,
    )


@router.get("/ui/{model}/list.csv")
async def work_list_csv(request: Request, model: str) -> Response:
    """All rows of the list that the same query shows."""
    state = state_of(request)
    definition = state.champions.definition(model)
    _, params = _params(request, definition)
    around = Around(state.watched.directives, to_us(state.clock()))
    with guarded():
        asked, position = await asyncio.to_thread(
            service.asked_for, state.store, definition, params, state.part(Signer)
        )
        return await csv_answer(state, asked, position, around, actor_of(request))


Given = Sequence[tuple[str, str]]


def _params(request: Request, definition: Model) -> tuple[Given, Params]:
    """What was filled in, for links and the form; and the parameters of the list. `mine` is the owner who is signed in."""
    filled = [(name, value.strip()) for name, value in request.query_params.multi_items() if value.strip()]
    given = [pair for pair in filled if pair[0] not in ("done", "from", "cursor")]
    params = [pair for pair in filled if pair[0] not in NOT_OF_THE_LIST]
    if ("mine", "yes") in filled:
        params = [pair for pair in params if pair[0] != "owner"]
        params.append(("owner", visitor_of(request).actor.name))
    return given, params


def _pairs(given: Given, **changed: str | None) -> list[tuple[str, str]]:
    kept = [pair for pair in given if pair[0] not in changed]
    return kept + [(name, value) for name, value in changed.items() if value is not None]


def _link(definition: Model, given: Given, *, cursor: str | None = None, start: int = 0) -> str:
    pairs = _pairs(given, cursor=cursor, **({"from": str(start)} if start else {}))
    return f"/ui/{definition.name}" + (f"?{urlencode(pairs)}" if pairs else "")


def _headings(definition: Model, sort: str, order: str, given: Given) -> list[Heading]:
    account = definition.entity == "account"
    named = {
        "name": "Account" if account else "Lead",
        "value_at_risk": "Value at risk" if account else "Expected value",
    }
    found = []
    for column, text, kind in COLUMNS:
        if not account and column == "renewal_at":
            continue
        usual = SORTS[column]
        other = {"asc": "desc", "desc": "asc"}[order] if column == sort else usual
        link = _link(definition, _pairs(given, sort=column, order=other))
        told = {"asc": "ascending", "desc": "descending"}[order] if column == sort else ""
        found.append(Heading(named.get(column, text), kind, link, told))
    return found


def _start(request: Request) -> int:
    """Rows before this page, as the link to it said; only shown, never used to find rows."""
    given = request.query_params.get("from", "0")
    return int(given) if given.isascii() and given.isdigit() and len(given) <= 9 else 0


def _last_night(state: AppState, definition: Model) -> dict[str, Any] | None:
    """What the newest published run said of the model, None when there is none among the last ten."""
    for run in runs(state.settings.base.home, 10, None).runs:
        found = next((each for each in run.models if each.model == definition.name), None)
        if run.state == "published" and found is not None:
            age = None if run.as_of is None else (state.clock() - parse_as_of(run.as_of)).days
            limit = state.settings.stale_after_days or definition.horizon_days
            return {
                "as_of": run.as_of,
                "ended_at": run.ended_at,
                "rows": found.rows,
                "scored": found.scored or 0,
                "version": found.version,
                "age": age,
                "old": age is not None and bool(limit) and age > min(limit, 7),
            }
    return None


def _cut(
    definition: Model, night: Mapping[str, Any] | None, given: Given, start: int, rows: Sequence[ListRow]
) -> int | None:
    """The place in this page after which the capacity is used up: of the whole list in its usual order alone."""
    if night is None or {name for name, _ in given} - {"limit"}:
        return None
    place = round(definition.capacity_share * night["scored"]) - start
    return place if 0 < place <= len(rows) else None


def days_to(moment: str | None, now: datetime) -> int | None:
    """Whole days from now to a moment; below 0 when it is over."""
    return None if moment is None else (parse_as_of(moment).date() - now.date()).days


__all__ = ["USUAL_LIMIT", "router"]
