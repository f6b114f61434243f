"""Where a sign-in leads to: a page of ours and nothing else."""

from __future__ import annotations

import pytest

from serving.sign_in.next_path import HOME, is_page, safe_next, sign_in_path, wanted


class TestSafeNext:
    @pytest.mark.parametrize(
        "path", ["/ui/", "/ui/churn-risk", "/ui/churn-risk?band=high&owner=j%20doe", "/ui/account/a%2Fb", "/ui?x=1"]
    )
    def test_a_path_of_the_page_is_kept(self, path: str) -> None:
        assert safe_next(path) == path

    @pytest.mark.parametrize(
        "given",
        [
            None,
            "",
            "https://evil.example/ui/",
            "//evil.example/ui/",
            "///ui/",
            "/\\evil.example",
            "/ui\\@evil.example",
            "\\\\evil.example\\ui",
            "javascript:alert(1)",
            "ui/churn-risk",
            "/uix",
            "/v1/account/acme/scores",
            "/ui/../v1/x",
            "/ui/%2e%2e/v1/x",
            "/ui/..%5cv1",
            "/ui/a\tb",
            "/ui/a\r\nset-cookie: x=1",
            "/ui/ü",
            "/ui/a b",
            "/ui/#/evil",
            "/ui/sign-in?next=/ui/",
            "/ui/sign-out",
            "/ui/" + "x" * 2000,
        ],
    )
    def test_anything_else_is_the_start_page(self, given: str | None) -> None:
        assert safe_next(given) == HOME


class TestWanted:
    def scope(self, method: str = "GET", path: bytes = b"/ui/churn-risk", query: bytes = b"") -> dict[str, object]:
        return {"method": method, "raw_path": path, "query_string": query}

    def test_it_is_the_page_that_was_asked_for(self) -> None:
        assert wanted(self.scope(query=b"band=high"), {}) == "/ui/churn-risk?band=high"

    def test_of_a_form_it_is_the_page_that_it_stood_on(self) -> None:
        headers = {b"host": b"localhost:8000", b"referer": b"http://localhost:8000/ui/account/acme?tab=2"}
        assert wanted(self.scope("POST"), headers) == "/ui/account/acme?tab=2"
        assert wanted(self.scope("POST"), {**headers, b"host": b"other"}) == HOME
        assert wanted(self.scope("POST"), {}) == HOME


def test_the_path_of_the_sign_in_page_carries_the_page_that_was_wanted() -> None:
    assert sign_in_path("/ui/a?b=c&d=e") == "/ui/sign-in?next=%2Fui%2Fa%3Fb%3Dc%26d%3De"
    assert is_page("/ui/sign-in")
