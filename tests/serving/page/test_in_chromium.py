"""The pages in a real browser, over a real socket: to the eye of axe-core, by keyboard alone, with scripting off, with hostile names."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from fastapi.routing import APIRoute
from playwright.sync_api import Browser, Page, Route, expect

from serving.page.look import DONE
from serving.page.pages import ROUTERS
from serving.page.status import NEEDED
from tests.kit.chromium import needs_chromium, running_chromium
from tests.kit.page_company import ENVIRONMENT, HOSTILE_ID, LONG, fill
from tests.kit.running import Home, running_api
from tests.kit.watched_page import Watched, watched

pytestmark = needs_chromium
PATHS = {
    "/ui/": 200,
    "/ui/churn-risk?limit=8": 200,
    "/ui/churn-risk?limit=4&theme=usage&sort=name": 200,
    "/ui/churn-risk?value_min=much": 422,
    "/ui/lead-fit?limit=8&no_score=closed": 200,
    "/ui/lead-fit?q=nobody": 200,
    "/ui/account/c001": 200,
    f"/ui/account/{quote(HOSTILE_ID)}": 200,
    "/ui/account/long": 200,
    "/ui/lead/l001": 200,
    "/ui/account/nobody": 404,
    "/ui/models": 200,
    "/ui/models/churn-risk": 200,
    "/ui/models/churn-risk/versions/2": 200,
    "/ui/models/churn-risk/versions/1/signals": 200,
    "/ui/models/churn-risk/versions/1/signals/number_0": 200,
    "/ui/status": 200,
    "/ui/status/audit?verify=now": 200,
    "/ui/nonsense": 404,
    "/ui/sign-in": 200,
}
"""Every page, with the status that it has: a new page is one more line."""
OF_NO_FRAME = {"/ui", "/ui/models/{model}/versions/{version}/report", "/ui/{model}/list.csv"}
"""Routes that are no page of this look: a redirect, the report of a fit, a file."""
WINDOWS: list[dict[str, Any]] = [
    {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}},
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("pages")
    made = Home(folder / "home", folder)
    fill(made.path)
    return made


@pytest.fixture(scope="module")
def key(home: Home) -> str:
    scopes = [word for scope in ("ui:read", "ui:act", NEEDED) for word in ("--scope", scope)]
    return home.run("serving", "keys", "create", "jane", *scopes).stdout.strip()


@pytest.fixture(scope="module")
def url(home: Home, key: str) -> Iterator[str]:
    with running_api(home, ENVIRONMENT) as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def jane(chromium: Browser, url: str, key: str) -> Any:
    """Her session: the pages of this file need not sign in one by one."""
    with watched(chromium, url) as given:
        sign_in(given, key)
        return given.page.context.storage_state()


def sign_in(given: Watched, key: str, path: str = "/ui/") -> None:
    given.open(path)
    given.page.get_by_label("API key").fill(key)
    given.page.get_by_role("button", name="Sign in").click()
    expect(given.page).to_have_url(given.url + path)


def ids(page: Page) -> list[str]:
    return page.locator("#list th[scope=row] a").evaluate_all("all => all.map(each => each.getAttribute('href'))")


def test_every_page_is_in_the_list() -> None:
    patterns = {
        route.path: route.path_regex
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and "GET" in route.methods
    }
    paths = [path.partition("?")[0] for path in PATHS]
    missing = [
        path for path, pattern in patterns.items() if path not in OF_NO_FRAME and not any(map(pattern.match, paths))
    ]
    assert missing == []


@pytest.mark.parametrize("window", WINDOWS, ids=["light wide", "dark narrow"])
@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_accessible_and_asks_nobody_else(
    chromium: Browser, url: str, jane: Any, path: str, window: Any
) -> None:
    with watched(chromium, url, jane, **window) as given:
        assert given.open(path) == PATHS[path]
        assert given.page.locator("h1").count() == 1
        assert given.wide() == 0
        assert given.inaccessible() == ""
        assert given.faults == []


@pytest.mark.parametrize("path", PATHS)
def test_the_keyboard_alone_gets_everywhere(chromium: Browser, url: str, jane: Any, path: str) -> None:
    """What is folded away opens with Enter, and is reached then."""
    with watched(chromium, url, jane, **WINDOWS[0]) as given:
        given.open(path)
        folded = given.page.locator("details:not([open]) > summary")
        for _ in range(folded.count()):
            folded.first.focus()
            given.page.keyboard.press("Enter")
        assert folded.count() == 0
        assert given.unreachable() == []


@pytest.mark.parametrize("scripting", [True, False], ids=["scripts", "no scripts"])
def test_filter_sort_page_share_and_csv(chromium: Browser, url: str, jane: Any, scripting: bool) -> None:
    with watched(chromium, url, jane, java_script_enabled=scripting) as given:
        page = given.page
        given.open("/ui/churn-risk?limit=10")
        first = ids(page)
        page.get_by_label("Find").fill("acme")
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{url}/ui/churn-risk?q=acme&limit=10")
        expect(page.locator("#list th[scope=row] a").first).to_contain_text("Acme")
        page.get_by_role("link", name="Score", exact=True).click()
        expect(page).to_have_url(f"{url}/ui/churn-risk?q=acme&limit=10&sort=score")
        found = ids(page)
        page.get_by_role("link", name="Next rows").click()
        expect(page.locator("#count")).to_have_text("Rows 11 to 20")
        assert set(ids(page)).isdisjoint(found)
        page.get_by_role("link", name="First page").click()
        assert ids(page) == found
        shared = page.url
        with watched(chromium, url, jane) as other:
            other.page.goto(shared)
            assert ids(other.page) == found
        link = page.get_by_role("link", name="All rows as CSV").get_attribute("href")
        rows = list(csv.DictReader(io.StringIO(page.request.get(f"{url}{link}").text())))
        assert [f"/ui/account/{quote(row['entity_id'])}" for row in rows[:10]] == found
        assert all("acme" in (row["name"] + row["domain"]).lower() for row in rows)
        for _ in range(4):
            page.go_back()
        expect(page).to_have_url(f"{url}/ui/churn-risk?limit=10")
        expect(page.get_by_label("Find")).to_have_value("")
        assert ids(page) == first
        assert given.faults == []


def test_a_choice_shows_at_once_and_is_told(chromium: Browser, url: str, jane: Any) -> None:
    """With scripts the list alone is swapped: the form stays as it is, and the count is a live region that stays."""
    with watched(chromium, url, jane) as given:
        page = given.page
        given.open("/ui/churn-risk")
        page.evaluate("document.querySelector('.count').dataset.same = 'yes'")
        page.get_by_label("Mine").check()
        expect(page).to_have_url(f"{url}/ui/churn-risk?mine=yes")
        expect(page.locator(".count[data-same=yes]")).to_have_text(re.compile(r"Rows 1 to \d+"))
        assert set(page.locator("#list td.owner").all_inner_texts()) == {"jane"}
        page.get_by_text("More filters and order").click()
        page.get_by_label("Industry").select_option("steel")
        expect(page).to_have_url(f"{url}/ui/churn-risk?mine=yes&segment.industry=steel")
        page.get_by_role("link", name="Clear 2 filters").click()
        expect(page).to_have_url(f"{url}/ui/churn-risk")
        page.go_back()
        expect(page.get_by_label("Mine")).to_be_checked()
        expect(page.get_by_label("Industry")).to_have_value("steel")
        page.go_back()
        expect(page.get_by_label("Industry")).to_have_value("")
        expect(page.get_by_label("Mine")).to_be_checked()
        assert given.faults == []


def test_headings_stay_in_sight(chromium: Browser, url: str, jane: Any) -> None:
    with watched(chromium, url, jane, **WINDOWS[0]) as given:
        given.open("/ui/churn-risk")
        given.page.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
        tops = given.page.locator("#list thead th").evaluate_all(
            "all => all.map(each => each.getBoundingClientRect().top)"
        )
        assert set(tops) == {0}


@pytest.mark.parametrize("window", WINDOWS, ids=["wide", "narrow"])
def test_hostile_names_are_text(chromium: Browser, url: str, jane: Any, window: Any) -> None:
    with watched(chromium, url, jane, **window) as given:
        given.open("/ui/churn-risk?" + urlencode({"limit": 200}))
        link = given.page.locator(f"#list a[href*='{quote(HOSTILE_ID)[:10]}']").first
        assert "<img" in link.inner_text()
        assert given.page.locator("main img").count() == 0
        tall = given.page.locator("#list tbody tr").evaluate_all(
            "all => Math.max(...all.map(each => each.offsetHeight))"
        )
        assert tall < 400
        assert LONG not in given.page.content()
        assert given.wide() == 0
        assert given.faults == []


def unfold(page: Page, text: str) -> None:
    page.locator("summary", has_text=text).first.click()


def done(page: Page) -> str:
    return page.locator("p.done").first.inner_text()


@pytest.mark.parametrize("scripting", [True, False], ids=["scripts", "no scripts"])
def test_override_action_and_outcome(chromium: Browser, url: str, jane: Any, scripting: bool) -> None:
    """What is told on the page of an account stands there, and in the list; what is withdrawn is gone."""
    account = "c004" if scripting else "c005"
    with watched(chromium, url, jane, java_script_enabled=scripting) as given:
        page = given.page
        given.open(f"/ui/account/{account}")
        unfold(page, "Override the band")
        page.get_by_label("low", exact=True).check()
        page.get_by_label("Reason").fill("The renewal is signed.")
        page.get_by_role("button", name="Put it beside the score").click()
        assert done(page) == DONE["override"]
        unfold(page, "I acted")
        page.get_by_label("What you did").fill("call")
        page.locator("form", has=page.locator("#action")).get_by_role("button", name="Keep it").click()
        assert done(page) == DONE["action"]
        assert "call" in page.locator("section[aria-labelledby=told]").inner_text()
        given.open(f"/ui/churn-risk?q={account}")
        row = page.locator("#list tbody tr").first.inner_text()
        assert "judged low" in row
        assert "2026-03-01" in row
        given.open(f"/ui/account/{account}")
        unfold(page, "Change or withdraw the override")
        page.get_by_role("button", name="Withdraw the override").click()
        assert done(page) == DONE["withdrawn"]
        unfold(page, "It turned out")
        page.locator("input[name=outcome]").first.check()
        page.locator("form", has=page.locator("#outcome-when")).get_by_role("button", name="Keep it").click()
        assert done(page) == DONE["outcome"]
        assert given.faults == []


def test_a_fault_of_a_form_is_told_and_what_was_typed_stays(chromium: Browser, url: str, jane: Any) -> None:
    with watched(chromium, url, jane) as given:
        page = given.page
        given.open("/ui/account/c006")
        unfold(page, "Override the band")
        page.get_by_label("low", exact=True).check()
        page.get_by_label("Reason").fill("Because of this.")
        page.get_by_label("Until").fill("2020-01-01")
        page.get_by_role("button", name="Put it beside the score").click()
        expect(page.get_by_role("alert")).to_contain_text("1 thing to mend")
        expect(page.get_by_label("Reason")).to_have_value("Because of this.")
        assert given.inaccessible() == ""


def test_dead_letters_go_back(chromium: Browser, url: str, jane: Any) -> None:
    with watched(chromium, url, jane) as given:
        given.open("/ui/status")
        given.page.get_by_role("button", name="Put 2 dead letters back").click()
        assert done(given.page) == DONE["replayed"]
        expect(given.page.get_by_role("button", name="dead letter")).to_have_count(0)
        assert given.faults == []


def test_signing_in_leads_to_the_page_that_was_asked_for(chromium: Browser, url: str, key: str) -> None:
    with watched(chromium, url) as given:
        sign_in(given, key, "/ui/churn-risk?band=high&limit=10")
        assert given.faults == []


FAULTS = {
    "an inline script": "<script>document.title = 'x'</script>",
    "a style of its own": '<p style="color: red">x</p>',
    "an image from elsewhere": '<img alt="" src="http://192.0.2.1/x.png">',
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_guards_of_the_policy_see_a_fault(chromium: Browser, url: str, jane: Any, fault: str) -> None:
    """Twins: the same page with one thing that the policy forbids."""
    with watched(chromium, url, jane) as given:
        given.page.route("**/ui/models", lambda route: with_more(route, FAULTS[fault]))
        given.open("/ui/models")
        assert given.faults


def test_the_guard_of_accessibility_sees_a_fault(chromium: Browser, url: str, jane: Any) -> None:
    with watched(chromium, url, jane) as given:
        given.page.route("**/ui/models", lambda route: with_more(route, '<input name="x"><p class="low">low</p>'))
        given.open("/ui/models")
        assert "label" in given.inaccessible()


def test_the_guard_of_the_keyboard_sees_a_fault(chromium: Browser, url: str, jane: Any) -> None:
    with watched(chromium, url, jane) as given:
        given.page.route("**/ui/models", lambda route: with_more(route, '<a href="/ui/" tabindex="-1">lost</a>'))
        given.open("/ui/models")
        assert len(given.unreachable()) == 1


def with_more(route: Route, html: str) -> None:
    """The page as it is, with more at its end."""
    answer = route.fetch()
    route.fulfill(response=answer, body=answer.text().replace("</main>", f"{html}</main>"))
