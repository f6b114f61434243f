"""`/ui/{model}`: the list that people work from. Its query string is the view that they share; the queries are those of `GET /v1/{model}/scores`."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from features.kit.clock import parse_as_of, to_us
from features.signals.signal import THEMES
from models.definition import Model
from models.scorer.brief_reasons import brief
from serving.cards import service as cards
from serving.eligibility import DETAILS
from serving.errors import Declined, Invalid
from serving.gateway.actor import actor_of
from serving.lists import service
from serving.lists.choices import Choices, Found
from serving.lists.cursor import Signer
from serving.lists.endpoints import csv_answer
from serving.lists.filters import NO_SCORES, SEGMENT, SORTS
from serving.lists.schemas import FirstReason, ListRow
from serving.lists.service import Around, Params
from serving.page.look import render
from serving.problems import STATUS, guarded
from serving.runs.service import runs
from serving.score_change.causes import Cause, causes
from serving.sign_in.pages import go_to
from serving.sign_in.visit import visitor_of
from serving.state import AppState, state_of

router = APIRouter(include_in_schema=False)
NOT_OF_THE_LIST = ("done", "from", "mine")
QUICK = ("q", "band", "mine", "owner")
"""Filters that are always in sight; the others are folded away until one of them is used."""
NO_FILTER = ("sort", "order", "limit", "cursor", "from")
MOVED = 5
"""Points by which a score must have moved for the list to say why. What moved less has its reasons on the entity's page."""
COLUMNS: Sequence[tuple[str, str, str]] = (
    ("name", "", "name"),
    ("owner", "Owner", "owner"),
    ("score", "Score", "num score"),
    ("probability", "Probability", "num probability"),
    ("band", "Band", "of-band"),
    ("change", "Change", "num change"),
    ("value_at_risk", "", "num money"),
    ("renewal_at", "Renewal", "num days"),
    ("theme", "First reason", "reason"),
)
"""Sorted column, its heading (empty: by the entity) and class."""
Given = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Heading:
    """A column's heading, which is a link that sorts by it."""

    column: str
    text: str
    kind: str
    link: str
    sorted: str
    """ascending, descending, or empty."""


