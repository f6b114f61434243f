"""`GET /docs`: Swagger UI for the OpenAPI file, served from this package: no content-delivery network, no inline
script.

`swagger_ui/` holds swagger-ui-bundle.js and swagger-ui.css of npm's swagger-ui-dist 5.35.0 (Apache-2.0), unchanged, with
their licences; `start.js` starts them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from serving.problems import Problem

router = APIRouter(include_in_schema=False)
FOLDER = Path(__file__).parent
PAGE = (FOLDER / "index.html", "text/html")
FILES = {
    "swagger-ui-bundle.js": (FOLDER / "swagger_ui" / "swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": (FOLDER / "swagger_ui" / "swagger-ui.css", "text/css"),
    "LICENSE": (FOLDER / "swagger_ui" / "LICENSE", "text/plain"),
    "start.js": (FOLDER / "start.js", "text/javascript"),
}
PART_BYTES = 16 * 1024
"""Bytes per write: what a slow client has not read yet waits in memory."""


@router.get("/docs")
async def page() -> Response:
    """The page; the gateway adds its content policy."""
    return _answer(*PAGE, "no-cache")


@router.get("/docs/{name}")
async def file(name: str) -> Response:
    """The files of the page."""
    found = FILES.get(name)
    if found is None:
        raise Problem(404, "no_such_path", "no such path: /docs and /openapi.json show those that there are")
    return _answer(*found, "max-age=3600")


def _answer(path: Path, kind: str, caching: str) -> Response:
    """Sends a file from memory: an open file per download would cost a second descriptor, and thousands of slow
    downloads would use up all.
    """
    content = _content(path)

    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(content), PART_BYTES):
            yield content[start : start + PART_BYTES]

    headers = {"cache-control": caching, "content-length": str(len(content))}
    return StreamingResponse(parts(), media_type=kind, headers=headers)


@cache
def _content(path: Path) -> bytes:
    return path.read_bytes()
