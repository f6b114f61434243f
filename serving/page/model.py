"""`/ui/models` and below: how good each model is, how that was judged, what came true since, and what each version may do.

The answers are those of `/v1/models`; nothing here asks the registry.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from models import card
from models.card import CardMeasure
from models.definition import Model
from models.monitor_card import MonitorCard, MonitorSignal
from models.signal_card import SignalCard
from serving.cards import service
from serving.cards.schemas import VersionShown
from serving.errors import NotFound
from serving.page import model_charts, signal_rows
from serving.page.look import HEADERS, render
from serving.state import state_of

router = APIRouter(include_in_schema=False)
MOST_VERSIONS = 50
MOST_MOVED, MOST_LOOKS = 10, 12
STRONGEST = 12
"""Signals on the page of a model; all of them have a page of their own."""
REPORT = "report.html"
"""What `fit` writes beside the card."""
MOST_REPORT_BYTES = 16 * 1024 * 1024
REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox"
)
"""A report brings its style and its pictures inside itself, so no page has to allow them. `sandbox`: whatever stands in it, nothing runs
and nothing belongs to this site."""

Number = Annotated[int, Path(ge=1, le=999_999_999)]


@router.get("/ui/models")
async def models(request: Request) -> Response:
    """All models: what serves, how good it is, what the newest look said."""
    state = state_of(request)
    found = await asyncio.to_thread(service.models, state.settings.base.home, state.champions, MOST_VERSIONS)
    rows = [{"shown": each, "serving": serving(each.versions)} for each in found.models]
    return render(request, "models.html", rows=rows, definitions={m.name: m for m in state.champions.definitions()})


@router.get("/ui/models/{model}")
async def model(request: Request, model: str) -> Response:
    """One model: its champion's card, the newest look at it or that of `look=DATE`, and all versions."""
    state = state_of(request)
    definition, home = state.champions.definition(model), state.settings.base.home
    found = await asyncio.to_thread(service.model, home, state.champions, definition, MOST_VERSIONS)
    subject, look = serving(found.model.versions), found.monitor
    if asked := request.query_params.get("look"):
        look = await asyncio.to_thread(service.look, home, definition, asked)
    return render(
        request,
        "model.html",
        **await asyncio.to_thread(_about, home, definition, subject, found.card, look),
        shown=found.model,
        looks=found.monitored,
        whole=True,
    )


@router.get("/ui/models/{model}/versions/{version}")
async def version(request: Request, model: str, version: Number) -> Response:
    """One version with its card, also one that was refused."""
    state = state_of(request)
    definition, home = state.champions.definition(model), state.settings.base.home
    found = await asyncio.to_thread(service.version, home, definition, version)
    return render(
        request,
        "model.html",
        **await asyncio.to_thread(_about, home, definition, found.version, found.card),
        shown=None,
        looks=[],
        whole=False,
    )


@router.get("/ui/models/{model}/versions/{version}/report")
async def report(request: Request, model: str, version: Number) -> Response:
    """The report of a version as `fit` wrote it."""
    state = state_of(request)
    definition = state.champions.definition(model)
    path = report_of(state.settings.base.home, definition, version)
    content = await asyncio.to_thread(path.read_bytes) if path else None
    if content is None:
        raise NotFound("no_report", f"version {version} of {definition.name} has no report in this home")
    return Response(content, 200, {**HEADERS, "content-security-policy": REPORT_POLICY}, "text/html; charset=utf-8")


def report_of(home: FilePath, definition: Model, version: int) -> FilePath | None:
    """The file of a version's report, None when there is none that a page can show."""
    path = card.place(home, definition.name, version) / REPORT
    try:
        return path if path.is_file() and path.stat().st_size <= MOST_REPORT_BYTES else None
    except OSError:
        return None


def serving(versions: list[VersionShown]) -> VersionShown | None:
    """The champion among the versions, None when there is none."""
    return next((each for each in versions if each.state == "champion"), None)


def moved(look: MonitorCard | None) -> list[MonitorSignal]:
    """Signals whose index lies beyond what chance gives, the most moved first."""
    found = [s for s in (look.signals if look else ()) if s.psi is not None and s.psi > (s.noise or 0.0)]
    return sorted(found, key=lambda s: -(s.psi or 0.0))


def _signals(home: FilePath, definition: Model, subject: VersionShown | None) -> SignalCard | None:
    """None when nothing is kept of them: the section says so."""
    if subject is None:
        return None
    try:
        return service.signals(home, definition, subject.version)
    except NotFound:
        return None


def _about(
    home: FilePath,
    definition: Model,
    subject: VersionShown | None,
    found: card.ModelCard | None,
    look: MonitorCard | None = None,
) -> dict[str, Any]:
    """What the template shows of a version, and of a look at it."""
    signals, most = _signals(home, definition, subject), moved(look)
    metrics = defaultdict(CardMeasure, found.metrics if found else {})
    return {
        "model": definition,
        "subject": subject,
        "card": found,
        "m": metrics,
        "look": look,
        "looked_at_it": look is not None and subject is not None and look.version in (None, subject.version),
        "moved": most,
        "drift_end": max([2 * definition.watch.max_psi, *(each.psi or 0.0 for each in most)]),
        "shown_moved": MOST_MOVED,
        "most_looks": MOST_LOOKS,
        "calibration": model_charts.calibration(found) if found else "",
        "gains": model_charts.gains(found) if found else "",
        "strongest": signal_rows.strongest(signals, STRONGEST),
        "bins_kept": signals is not None,
        "labels": {each.signal: each.label for each in signals.signals} if signals else {},
        "report": bool(subject and report_of(home, definition, subject.version)),
        "auc_picture": lambda segment: model_charts.auc_picture(segment, metrics["auc"].value),
        "band_picture": model_charts.band_picture,
        "bands_end": model_charts.end_of_bands(found.by_band) if found else 1.0,
        "ripe_picture": model_charts.ripe_picture,
        "ripe_end": model_charts.end_of_ripe(look.ripe.bands) if look else 1.0,
        "measure": model_charts.measure,
        "between": model_charts.between,
        "difference": model_charts.difference,
        "share": model_charts.share,
        "counted": model_charts.counted,
        "names": [name for name, _ in definition.bands],
    }
