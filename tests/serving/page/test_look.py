"""The frame around each page: its policy, who is signed in, where one is, what was done last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from serving.page.look import DONE, FOLDER, HEADERS, environment
from tests.kit.browsing import Browser, token_of
from tests.kit.inside import Inside, running_inside


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with running_inside(tmp_path_factory.mktemp("look")) as found:
        yield found


@pytest.fixture(scope="module")
def browser(inside: Inside) -> Browser:
    found = Browser(inside)
    found.sign_in(token_of(inside.key("ui:read", name="<b>jane</b>")))
    return found


def test_the_policy_allows_nothing_inline_and_nobody_else() -> None:
    policy = HEADERS["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert "*" not in policy


def test_it_is_the_policy_that_a_browser_gets(browser: Browser) -> None:
    answer = browser.get("/ui/churn-risk")
    assert answer.headers.get_list("content-security-policy") == [HEADERS["content-security-policy"]]
    assert answer.headers["cache-control"] == "no-store"


def test_who_is_signed_in_is_named_and_escaped(browser: Browser) -> None:
    html = browser.get("/ui/churn-risk").text
    assert "&lt;b&gt;jane&lt;/b&gt;" in html
    assert "<b>jane" not in html


def test_navigation_says_where_one_is(browser: Browser) -> None:
    html = browser.get("/ui/lead-fit").text
    assert html.count('aria-current="page"') == 1
    assert '<a href="/ui/lead-fit" aria-current="page">' in html


def test_what_was_done_is_said_once_and_only_in_our_words(browser: Browser) -> None:
    for word, said in DONE.items():
        assert said in browser.get(f"/ui/churn-risk?done={word}").text
    assert "forged" not in browser.get("/ui/churn-risk?done=forged").text


def test_a_name_that_no_template_got_fails_and_is_not_left_out() -> None:
    with pytest.raises(Exception, match="is undefined"):
        environment().from_string("{{ nothing }}").render()


def test_every_template_is_read() -> None:
    for path in FOLDER.glob("*.html"):
        environment().get_template(path.name)
