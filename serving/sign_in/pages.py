"""Pages about signing in: server-rendered, without scripts, readable by a screen reader."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from serving.problems import Problem

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent / "templates"
OF_PAGES = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    # Not no-referrer: a browser would then send forms with `Origin: null`.
    "referrer-policy": "same-origin",
}


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(template: str, status: int = 200, cookies: tuple[str, ...] = (), **values: Any) -> Response:
    """A page of `templates/`, with `Set-Cookie` headers."""
    return with_cookies(
        Response(_environment().get_template(template).render(values), status, OF_PAGES, "text/html"), cookies
    )


def go_to(path: str, cookies: tuple[str, ...] = ()) -> Response:
    """303: the browser asks for another page."""
    return with_cookies(Response(status_code=303, headers={"location": path, "cache-control": "no-store"}), cookies)


def with_cookies(response: Response, cookies: tuple[str, ...]) -> Response:
    for each in cookies:
        response.headers.append("set-cookie", each)
    return response


def refusal(problem: Problem) -> Response:
    """The page of a refusal. It repeats nothing that was sent."""
    titles = {403: "Not allowed", 404: "No such page", 429: "Too many requests", 503: "Not available now"}
    answer = page(
        "notice.html", problem.status, title=titles.get(problem.status, "That did not work"), text=problem.detail
    )
    for name, value in problem.headers().items():
        answer.headers[name] = value
    return answer
