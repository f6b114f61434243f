"""Renders the pages: one environment of templates, one frame around each page, one content policy."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request
from starlette.responses import Response

from features.kit.clock import iso
from serving.page import charts, formats
from serving.page.formats import Formats
from serving.page.static import address
from serving.sign_in.next_path import HOME, SIGN_IN, SIGN_OUT
from serving.sign_in.pages import OF_PAGES, environment_of
from serving.sign_in.visit import visit_of
from serving.state import AppState, state_of

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent / "templates"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {**OF_PAGES, "content-security-policy": POLICY}
DONE: Mapping[str, str] = {
    "override": "Your judgement stands beside the score.",
    "withdrawn": "It is withdrawn.",
    "action": "Your action is kept.",
    "outcome": "The outcome is kept. It counts from now on.",
    "replayed": "What was given up waits in its queue again. It is in the audit log.",
}
"""What a page says after a form was sent, by `done=` in its address."""


@cache
def environment() -> Environment:
    """The templates, with what each of them may call."""
    made = environment_of(FOLDER)
    made.filters |= {
        "percent": formats.percent,
        "number": formats.number,
        "points": formats.points,
        "age": formats.age,
        "duration": formats.duration,
        "expected": formats.expected,
    }
    made.globals |= {"count": formats.count, "charts": charts, "asset": address, "missing": formats.MISSING}
    return made


def render(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A page inside the frame: navigation, who is signed in, what was done last.

    A template has, besides `values`: `visitor` (None for a stranger), `token` of forms, `models` (name, title, entity and whether
    it is live), `here` (path), `query`, `done`, and the functions `money`, `date` and `moment` of the installation.
    """
    state = state_of(request)
    visitor = visit_of(request).visitor
    own = formats_of(state)
    frame = {
        "visitor": visitor,
        "token": visitor.token if visitor else "",
        "may_act": visitor is not None and "ui:act" in visitor.scopes,
        "models": _models(state),
        "here": request.url.path,
        "query": request.url.query,
        "done": DONE.get(request.query_params.get("done", "")),
        "home": HOME,
        "sign_in": SIGN_IN,
        "sign_out": SIGN_OUT,
        "money": own.money,
        "date": own.date,
        "moment": own.moment,
        "currency": own.currency,
        "now": own.moment(iso_now(state)),
    }
    html = environment().get_template(template).render({**frame, **values})
    return Response(html, status, HEADERS, "text/html")


def formats_of(state: AppState) -> Formats:
    settings = state.settings
    return Formats(settings.currency, settings.page_dates, settings.page_time_zone)


def iso_now(state: AppState) -> str:
    return iso(state.clock())


def _models(state: AppState) -> list[dict[str, Any]]:
    statuses = state.champions.statuses()
    return [
        {
            "name": each.name,
            "title": each.title,
            "entity": each.entity,
            "live": statuses[each.name]["serves"],
            "version": statuses[each.name]["version"],
        }
        for each in state.champions.definitions()
    ]
