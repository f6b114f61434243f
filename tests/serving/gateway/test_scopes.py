"""Which scope a request needs."""

from __future__ import annotations

import pytest

from serving.gateway.scopes import scope_of


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/v1/churn-risk/score", "score"),
        ("GET", "/v1/churn-risk/score", "read"),
        ("HEAD", "/v1/churn-risk", "read"),
        ("DELETE", "/v1/account/acme/override", "override"),
        ("GET", "/v1/account/acme/override", "read"),
        ("PUT", "/v1/account/acme/objection", "privacy"),
        ("POST", "/v1/account/acme/erasure", "privacy"),
        ("POST", "/v1/account/acme/outcome", "feedback"),
        ("POST", "/v1/lead/actions", "feedback"),
        ("DELETE", "/v1/account/acme/action", "feedback"),
        ("GET", "/metrics", "metrics"),
        ("GET", "/healthz", None),
        ("POST", "/webhooks/crm", None),
        ("GET", "/docs/start.js", None),
        ("GET", "/ui/churn-risk", "ui:read"),
        ("HEAD", "/ui", "ui:read"),
        ("POST", "/ui/churn-risk", "ui:act"),
        ("GET", "/ui/sign-in", None),
        ("GET", "/ui/static/page.css", None),
        ("GET", "/ui/static/../churn-risk", "ui:read"),
        ("GET", "/ui/sign-in/acme", "ui:read"),
    ],
)
def test_each_kind_of_request_has_its_own(method: str, path: str, scope: str | None) -> None:
    assert scope_of(method, path) == scope


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/else"), ("PUT", "/v1/churn-risk/score"), ("GET", "/"), ("GET", "/healthz/"), ("GET", "/docsx")],
)
def test_what_no_rule_names_needs_admin(method: str, path: str) -> None:
    assert scope_of(method, path) == "admin"
