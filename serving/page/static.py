"""`GET /ui/static/{name}`: the style, the one script and the script's licence, served from this package.

Each is compressed once per process for browsers that take gzip, and kept by them: its address has the content's checksum.
Pages themselves are never compressed: the token of their forms beside text that somebody else chose could be guessed by the size
(BREACH).

`htmx.min.js` is that of npm's htmx.org 4.0.1 (0BSD), unchanged. Pages work without it: it only swaps the part of a page that changes.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
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
_GZIP = re.compile(r"(?:^|[\s,])(?:x-)?gzip(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", re.IGNORECASE)


def address(name: str) -> str:
    """The path of a file with its content's checksum, so that a browser may keep it until it changes."""
    return f"/ui/static/{name}?v={_checksum(name)}"


@router.get("/ui/static/{name}")
async def file(request: Request, name: str) -> Response:
    if name not in KINDS:
        raise Problem(404, "no_such_path", "no such file of the page")
    headers = {"cache-control": "max-age=604800, immutable", "vary": "accept-encoding"}
    if _GZIP.search(request.headers.get("accept-encoding", "")):
        return Response(_compressed(name), media_type=KINDS[name], headers={**headers, "content-encoding": "gzip"})
    return Response(_content(name), media_type=KINDS[name], headers=headers)


@cache
def _content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


@cache
def _compressed(name: str) -> bytes:
    return gzip.compress(_content(name), 9, mtime=0)


@cache
def _checksum(name: str) -> str:
    return hashlib.sha256(_content(name)).hexdigest()[:12]
