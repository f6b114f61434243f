"""Signing in with a real browser, over a real socket, to a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from serving.sign_in.cookies import SESSION
from tests.kit.chromium import needs_chromium, running_chromium
from tests.kit.running import Home, running_api

pytestmark = needs_chromium
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("chromium")
    made = Home(folder / "home", folder)
    done = made.run("serving", "migrate")
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(scope="module")
def key(home: Home) -> str:
    return home.run("serving", "keys", "create", "jane", "--scope", "ui:read").stdout.strip()


@pytest.fixture(scope="module")
def url(home: Home, key: str) -> Iterator[str]:
    with running_api(home) as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


def heading(page: Page) -> str:
    return page.locator("h1").inner_text()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_signing_in_and_out_works_without_scripts(chromium: Browser, url: str, key: str, host: str) -> None:
    """Chromium takes `__Host-` cookies with `Secure` from loopback over plain http too."""
    context = chromium.new_context(java_script_enabled=False)
    page, start = context.new_page(), url.replace("127.0.0.1", host)
    page.goto(f"{start}/ui/churn-risk?band=high")
    assert heading(page) == "Sign in"
    page.get_by_label("API key").fill("as_000000000000_x")
    page.get_by_role("button", name="Sign in").click()
    assert "This is no live API key" in page.get_by_role("alert").inner_text()
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    assert page.url == f"{start}/ui/churn-risk?band=high"
    assert heading(page) == "Churn risk"
    found = {each["name"]: each for each in context.cookies()}
    assert found.keys() == {SESSION}
    assert (found[SESSION]["secure"], found[SESSION]["httpOnly"], found[SESSION]["sameSite"]) == (True, True, "Lax")
    page.goto(f"{start}/ui/sign-in")
    assert "You are signed in as jane" in page.locator("main").inner_text()
    page.get_by_role("button", name="Sign out").click()
    assert "You are signed out" in page.get_by_role("status").inner_text()
    assert SESSION not in {each["name"] for each in context.cookies()}
    page.goto(f"{start}/ui/churn-risk")
    assert heading(page) == "Sign in"
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible_and_asks_nobody_else(chromium: Browser, url: str, scheme: Any) -> None:
    context = chromium.new_context(color_scheme=scheme)
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{url}/ui/sign-in?over=yes")
    assert "Your session has ended" in page.locator("main").inner_text()
    assert [each for each in asked if not each.startswith(url)] == []
    assert [each for each in said if "Security Policy" in each] == []
    context.close()
    context = chromium.new_context(color_scheme=scheme, bypass_csp=True)  # axe itself is a script
    page = context.new_page()
    page.goto(f"{url}/ui/sign-in?over=yes")
    found = Axe().run(page, options=WCAG)
    assert found.violations_count == 0, found.generate_report()
    context.close()
