"""Pages about signing in: server-rendered, without scripts, readable by a screen reader."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from serving.problems import Problem
from serving.sign_in.next_path import SIGN_IN

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


def environment_of(folder: Path) -> Environment:
    """Templates of a folder: escaped, and a name that nobody gave is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _environment() -> Environment:
    return environment_of(FOLDER)


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


_SAID = {
    403: ("Not allowed", "", (SIGN_IN, "Sign in as somebody else")),
    404: ("No such page", "The link may be old, or what it was about was erased.", None),
    409: ("That has changed", "Open the page again and look at what is there now.", None),
    422: ("That cannot be read", "Go back, mend it and send it again. Nothing was changed.", None),
    429: ("Too many requests", "Wait a moment and try again.", None),
    503: ("Not available now", "Try again in a moment. Nothing was changed.", None),
}
"""Title, what to do, and another way out by status."""
_OTHER = ("That did not work", "Try again. If it goes on, show whoever runs the service the time and this page.", None)


def refusal(problem: Problem) -> Response:
    """The page of a refusal. It repeats nothing that was sent."""
    title, next_step, way = _SAID.get(problem.status, _OTHER)
    faults = problem.extra.get("faults") or ()
    text = count_of_faults(len(faults)) if faults else problem.detail.rstrip(".")
    answer = page("notice.html", problem.status, title=title, text=text, faults=faults, next=next_step, way=way)
    for name, value in problem.headers().items():
        answer.headers[name] = value
    return answer


def count_of_faults(number: int) -> str:
    """
    >>> count_of_faults(1), count_of_faults(3)
    ('There is one thing to mend', 'There are 3 things to mend')
    """
    return "There is one thing to mend" if number == 1 else f"There are {number} things to mend"
