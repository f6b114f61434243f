"""Who is let into the page, and that neither door takes what the other one gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from serving.audit_log import repository as audit_log
from serving.gateway.actor import actor_of
from serving.sign_in.cookies import SESSION
from serving.sign_in.visit import visit_of, visitor_of
from tests.kit.browsing import Browser, Form, token_of
from tests.kit.inside import Inside, is_problem, running_inside

HEADER = {"ACCOUNTSCORE_SIGN_IN_HEADER": "X-Auth-Request-Email"}
PROXIED = {"x-forwarded-proto": "https", "host": "scores.example.com"}


def with_pages(inside: Inside) -> Inside:
    """As the page will be: a path that tells who asks, and one that changes something."""
    router = APIRouter()
    inside_app = inside.door._holder
    assert isinstance(inside_app, FastAPI)

    @router.get("/ui/who/asks")
    async def who(request: Request) -> Response:
        found = visitor_of(request)
        seen = request.headers.get("x-auth-request-email", "none")
        return Response(f"{actor_of(request).kind} {found.how} {found.actor.name} {found.token} header={seen}")

    @router.post("/ui/change")
    async def change(request: Request) -> Response:
        assert (await request.body()).startswith(b"token=")
        return Response(f"changed by {actor_of(request).name}: {visit_of(request).form['what']}")

    inside_app.include_router(router)
    return inside


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with running_inside(tmp_path_factory.mktemp("keyed")) as inside:
        inside.key("read", name="first")
        yield with_pages(inside)


@pytest.fixture
def keyless(tmp_path: Path) -> Iterator[Inside]:
    with running_inside(tmp_path) as inside:
        yield with_pages(inside)


def proxied(folder: Path, networks: str) -> Iterator[Inside]:
    env = {**HEADER, "ACCOUNTSCORE_PROXY_NETWORKS": networks, "ACCOUNTSCORE_SIGN_IN_HEADER_SCOPES": "ui:read ui:act"}
    with running_inside(folder, env) as inside:
        yield with_pages(inside)


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """The client of these tests is a listed proxy."""
    yield from proxied(tmp_path_factory.mktemp("behind"), "127.0.0.1")


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """The client of these tests is none."""
    yield from proxied(tmp_path_factory.mktemp("strange"), "10.0.0.0/8")


def signed_in(inside: Inside, name: str, *scopes: str) -> Browser:
    browser = Browser(inside)
    assert browser.sign_in(token_of(inside.key(*scopes, name=name))).status_code == 303
    return browser


class TestOpenLoopback:
    def test_until_the_first_key_everybody_on_this_machine_is_let_in(self, keyless: Inside) -> None:
        browser = Browser(keyless)
        answer = browser.get("/ui/who/asks")
        assert answer.text.startswith("open open anybody on this machine")
        token = answer.text.split()[-2]
        sent = browser.post("/ui/change", {"token": token, "what": "it"}, origin="http://127.0.0.1")
        assert sent.text == "changed by anybody on this machine: it"
        assert "No API key was made yet" in browser.get("/ui/sign-in").text
        keyless.key("read")
        assert browser.get("/ui/who/asks").status_code == 303

    def test_a_page_of_another_site_changes_nothing(self, keyless: Inside) -> None:
        browser = Browser(keyless)
        token = browser.get("/ui/who/asks").text.split()[-2]
        form = {"token": token, "what": "it"}
        assert browser.post("/ui/change", form, origin="https://evil.example").status_code == 403
        assert browser.post("/ui/change", form, sec_fetch_site="cross-site").status_code == 403
        assert browser.post("/ui/change", {**form, "token": "guessed"}).status_code == 403
        assert Browser(keyless, host="evil.example").get("/ui/who/asks").status_code == 403

    def test_nothing_is_open_where_a_proxy_says_who_people_are(self, behind: Inside) -> None:
        assert Browser(behind).get("/ui/who/asks").status_code == 303
        assert is_problem(behind.client.get("/v1/churn-risk"), 401, "no_valid_key")


class TestSessions:
    def test_a_person_acts_under_the_name_of_the_key(self, keyed: Inside) -> None:
        browser = signed_in(keyed, "jane", "ui:read", "ui:act")
        answer = browser.get("/ui/who/asks")
        assert answer.text.startswith("person key jane")
        sent = browser.post("/ui/change", {"token": answer.text.split()[-2], "what": "it"})
        assert sent.text == "changed by jane: it"

    def test_every_form_wants_its_token_whatever_route_takes_it(self, keyed: Inside) -> None:
        browser = signed_in(keyed, "token", "ui:read", "ui:act")
        other = signed_in(keyed, "other", "ui:read", "ui:act")
        foreign = other.get("/ui/who/asks").text.split()[-2]
        for form in ({"what": "it"}, {"token": "", "what": "it"}, {"token": foreign, "what": "it"}):
            answer = browser.post("/ui/change", form)
            assert answer.status_code == 403
            assert "nothing was changed" in answer.text
        answer = keyed.client.post("/ui/change", json={}, headers={"cookie": f"{SESSION}={browser.session}"})
        assert answer.status_code == 415

    def test_without_the_gateways_check_a_foreign_form_would_pass(
        self, keyed: Inside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin."""
        browser = signed_in(keyed, "twin", "ui:read", "ui:act")
        monkeypatch.setattr("serving.gateway.people.require_token", lambda *_: None)
        assert browser.post("/ui/change", {"token": "x", "what": "it"}).status_code == 200

    def test_scopes_are_kept_apart(self, keyed: Inside) -> None:
        browser = signed_in(keyed, "reader", "ui:read")
        token = browser.get("/ui/who/asks").text.split()[-2]
        answer = browser.post("/ui/change", {"token": token, "what": "it"})
        assert answer.status_code == 403
        assert "reader lacks the scope" in answer.text
        assert "ui:act" in answer.text

    def test_an_ended_session_leads_back_to_the_page_with_the_form(self, keyed: Inside) -> None:
        browser = signed_in(keyed, "late", "ui:read", "ui:act")
        browser.cookies[SESSION] = "x" * 43
        answer = browser.post("/ui/change", {"what": "it"}, referer="http://127.0.0.1/ui/who/asks?a=1")
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            "/ui/sign-in?next=%2Fui%2Fwho%2Fasks%3Fa%3D1&over=yes",
        )

    def test_people_have_a_limit_too(self, tmp_path: Path) -> None:
        with running_inside(tmp_path, {"ACCOUNTSCORE_REQUESTS_PER_MINUTE": "1"}) as inside:
            inside.key("read", name="first")
            browser = signed_in(inside, "quick", "ui:read")
            assert [browser.get("/ui/x").status_code for _ in range(2)] == [404, 429]


