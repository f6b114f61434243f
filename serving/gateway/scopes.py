"""Scope of each request, used by the gateway and by the OpenAPI file. A path without a rule needs `admin`."""

from __future__ import annotations

OPEN = frozenset({"/healthz", "/readyz", "/openapi.json", "/docs"})
"""Paths that hold nothing about accounts or leads."""
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
    """
    if path in OPEN or path.startswith(("/webhooks/", "/docs/")):  # webhooks carry their sender's signature
        return None
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
