"""Scope of each request, used by the gateway and by the OpenAPI file. A path without a rule needs `admin`."""

from __future__ import annotations

import re

OPEN = frozenset({"/healthz", "/readyz", "/openapi.json", "/docs"})
"""Paths that hold nothing about accounts or leads."""
OPEN_PAGES = frozenset({"/ui/sign-in", "/ui/sign-in/oidc", "/ui/sign-in/oidc/callback", "/ui/sign-out"})
"""Pages for who is about to sign in; anybody may sign out. Each by its whole path: `/ui/{entity}/{id}` may match a beginning."""
_STATIC = re.compile(r"/ui/static/[A-Za-z0-9_.-]+")
"""Styles and scripts of the pages."""
_BY_END = {
    "override": "override",
    "objection": "privacy",
    "erasure": "privacy",
    "outcome": "feedback",
    "outcomes": "feedback",
    "action": "feedback",
    "actions": "feedback",
}
_REPEATABLE = frozenset({"score", "outcome", "outcomes", "action", "actions"})


def scope_of(method: str, path: str) -> str | None:
    """The scope that a key must have; None when no key is asked for.

    >>> scope_of("POST", "/v1/churn-risk/score"), scope_of("GET", "/v1/account/acme/scores")
    ('score', 'read')
    >>> scope_of("PUT", "/v1/account/acme/override"), scope_of("GET", "/healthz"), scope_of("POST", "/v1/else")
    ('override', None, 'admin')
    >>> scope_of("GET", "/ui/churn-risk"), scope_of("POST", "/ui/churn-risk"), scope_of("POST", "/ui/sign-in")
    ('ui:read', 'ui:act', None)
    """
    if path in OPEN or path.startswith(("/webhooks/", "/docs/")):  # webhooks carry their sender's signature
        return None
    if path == "/ui" or path.startswith("/ui/"):
        if path in OPEN_PAGES or _STATIC.fullmatch(path):
            return None
        return "ui:read" if method in ("GET", "HEAD", "OPTIONS") else "ui:act"
    if path == "/metrics":
        return "metrics"
    end = path.rpartition("/")[2]
    if path.startswith("/v1/"):
        if method == "POST" and end == "score":
            return "score"
        if end in _BY_END and method != "GET":
            return _BY_END[end]
        if method in ("GET", "HEAD"):
            return "read"
    return "admin"


def is_repeatable(path: str) -> bool:
    """Whether a POST to the path takes an Idempotency-Key.

    >>> is_repeatable("/v1/churn-risk/score"), is_repeatable("/v1/account/outcomes"), is_repeatable("/v1/account/a/erasure")
    (True, True, False)
    """
    return path.rpartition("/")[2] in _REPEATABLE
