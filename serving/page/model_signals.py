"""`/ui/models/{model}/versions/{version}/signals` and below: what each signal of a version does, bin by bin."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import Response

from features.signals.signal import THEMES
from models.signal_card import SignalOfCard
from serving.cards import service
from serving.errors import NotFound
from serving.page.look import render
from serving.page.model import Number
from serving.page.signal_rows import bin_rows, has_effects, rows
from serving.state import state_of

router = APIRouter(include_in_schema=False)


@router.get("/ui/models/{model}/versions/{version}/signals")
async def signals(request: Request, model: str, version: Number) -> Response:
    """All signals of a version, the strongest first; of one theme, or with some words in their names."""
    state = state_of(request)
    definition = state.champions.definition(model)
    found = await asyncio.to_thread(service.signals, state.settings.base.home, definition, version)
    theme, words = request.query_params.get("theme", ""), request.query_params.get("q", "").strip()[:200]
    listed = [each for each in found.signals if theme in ("", each.theme) and _has(each, words)]
    there = {each.theme for each in found.signals}
    return render(
        request,
        "model_signals.html",
        model=definition,
        version=version,
        card=found,
        rows=rows(found, listed),
        theme=theme,
        words=words,
        themes=[each for each in THEMES if each in there],
        effects=has_effects(found),
    )


@router.get("/ui/models/{model}/versions/{version}/signals/{signal}")
async def signal(request: Request, model: str, version: Number, signal: str) -> Response:
    """One signal: every bin with its rows, its rate and its effect."""
    state = state_of(request)
    definition = state.champions.definition(model)
    found = await asyncio.to_thread(service.signals, state.settings.base.home, definition, version)
    at = next((at for at, each in enumerate(found.signals) if each.signal == signal), None)
    if at is None:
        raise NotFound("no_such_signal", f"version {version} of {definition.name} has no such signal")
    return render(
        request,
        "model_signal.html",
        model=definition,
        version=version,
        card=found,
        signal=found.signals[at],
        rows=bin_rows(found.signals[at], found.base_rate),
        place=at + 1,
        stronger=found.signals[at - 1] if at else None,
        weaker=found.signals[at + 1] if at + 1 < len(found.signals) else None,
        effects=has_effects(found),
    )


def _has(signal: SignalOfCard, words: str) -> bool:
    return words.lower() in f"{signal.label} {signal.signal}".lower()
