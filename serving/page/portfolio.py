"""`/ui/`: the start page."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from serving.page.look import render
from serving.sign_in.next_path import HOME

router = APIRouter(include_in_schema=False)


@router.get("/ui")
@router.get(HOME)
async def portfolio(request: Request) -> Response:
    """What there is to look at."""
    return render(request, "portfolio.html")
