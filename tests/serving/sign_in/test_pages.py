"""Pages of signing in: escaped, under a strict policy, without scripts."""

from __future__ import annotations

from starlette.responses import Response

from serving.problems import Problem
from serving.sign_in.pages import go_to, page, refusal


def notice(title: str, text: str) -> Response:
    return page("notice.html", title=title, text=text, faults=(), next="", way=None)


class TestPage:
    def test_values_are_escaped(self) -> None:
        body = notice("<b>t</b>", "a & b").body.decode()
        assert "&lt;b&gt;t&lt;/b&gt;" in body
        assert "a &amp; b" in body
        assert "<b>" not in body

    def test_the_policy_allows_no_script_and_nothing_from_elsewhere(self) -> None:
        answer = notice("t", "x")
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "script" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert "<script" not in answer.body.decode()
        assert "style=" not in answer.body.decode()

    def test_it_says_its_language_and_has_one_heading(self) -> None:
        body = notice("t", "x").body.decode()
        assert '<html lang="en">' in body
        assert body.count("<h1>") == 1


class TestRefusal:
    def test_status_words_and_retry_of_the_problem(self) -> None:
        answer = refusal(Problem(429, "too_many_requests", "a person may ask 1 times a minute", {}, 7))
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
        assert "a person may ask 1 times a minute." in answer.body.decode()
        assert answer.headers["content-type"].startswith("text/html")


def test_a_browser_is_sent_on_with_its_cookies() -> None:
    answer = go_to("/ui/", ("a=1", "b=2"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/")
    assert answer.headers.getlist("set-cookie") == ["a=1", "b=2"]
