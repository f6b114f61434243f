"""Every route of the app."""

from __future__ import annotations

import re

from fastapi.routing import APIRoute

from serving.app import ROUTERS
from serving.sign_in.next_path import is_page


def routes() -> list[tuple[str, str]]:
    """Every (method, path) of the API, with something in the place of the parameters; pages for people are other doors."""
    values = {"model": "churn-risk", "entity": "account", "entity_id": "acme", "connection": "crm", "name": "start.js"}
    found = [("GET", "/openapi.json")]
    for route in (route for router in ROUTERS for route in router.routes):
        assert isinstance(route, APIRoute)
        if is_page(route.path):
            continue
        path = re.sub(r"\{(\w+)[^}]*\}", lambda each: values.get(each[1], "1"), route.path)
        found += [(method, path) for method in sorted(route.methods or ())]
    return found
