"""`GET /docs`: the OpenAPI file as a page, by Swagger UI from files of ours: no content-delivery network, no inline script.

`swagger_ui/` holds swagger-ui-bundle.js and swagger-ui.css of npm's swagger-ui-dist 5.35.0 (Apache-2.0), unchanged, with
their licences; `start.js` starts them.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse

from serving.problems import Problem

router = APIRouter(include_in_schema=False)
FOLDER = Path(__file__).parent
FILES = {
    "swagger-ui-bundle.js": (FOLDER / "swagger_ui" / "swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": (FOLDER / "swagger_ui" / "swagger-ui.css", "text/css"),
    "LICENSE": (FOLDER / "swagger_ui" / "LICENSE", "text/plain"),
    "start.js": (FOLDER / "start.js", "text/javascript"),
}


@router.get("/docs")
async def page() -> FileResponse:
    """The page; the door adds its content policy."""
    return FileResponse(FOLDER / "index.html", media_type="text/html")


@router.get("/docs/{name}")
async def file(name: str) -> FileResponse:
    """What the page is made of."""
    found = FILES.get(name)
    if found is None:
        raise Problem(404, "no_such_path", "no such path: /docs and /openapi.json show those that there are")
    return FileResponse(found[0], media_type=found[1], headers={"cache-control": "max-age=3600"})
