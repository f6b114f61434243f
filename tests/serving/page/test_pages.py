"""The paths of the pages: none hides another, and no model can bear a page's word."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi.routing import APIRoute

from models.definition import RESERVED
from serving.page import work_list
from serving.page.look import FOLDER
from serving.page.pages import ROUTERS

ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


def test_the_page_that_takes_every_word_is_the_last() -> None:
    assert ROUTERS[-1] is work_list.router
    assert [route.path for route in ROUTES if route.path == "/ui/{model}"] == ["/ui/{model}"]


def test_no_model_can_have_the_word_of_a_page() -> None:
    words = {route.path.split("/")[2] for route in ROUTES if len(route.path.split("/")) > 2}
    assert {word for word in words if word and not word.startswith("{")} <= set(RESERVED)


def test_every_template_is_used_and_every_page_has_one() -> None:
    code = "".join(path.read_text() for path in Path(work_list.__file__).parent.glob("*.py"))
    named = set(re.findall(r'render\(\s*request,\s*"([^"]+)"', code))
    assert len(named) > 5
    there = {path.name for path in FOLDER.glob("*.html")}
    inside = "".join(path.read_text() for path in FOLDER.glob("*.html"))
    assert named <= there
    assert {name for name in there - named if f'"{name}"' not in inside} == set()
