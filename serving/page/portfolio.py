"""`/ui/`: the whole portfolio in numbers: what is at risk and when, what changed, what was done. Each number leads to its rows."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from features.kit.clock import from_us, iso, to_us
from models.definition import Model
from serving.lists.summaries import Summaries
from serving.lists.summary import MOVED, WORK_DAYS
from serving.page.look import render
from serving.page.portfolio_view import section
from serving.problems import guarded
from serving.runs.comparison import Compared, month_before
from serving.sign_in.next_path import HOME
from serving.state import state_of

router = APIRouter(include_in_schema=False)
AGAIN_SECONDS = 3
"""While figures are counted for the first time, the page asks again after so long."""


@router.get("/ui")
@router.get(HOME)
async def portfolio(request: Request) -> Response:
    """A section for each live model: accounts first."""
    state = state_of(request)
    models = sorted((each.definition for each in state.champions.live()), key=lambda each: each.entity != "account")
    now = state.clock()
    counted = None
    if models:
        with guarded():
            counted = await state.part(Summaries).get(models, state.watched.directives, to_us(now))
    sections = []
    if counted is not None:
        compared = await asyncio.to_thread(_compared, state.settings.base.home, models)
        sections = [section(each, counted.by_model[each.name], compared[each.name], now.date()) for each in models]
    return render(
        request,
        "portfolio.html",
        sections=[each for each in sections if each.summary.rows],
        lacking=[each.model for each in sections if not each.summary.rows],
        any_live=bool(models),
        counting=bool(models) and counted is None,
        again=AGAIN_SECONDS,
        counted_at=None if counted is None else iso(from_us(counted.at_us)),
        seconds_ago=None if counted is None else max(0.0, (to_us(now) - counted.at_us) / 1e6),
        current=counted is not None and counted.current,
        moved=MOVED,
        work_days=WORK_DAYS,
    )


def _compared(home: Path, models: list[Model]) -> dict[str, Compared | None]:
    return {model.name: month_before(home, model.name) for model in models}
