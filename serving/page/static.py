"""`GET /ui/static/{name}`: the style, the one script and the script's licence, served from this package.

`htmx.min.js` is that of npm's htmx.org 4.0.1 (0BSD), unchanged. Pages work without it: it only swaps the part of a page that changes.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response

from serving.problems import Problem

router = APIRouter(include_in_schema=False)
FOLDER = Path(__file__).parent / "static"
KINDS = {
    "page.css": "text/css",
    "htmx.min.js": "text/javascript",
    "LICENSE.htmx": "text/plain",
    "icon.svg": "image/svg+xml",
}


def address(name: str) -> str:
    """The path of a file with its content's checksum, so that a browser may keep it until it changes."""
    return f"/ui/static/{name}?v={_checksum(name)}"


@router.get("/ui/static/{name}")
async def file(name: str) -> Response:
    if name not in KINDS:
        raise Problem(404, "no_such_path", "no such file of the page")
    return Response(_content(name), media_type=KINDS[name], headers={"cache-control": "max-age=604800"})


@cache
def _content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


@cache
def _checksum(name: str) -> str:
    return hashlib.sha256(_content(name)).hexdigest()[:12]