@router.get("/ui/{model}")
async def work_list(request: Request, model: str) -> Response:
    """One page of the list; with the list's faults in its place, when there are any.

    A form sends every field, also those that nobody filled in; the browser is sent on to the address without them, which is the one
    to share.
    """
    state = state_of(request)
    definition = state.champions.definition(model)
    given, params = _params(request, definition)
    asked_for = request.query_params.multi_items()
    if any(not value.strip() for _, value in asked_for):
        kept = [(name, value.strip()) for name, value in asked_for if value.strip()]
        return go_to(f"/ui/{definition.name}" + (f"?{urlencode(kept)}" if kept else ""))
    around = Around(state.watched.directives, to_us(state.clock()))
    signer = state.part(Signer)
    faults: Sequence[Mapping[str, str]] = ()
    with guarded():
        found = await asyncio.to_thread(state.part(Choices).of, definition)
        try:
            asked, position = await asyncio.to_thread(service.asked_for, state.store, definition, params, signer)
        except Invalid as error:
            faults = error.more.get("faults", ())
            asked, position = await asyncio.to_thread(service.asked_for, state.store, definition, (), signer)
        answer = await asyncio.to_thread(service.page, state.store, asked, position, signer, around)
        rows = [] if faults else answer.rows
        why = await asyncio.to_thread(_causes, state, definition, rows, around.now_us)
    night = await asyncio.to_thread(_last_night, state, definition)
    start = _start(request)
    named = Counter(row.name for row in rows)
    filters = {name for name, _ in given} - set(NO_FILTER)
    return render(
        request,
        "work_list.html",
        STATUS[Invalid] if faults else 200,
        model=definition,
        bands=[name for name, _ in definition.bands],
        asked=defaultdict(str, given),
        chosen=[value for name, value in given if name == "band"],
        faults=faults,
        rows=rows,
        causes=why,
        start=start,
        headings=_headings(definition, answer.sort, answer.order, given),
        choices=_choices(found, given),
        themes=list(THEMES),
        no_scores={code: DETAILS[code] for code in NO_SCORES},
        next_link=_link(definition, given, cursor=answer.next_cursor, start=start + len(answer.rows))
        if answer.next_cursor and not faults
        else None,
        first_link=_link(definition, given) if position is not None else None,
        csv_link=f"/ui/{definition.name}/list.csv" + (f"?{urlencode(given)}" if given else ""),
        filters=len(filters),
        unfolded=bool(filters - set(QUICK)),
        night=night,
        cut=_cut(night, given, start, rows),
        twice={name for name, times in named.items() if times > 1},
        today=state.clock(),
        days_to=days_to,
        short=short,
        brief=_brief(state, definition),
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


def _params(request: Request, definition: Model) -> tuple[Given, Params]:
    """What was filled in, for links and the form; and the parameters of the list. `mine` is the owner who is signed in."""
    filled = [(name, value.strip()) for name, value in request.query_params.multi_items() if value.strip()]
    given = [pair for pair in filled if pair[0] not in ("done", "from", "cursor")]
    params = [pair for pair in filled if pair[0] not in NOT_OF_THE_LIST]
    if ("mine", "yes") in filled:
        params = [pair for pair in params if pair[0] != "owner"]
        params.append(("owner", visitor_of(request).actor.name))
    return given, params


def _link(definition: Model, given: Given, *, start: int = 0, **changed: str | None) -> str:
    """The address of this view with some parameters changed; None takes one away."""
    more = {**changed, **({"from": str(start)} if start else {})}
    pairs = [pair for pair in given if pair[0] not in more]
    pairs += [(name, value) for name, value in more.items() if value is not None]
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
        link = _link(definition, given, sort=column, order=None if other == usual else other)
        told = {"asc": "ascending", "desc": "descending"}[order] if column == sort else ""
        found.append(Heading(column, named.get(column, text), kind, link, told))
    return found


def _choices(found: Found, given: Given) -> dict[str, list[str] | None]:
    """By filter the values to choose from, also the one that was asked for though no row has it; None: it is typed."""
    choices = {"owner": found.owners or None}
    choices |= {SEGMENT + column: values for column, values in found.segments.items()}
    asked = dict(given)
    return {
        name: values if values is None or asked.get(name) in (None, *values) else [asked[name], *values]
        for name, values in choices.items()
    }


def _causes(state: AppState, definition: Model, rows: Sequence[ListRow], now_us: int) -> dict[str, Cause]:
    moved = {row.entity_id: row.change for row in rows if row.change is not None and abs(row.change) >= MOVED}
    return causes(state.store, state.scorers, definition.name, moved, now_us)


def _brief(state: AppState, definition: Model) -> Callable[[FirstReason | None], str]:
    """How the list tells a reason: without what the model's own words say around it."""
    champion = state.champions.present(definition.name)
    words = {} if champion is None else {each.name: each.words for each in champion.scorer.spec.signals}

    def told(reason: FirstReason | None) -> str:
        return "" if reason is None else brief(reason.text, words.get(reason.signal), definition.crowd)

    return told


def _start(request: Request) -> int:
    """Rows before this page, as the link to it said; only shown, never used to find rows."""
    given = request.query_params.get("from", "0")
    return int(given) if given.isascii() and given.isdigit() and len(given) <= 9 else 0


def _last_night(state: AppState, definition: Model) -> dict[str, Any] | None:
    """What the newest published run said of the model, None when there is none among the last ten."""
    home = state.settings.base.home
    for run in runs(home, 10, None).runs:
        found = next((each for each in run.models if each.model == definition.name), None)
        if run.state == "published" and found is not None:
            age = None if run.as_of is None else (state.clock() - parse_as_of(run.as_of)).days
            limit = state.settings.stale_after_days or definition.horizon_days
            return {
                "as_of": run.as_of,
                "rows": found.rows,
                "scored": found.scored or 0,
                "version": found.version,
                "age": age,
                "old": age is not None and bool(limit) and age > min(limit, 7),
                "share": _capacity(state, definition, found.version),
            }
    return None


def _capacity(state: AppState, definition: Model, version: int | None) -> float:
    """The share of the list that people have time for: as the version was fitted with, else as the model's file says."""
    try:
        card = None if version is None else cards.version(state.settings.base.home, definition, version).card
    except Declined:
        card = None
    return definition.capacity_share if card is None or card.capacity_share is None else card.capacity_share


def _cut(night: Mapping[str, Any] | None, given: Given, start: int, rows: Sequence[ListRow]) -> int | None:
    """The place in this page after which the capacity is used up: of the whole list in its usual order alone."""
    if night is None or {name for name, _ in given} - {"limit"}:
        return None
    place = round(night["share"] * night["scored"]) - start
    return place if 0 < place <= len(rows) else None


def days_to(moment: str | None, now: datetime) -> int | None:
    """Whole days from now to a moment; below 0 when it is over."""
    return None if moment is None else (parse_as_of(moment).date() - now.date()).days


def short(text: str, most: int = 100) -> str:
    """A name that a row has room for; the whole one is on the entity's page.

    >>> short("Acme Robotics", 6), short("Acme", 6)
    ('Acme …', 'Acme')
    """
    return text if len(text) <= most else text[: most - 1] + "…"