class TestTwoDoors:
    def test_the_api_takes_no_session_and_shows_no_page(self, keyed: Inside) -> None:
        browser = signed_in(keyed, "api", "ui:read", "ui:act", "admin")
        for method, path in (
            ("GET", "/v1/churn-risk"),
            ("POST", "/v1/churn-risk/score"),
            ("PUT", "/v1/account/acme/objection"),
            ("GET", "/metrics"),
            ("GET", "/nowhere"),
        ):
            headers = {"cookie": f"{SESSION}={browser.session}", "accept": "text/html"}
            answer = keyed.client.request(method, path, headers=headers)
            assert is_problem(answer, 401, "no_valid_key")
            assert "location" not in answer.headers

    def test_the_page_takes_no_key(self, keyed: Inside) -> None:
        key = keyed.key("ui:read", "ui:act", name="bearer")
        assert keyed.client.get("/ui/who/asks", headers=key).status_code == 303

    def test_all_under_ui_is_behind_it_and_refusals_are_pages(self, keyed: Inside) -> None:
        for path in ("/ui", "/ui/", "/ui/no/such", "/ui/sign-inx", "/ui/sign-in%2F..%2Fwho", "/ui/sign-out/x"):
            answer = keyed.client.get(path)
            assert answer.status_code == 303, path
        browser = signed_in(keyed, "lost", "ui:read")
        answer = browser.get("/ui/no/such")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "urn:accountscore" not in answer.text
        assert browser.get("/ui/sign-out").status_code == 404

    def test_every_answer_says_what_a_browser_must_not_do(self, keyed: Inside) -> None:
        for path in ("/ui/sign-in", "/ui/static/page.css", "/ui/who/asks", "/ui/sign-in?next=%FF"):
            headers = keyed.client.get(path).headers
            assert headers["x-frame-options"] == "DENY"
            assert headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]

    def test_a_repeated_header_is_refused(self, keyed: Inside) -> None:
        twice = [(b"host", b"127.0.0.1"), (b"sec-fetch-site", b"none"), (b"sec-fetch-site", b"none")]
        answer = keyed.client.plain("GET", "/ui/sign-in", twice)
        assert answer.status_code == 400
        assert "occurs twice" in answer.text

    def test_while_the_process_ends_pages_say_so(self, tmp_path: Path) -> None:
        with running_inside(tmp_path) as inside:
            inside.door.draining = True
            answer = inside.client.get("/ui/sign-in")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert "shutting down" in answer.text


