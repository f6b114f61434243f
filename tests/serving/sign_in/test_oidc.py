"""OpenID Connect against a provider that nobody here wrote."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from features.kit.errors import MissingExtra
from serving.sign_in import oidc
from serving.sign_in.attempts import Attempts
from serving.sign_in.cookies import OIDC
from serving.sign_in.oidc import Provider, provider_of
from serving.sign_in.service import SignIn
from serving.sign_in_settings import OidcSettings, SignInSettings
from serving.store.tables import sessions
from tests.kit.browsing import Browser
from tests.kit.databases import DATABASES, store_url
from tests.kit.identity_provider import IdentityProvider, path_of, running_provider
from tests.kit.inside import Inside, running_inside


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdentityProvider]:
    with running_provider(tmp_path_factory.mktemp("provider")) as running:
        running.knows("jane", email="jane@example.com", groups=["sales", "all"])
        running.knows("joe", name="Joe", groups=["nothing"])
        yield running


@pytest.fixture(scope="module", params=DATABASES)
def inside(
    request: pytest.FixtureRequest, provider: IdentityProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Inside]:
    home = tmp_path_factory.mktemp("oidc") / "home"
    home.mkdir()
    env = {
        "ACCOUNTSCORE_STORE_URL": store_url(request, home),
        "ACCOUNTSCORE_PUBLIC_URL": "http://127.0.0.1",
        "ACCOUNTSCORE_OIDC_ISSUER": provider.url,
        "ACCOUNTSCORE_OIDC_CLIENT_ID": "scores",
        "ACCOUNTSCORE_OIDC_CLIENT_SECRET": "s3cret-value",
        "ACCOUNTSCORE_OIDC_GROUPS": "sales=ui:read ui:act",
    }
    with running_inside(home, env) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(inside: Inside) -> None:
    inside.state.part(SignIn).attempts = Attempts()


def started(inside: Inside, wanted: str = "") -> tuple[Browser, str]:
    """A browser, and where it is sent to sign in."""
    browser = Browser(inside)
    answer = browser.get("/ui/sign-in/oidc" + (f"?next={wanted}" if wanted else ""))
    assert answer.status_code == 303
    return browser, answer.headers["location"]


class TestSigningIn:
    def test_a_person_of_a_group_is_let_in_and_led_on(self, inside: Inside, provider: IdentityProvider) -> None:
        browser = Browser(inside)
        assert browser.get("/ui/x?a=b").status_code == 303  # no key was made, and nothing is open
        page = browser.get("/ui/sign-in?next=%2Fui%2Fx%3Fa%3Db").text
        link = re.search(r'href="(/ui/sign-in/oidc[^"]*)"', page)
        assert link is not None
        answer = browser.get(link[1])
        back = provider.lets_in(answer.headers["location"], "jane")
        done = browser.get(path_of(back))
        assert (done.status_code, done.headers["location"]) == (303, "/ui/x?a=b")
        assert browser.session
        assert OIDC not in browser.cookies
        assert "jane@example.com" in browser.get("/ui/sign-in").text
        with inside.state.store.read() as connection:
            row = connection.execute(select(sessions).order_by(sessions.c.created_at.desc())).first()
        assert row is not None
        assert (row.how, row.key_id, row.person, row.scopes) == ("oidc", None, "oidc:jane", "ui:act ui:read")

    def test_it_asks_with_pkce_state_and_nonce_that_are_new_each_time(
        self, inside: Inside, provider: IdentityProvider
    ) -> None:
        browser, location = started(inside)
        query = parse_qs(urlsplit(location).query)
        assert query["code_challenge_method"] == ["S256"]
        assert query["redirect_uri"] == ["http://127.0.0.1/ui/sign-in/oidc/callback"]
        again = parse_qs(urlsplit(started(inside)[1]).query)
        for name in ("state", "nonce", "code_challenge"):
            assert len(query[name][0]) >= 43
            assert query[name] != again[name]
        browser.get(path_of(provider.lets_in(location, "jane")))
        sent = provider.last("/oauth2/token")
        digest = hashlib.sha256(sent["code_verifier"][0].encode()).digest()
        assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == query["code_challenge"][0]
        assert "client_secret" not in sent  # it is in the header

    def test_somebody_without_a_group_is_known_and_not_let_in(self, inside: Inside, provider: IdentityProvider) -> None:
        browser, location = started(inside)
        answer = browser.get(path_of(provider.lets_in(location, "joe")))
        assert answer.status_code == 403
        assert "ACCOUNTSCORE_OIDC_GROUPS" in answer.text
        assert browser.session is None

    def test_no_link_leads_to_another_site(self, inside: Inside, provider: IdentityProvider) -> None:
        browser, location = started(inside, "https%3A%2F%2Fevil.example")
        assert browser.get(path_of(provider.lets_in(location, "jane"))).headers["location"] == "/ui/"


class TestRefusals:
    def test_an_answer_of_another_browser_is_refused(self, inside: Inside, provider: IdentityProvider) -> None:
        """Somebody is signed in as somebody else by a link."""
        _, location = started(inside)
        back = path_of(provider.lets_in(location, "jane"))
        victim, _ = started(inside)
        for browser in (victim, Browser(inside)):
            answer = browser.get(back)
            assert answer.status_code == 403
            assert "does not belong to a sign-in of this browser" in answer.text
            assert browser.session is None

    def test_a_code_counts_once(self, inside: Inside, provider: IdentityProvider) -> None:
        browser, location = started(inside)
        flow = browser.cookies[OIDC]
        back = path_of(provider.lets_in(location, "jane"))
        assert browser.get(back).status_code == 303
        browser.cookies[OIDC] = flow
        assert browser.get(back).status_code == 403

    def test_a_nonce_that_is_not_ours_is_refused(
        self, inside: Inside, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        browser, location = started(inside)
        nonce = parse_qs(urlsplit(location).query)["nonce"][0]
        back = path_of(provider.lets_in(location.replace(nonce, "n" * 43), "jane"))
        answer = browser.get(back)
        assert answer.status_code == 403
        assert "a token that is not right" in answer.text

    def test_a_token_for_somebody_else_or_signed_by_nobody_is_refused(
        self, inside: Inside, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = Provider._exchange

        def unsigned(self: Provider, client: Any, flow: str, code: str) -> dict[str, object]:
            token = real(self, client, flow, code)
            _, body, _ = str(token["id_token"]).split(".")
            head = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
            return {**token, "id_token": f"{head}.{body}."}

        with monkeypatch.context() as patch:
            patch.setattr(Provider, "_exchange", unsigned)
            browser, location = started(inside)
            assert browser.get(path_of(provider.lets_in(location, "jane"))).status_code == 403
        found = inside.state.part(SignIn).provider
        assert found is not None
        other = OidcSettings(provider.url, "another client", None, "groups", {})
        with monkeypatch.context() as patch:
            browser, location = started(inside)
            back = path_of(provider.lets_in(location, "jane"))
            patch.setattr(Provider, "_exchange", lambda self, client, flow, code: _as(self, real, client, flow, code))
            patch.setattr(found, "_settings", other)
            assert browser.get(back).status_code == 403
        browser, location = started(inside)  # the twin: unharmed, it is let in
        assert browser.get(path_of(provider.lets_in(location, "jane"))).status_code == 303

    def test_an_answer_that_took_too_long_is_refused(
        self, inside: Inside, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        browser, location = started(inside)
        back = path_of(provider.lets_in(location, "jane"))
        monkeypatch.setattr(oidc, "FLOW_SECONDS", -1)
        answer = browser.get(back)
        assert answer.status_code == 403
        assert "took longer" in answer.text

    def test_a_person_who_says_no_comes_back_to_the_form(self, inside: Inside) -> None:
        browser, location = started(inside)
        state = parse_qs(urlsplit(location).query)["state"][0]
        answer = browser.get(f"/ui/sign-in/oidc/callback?error=access_denied&state={state}")
        assert answer.status_code == 403
        assert "did not let you in" in answer.text

    def test_a_provider_that_is_away_is_said(self, inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
        found = inside.state.part(SignIn).provider
        gone = OidcSettings("http://localhost:9", "scores", None, "groups", {})
        monkeypatch.setattr(found, "_settings", gone)
        monkeypatch.setattr(found, "_metadata", None)
        answer = Browser(inside).get("/ui/sign-in/oidc")
        assert answer.status_code == 503
        assert "does not answer" in answer.text

    def test_over_plain_http_nothing_is_sent(self, inside: Inside) -> None:
        answer = Browser(inside, host="scores.example.com").get("/ui/sign-in/oidc")
        assert answer.status_code == 403
        assert "location" not in answer.headers


def _as(provider: Provider, real: object, client: object, flow: str, code: str) -> dict[str, object]:
    """The tokens that the first client would get."""
    now = provider._settings
    provider._settings = OidcSettings(now.issuer, "scores", None, "groups", {})
    try:
        assert callable(real)
        return real(provider, client, flow, code)
    finally:
        provider._settings = now


class TestWithoutAProvider:
    def test_it_is_off_by_default(self, tmp_path: Path) -> None:
        with running_inside(tmp_path) as inside:
            inside.key("read")
            assert Browser(inside).get("/ui/sign-in/oidc").status_code == 404
            assert Browser(inside).get("/ui/sign-in/oidc/callback").status_code == 404
            assert "company account" not in Browser(inside).get("/ui/sign-in").text

    def test_a_missing_extra_is_said_at_the_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert provider_of(SignInSettings(), b"pepper") is None
        monkeypatch.setattr("serving.sign_in.oidc.importlib.util.find_spec", lambda _name: None)
        settings = SignInSettings("http://localhost", oidc=OidcSettings("https://id", "us", None, "groups", {}))
        with pytest.raises(MissingExtra, match=r"accountscore\[oidc\]"):
            provider_of(settings, b"pepper")
