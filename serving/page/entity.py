"""`/ui/account/{id}` and `/ui/lead/{id}`: all that is known of one, why its score is what it is, and what people say to it.

The forms are sent to the page's own address and name themselves in a field: an id may end in any word, `override` among them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from features.kit.clock import to_us
from models.definition import Model
from serving.errors import Invalid, no_such
from serving.gateway.actor import actor_of
from serving.lists import service as lists
from serving.lists.schemas import EntityAnswer, ModelView
from serving.lists.service import Around
from serving.notes import service as notes
from serving.notes.repository import ACTION, OUTCOME
from serving.notes.request import Asked
from serving.overrides import service as overrides
from serving.page import entity_forms as forms
from serving.page.entity_forms import BadForm
from serving.page.entity_page import Wanted, page_of
from serving.page.entity_view import facts, stored_rows
from serving.page.entity_words import CAUSES, CONTRACT, PEOPLE, ordinal
from serving.page.look import formats_of, render
from serving.page.work_list import days_to
from serving.path_params import EntityId
from serving.problems import STATUS, guarded
from serving.sign_in.pages import go_to
from serving.sign_in.visit import visit_of
from serving.state import AppState, change, state_of

router = APIRouter(include_in_schema=False)
Form = Mapping[str, str]
Faults = Sequence[Mapping[str, str]]


@router.get("/ui/account/{entity_id:path}")
async def account(request: Request, entity_id: EntityId) -> Response:
    return await _shown(request, "account", entity_id)


@router.get("/ui/lead/{entity_id:path}")
async def lead(request: Request, entity_id: EntityId) -> Response:
    return await _shown(request, "lead", entity_id)


@router.post("/ui/account/{entity_id:path}")
async def tell_of_account(request: Request, entity_id: EntityId) -> Response:
    return await _sent(request, "account", entity_id)


@router.post("/ui/lead/{entity_id:path}")
async def tell_of_lead(request: Request, entity_id: EntityId) -> Response:
    return await _sent(request, "lead", entity_id)


async def _shown(
    request: Request, kind: str, entity_id: str, form: Form | None = None, faults: Faults = ()
) -> Response:
    """The page; of a form that has faults, with them and what was typed."""
    state, query = state_of(request), request.query_params
    known = await _known(state, kind, entity_id)
    model, formats = _model(state, known, query.get("model")), formats_of(state)
    wanted = Wanted(kind, entity_id, model, query.get("since", ""), query.get("replay", ""), actor_of(request))
    with guarded():
        values = await asyncio.to_thread(page_of, state, wanted, formats)
    stored = values["stored"]
    return render(
        request,
        "entity.html",
        STATUS[Invalid] if faults else 200,
        **values,
        known=known,
        model=model,
        view=next(each for each in known.models if each.model == model.name),
        contract=facts(kind, CONTRACT, stored.values, formats.money) if stored else (),
        stored_rows=stored_rows(kind, stored.values, formats.money) if stored else (),
        people=facts(kind, PEOPLE, stored.values, formats.money) if stored else (),
        bands=[name for name, _ in model.bands],
        path=_path(kind, entity_id),
        typed=defaultdict(str, form or {}),
        nothing=defaultdict(str),
        faults=faults,
        once=(form or {}).get("once") or forms.new_once(),
        today=forms.today(to_us(state.clock()), formats.zone),
        usual_actions=forms.USUAL_ACTIONS,
        outcomes=forms.outcomes_of(model),
        longest_reason=forms.LONGEST_REASON,
        causes=CAUSES,
        ordinal=ordinal,
        days_to=days_to,
        clock=state.clock(),
    )


async def _sent(request: Request, kind: str, entity_id: str) -> Response:
    """Does what a form asks, and goes back to the page."""
    state, query, form = state_of(request), request.query_params, visit_of(request).form
    model = _model(state, await _known(state, kind, entity_id), query.get("model"))
    try:
        done = await _do(request, state, kind, entity_id, model, form)
    except BadForm as error:
        return await _shown(request, kind, entity_id, form, error.faults)
    chosen = [("model", model.name)] if "model" in query else []
    return go_to(f"{_path(kind, entity_id)}?{urlencode([*chosen, ('done', done)])}")


async def _do(request: Request, state: AppState, kind: str, entity_id: str, model: Model, form: Form) -> str:
    """Returns the word of `look.DONE`. Raises `BadForm`, `Declined`."""
    who, now_us, zone = actor_of(request), to_us(state.clock()), state.settings.page_time_zone
    home, store, what = state.settings.base.home, state.store, form.get("form", "")
    if what == "override":
        given = forms.override_of(form, model, now_us, zone)
        held = state.watched.directives.override(model.name, entity_id, now_us)
        if not forms.is_same_override(given, held, who.name):
            await change(state, overrides.put, store, state.champions, kind, entity_id, given, now_us, who)
        return "override"
    if what == "withdraw":
        await change(state, overrides.withdraw, store, model.name, kind, entity_id, now_us, who)
        return "withdrawn"
    if what in (ACTION, OUTCOME):
        asked, note = forms.note_of(form, what, kind, entity_id, now_us, zone)
        await change(state, notes.tell_one, store, home, who, asked, note)
        return what
    if what in ("withdraw-action", "withdraw-outcome"):
        asked = Asked(what.removeprefix("withdraw-"), kind, now_us)
        await change(state, notes.withdraw, store, home, who, asked, entity_id, form.get("id", ""))
        return "withdrawn"
    raise BadForm([forms.NO_SUCH_FORM])


async def _known(state: AppState, kind: str, entity_id: str) -> EntityAnswer:
    """What the API tells of it. Raises `NotFound` when nothing is known, or it was erased."""
    around = Around(state.watched.directives, to_us(state.clock()))
    with guarded():
        return await asyncio.to_thread(
            lists.entity, state.store, state.champions.definitions(), kind, entity_id, around
        )


def _model(state: AppState, known: EntityAnswer, name: str | None) -> Model:
    """The model that the address names; else the first with a score, else the first that has a record, else the first that is
    live. Raises `NotFound` for one that scores no such entity."""
    if name is not None:
        found = state.champions.definition(name)
        if found.entity != known.entity:
            raise no_such("model", [each.model for each in known.models])
        return found
    live = {champion.definition.name for champion in state.champions.live()}

    def order(view: ModelView) -> tuple[bool, bool, bool]:
        scored = view.score is not None and isinstance(view.score.score, int)
        return (not scored, view.score is None, view.model not in live)

    return state.champions.definition(min(known.models, key=order).model)


def _path(kind: str, entity_id: str) -> str:
    return f"/ui/{kind}/{quote(entity_id)}"