class TestTrustedHeader:
    def test_a_listed_proxy_names_the_person(self, behind: Inside) -> None:
        browser = Browser(behind, **{"x-auth-request-email": "jane@example.com", **PROXIED})
        answer = browser.get("/ui/who/asks")
        assert answer.text.startswith("person header jane@example.com")
        token = answer.text.split()[-2]
        sent = browser.post("/ui/change", {"token": token, "what": "it"}, origin="https://scores.example.com")
        assert sent.text == "changed by jane@example.com: it"
        assert browser.post("/ui/change", {"token": "x", "what": "it"}).status_code == 403
        joe = Browser(behind, **{"x-auth-request-email": "joe@example.com", **PROXIED})
        assert joe.post("/ui/change", {"token": token, "what": "it"}).status_code == 403

    def test_the_first_time_is_a_row_of_the_audit_log(self, behind: Inside) -> None:
        browser = Browser(behind, **{"x-auth-request-email": "logged@example.com", **PROXIED})
        for _ in range(3):
            assert browser.get("/ui/who/asks").status_code == 200
        behind.state.writer.submit(lambda _: None).result(30)
        with behind.state.store.read() as connection:
            rows = [row for row in audit_log.rows(connection) if b"logged@example.com" in (row["actor"] or b"")]
        assert [row["action"] for row in rows] == ["sign_in"]

    def test_nothing_behind_the_gateway_sees_it(self, behind: Inside) -> None:
        answer = Browser(behind, **{"x-auth-request-email": "jane@example.com", **PROXIED}).get("/ui/who/asks")
        assert answer.text.endswith("header=none")

    def test_from_a_stranger_it_is_stripped_and_told(self, strange: Inside) -> None:
        browser = Browser(strange, **{"x-auth-request-email": "jane@example.com"})
        answer = browser.get("/ui/who/asks")
        assert answer.status_code == 303
        page = browser.get("/ui/sign-in")
        assert "came from 127.0.0.1, which is not in ACCOUNTSCORE_PROXY_NETWORKS" in page.text
        assert "jane" not in page.text
        forged = Browser(strange, **{"x-auth-request-email": "jane@example.com", **PROXIED})
        assert forged.get("/ui/who/asks").status_code == 303

    def test_a_stranger_with_a_session_of_its_own_stays_itself(self, strange: Inside) -> None:
        browser = signed_in(strange, "own", "ui:read")
        assert browser.get("/ui/who/asks", x_auth_request_email="jane@example.com").text.startswith("person key own")
        assert browser.get("/ui/who/asks", x_auth_request_email="jane@example.com").text.endswith("header=none")

    def test_the_twin_that_believes_everybody(self, strange: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
        from serving.sign_in_settings import SignInSettings

        monkeypatch.setattr(SignInSettings, "is_proxy", lambda _self, _address: True)
        forged = Browser(strange, **{"x-auth-request-email": "jane@example.com", **PROXIED})
        assert forged.get("/ui/who/asks").text.startswith("person header jane@example.com")

    @pytest.mark.parametrize("value", ["", " ", "x" * 201, "a\tb", "é".encode("latin-1").decode("latin-1")])
    def test_what_is_no_name_is_nobody(self, behind: Inside, value: str) -> None:
        headers = {**PROXIED, "x-auth-request-email": value.encode("latin-1")}
        assert behind.client.get("/ui/who/asks", headers=headers).status_code == 303

    def test_two_of_them_are_none(self, behind: Inside) -> None:
        pairs = [(name.encode(), value.encode()) for name, value in PROXIED.items()]
        pairs += [(b"x-auth-request-email", b"jane@example.com"), (b"x-auth-request-email", b"joe@example.com")]
        assert behind.client.plain("GET", "/ui/who/asks", pairs).status_code == 303

    def test_a_proxy_that_speaks_plain_http_names_nobody(self, behind: Inside) -> None:
        headers = {"x-auth-request-email": "jane@example.com", "host": "scores.example.com"}
        assert behind.client.get("/ui/who/asks", headers=headers).status_code == 303
        assert "did not say X-Forwarded-Proto" in behind.client.get("/ui/sign-in", headers=headers).text

    def test_by_default_it_means_nothing(self, keyed: Inside) -> None:
        assert keyed.client.get("/ui/who/asks", headers={"x-auth-request-email": "jane@example.com"}).status_code == 303

    def test_a_key_signs_in_behind_a_proxy_too(self, behind: Inside) -> None:
        browser = Browser(behind, **PROXIED)
        page = browser.get("/ui/sign-in")
        fields = Form(page.text, "/ui/sign-in").fields
        key = token_of(behind.key("ui:read", name="keyed"))
        assert browser.post("/ui/sign-in", {**fields, "key": key}).status_code == 303
        assert browser.get("/ui/who/asks").text.startswith("person key keyed")
