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
from serving.cards import service
from serving.cards.schemas import VersionShown
from serving.errors import NotFound
from serving.page import model_charts
from serving.page.look import HEADERS, render
from serving.state import state_of

router = APIRouter(include_in_schema=False)
MOST_VERSIONS = 50
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
    """One model: its champion's card, the newest look at it, and all versions."""
    state = state_of(request)
    definition, home = state.champions.definition(model), state.settings.base.home
    found = await asyncio.to_thread(service.model, home, state.champions, definition, MOST_VERSIONS)
    subject = serving(found.model.versions)
    return render(
        request,
        "model.html",
        **await asyncio.to_thread(_about, home, definition, subject, found.card),
        shown=found.model,
        look=found.monitor,
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
        look=None,
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


def _about(
    home: FilePath, definition: Model, subject: VersionShown | None, found: card.ModelCard | None
) -> dict[str, Any]:
    """What the template shows of a version."""
    return {
        "model": definition,
        "subject": subject,
        "card": found,
        "m": defaultdict(CardMeasure, found.metrics if found else {}),
        "calibration": model_charts.calibration(found) if found else "",
        "gains": model_charts.gains(found) if found else "",
        "report": bool(subject and report_of(home, definition, subject.version)),
        "measure": model_charts.measure,
        "difference": model_charts.difference,
        "share": model_charts.share,
        "counted": model_charts.counted,
        "names": [name for name, _ in definition.bands],
    }
