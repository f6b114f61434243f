"""The sign-in page, signing in with a key, signing out."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from serving.audit_log import repository as audit_log
from serving.keys import repository as keys
from serving.sign_in.cookies import SESSION
from serving.sign_in.repository import HARD_US, IDLE_US
from serving.store.tables import sessions
from tests.kit.browsing import Browser, Form, token_of
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import Inside, now_us, running_inside


@pytest.fixture(scope="module", params=DATABASES)
def inside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    home = tmp_path_factory.mktemp("people") / "home"
    home.mkdir()
    with running_inside(home, {"ACCOUNTSCORE_STORE_URL": store_url(request, home)}) as running:
        running.key("read", name="first")
        yield running


@pytest.fixture(autouse=True)
def fresh(inside: Inside) -> None:
    """No refused sign-in of another test holds this one up."""
    from serving.sign_in.attempts import Attempts
    from serving.sign_in.service import SignIn

    inside.state.part(SignIn).attempts = Attempts()


@pytest.fixture
def key(inside: Inside, request: pytest.FixtureRequest) -> str:
    return token_of(inside.key("ui:read", "ui:act", name=f"jane {request.node.name}"[:60]))


def aged(inside: Inside, **columns: int) -> None:
    """Every session is older by so many microseconds."""
    inside.state.writer.submit(lambda _: None).result(30)  # uses that were noted before are committed
    with inside.writing() as connection:
        connection.execute(update(sessions).values({name: sessions.c[name] - us for name, us in columns.items()}))


class TestSigningIn:
    def test_a_key_is_pasted_once_and_leads_to_the_page_that_was_wanted(self, inside: Inside, key: str) -> None:
        browser = Browser(inside)
        first = browser.get("/ui/churn-risk?band=high")
        assert (first.status_code, first.headers["location"]) == (
            303,
            "/ui/sign-in?next=%2Fui%2Fchurn-risk%3Fband%3Dhigh",
        )
        answer = browser.sign_in(key, next="%2Fui%2Fchurn-risk%3Fband%3Dhigh")
        assert (answer.status_code, answer.headers["location"]) == (303, "/ui/churn-risk?band=high")
        assert browser.get("/ui/churn-risk?band=high").status_code == 200
        assert "jane" in browser.get("/ui/sign-in").text

    def test_the_cookie_is_the_only_place_of_the_id(self, inside: Inside, key: str) -> None:
        browser = Browser(inside)
        answer = browser.sign_in(key)
        line = next(each for each in answer.headers.get_list("set-cookie") if each.startswith(SESSION + "="))
        assert line.startswith("__Host-")
        assert set(line.split("; ")[1:]) == {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"}
        with inside.state.store.read() as connection:
            rows = repr(connection.execute(select(sessions)).all())
        assert browser.session
        assert browser.session not in rows
        assert key not in rows
        assert answer.headers["cache-control"] == "no-store"

    def test_no_link_leads_to_another_site(self, inside: Inside, key: str) -> None:
        for evil in ("https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2Fui%5C%5Cevil.example", "%2Fv1%2Fx"):
            assert Browser(inside).sign_in(key, next=evil).headers["location"] == "/ui/"

    def test_a_new_id_each_time_and_the_one_before_ends(self, inside: Inside, key: str) -> None:
        browser = Browser(inside)
        form = Form(browser.get("/ui/sign-in").text, "/ui/sign-in").fields
        form_cookies = dict(browser.cookies)
        browser.post("/ui/sign-in", {**form, "key": key})
        first = browser.session
        browser.cookies |= form_cookies  # the form was open in a second tab
        browser.post("/ui/sign-in", {**form, "key": key})
        assert browser.session not in (None, first)
        stolen = Browser(inside)
        stolen.cookies[SESSION] = first or ""
        assert stolen.get("/ui/").status_code == 303
        assert "over=yes" in stolen.get("/ui/").headers["location"]

    def test_a_planted_id_is_not_taken_over(self, inside: Inside, key: str) -> None:
        """Session fixation."""
        browser = Browser(inside)
        browser.cookies[SESSION] = planted = "p" * 43
        browser.sign_in(key)
        assert browser.session != planted
        attacker = Browser(inside)
        attacker.cookies[SESSION] = planted
        assert attacker.get("/ui/x").status_code == 303


class TestRefusedSignIns:
    @pytest.mark.parametrize("given", ["", "as_", "as_000000000000_x", "hunter2", "é" * 50])
    def test_what_is_no_key_is_told_and_never_repeated(self, inside: Inside, given: str) -> None:
        browser = Browser(inside)
        answer = browser.sign_in(given, next="%2Fui%2Fa")
        assert answer.status_code == 403
        assert "This is no live API key" in answer.text
        assert "<title>Error: Sign in" in answer.text
        assert 'role="alert"' in answer.text
        assert not given or given not in answer.text.replace("It begins with as_", "")
        assert Form(answer.text, "/ui/sign-in").fields["next"] == "/ui/a"
        assert browser.session is None

    def test_a_key_without_the_scope_is_told_which(self, inside: Inside) -> None:
        answer = Browser(inside).sign_in(token_of(inside.key("read", "score", name="no page")))
        assert answer.status_code == 403
        assert "--scope ui:read" in answer.text

    def test_a_form_without_its_token_is_refused(self, inside: Inside, key: str) -> None:
        """Nobody is signed in as somebody else by a foreign page."""
        browser = Browser(inside)
        fields = Form(browser.get("/ui/sign-in").text, "/ui/sign-in").fields
        for token in (
            "",
            fields["token"][::-1],
            Form(Browser(inside).get("/ui/sign-in").text, "/ui/sign-in").fields["token"],
        ):
            assert browser.post("/ui/sign-in", {**fields, "key": key, "token": token}).status_code == 403
        assert browser.post("/ui/sign-in", {"key": key}).status_code == 403
        without_cookie = Browser(inside).post("/ui/sign-in", {**fields, "key": key})
        assert without_cookie.status_code == 403
        assert "needs cookies" in without_cookie.text
        cross = browser.post("/ui/sign-in", {**fields, "key": key}, sec_fetch_site="cross-site")
        assert cross.status_code == 403
        assert browser.session is None
        assert browser.post("/ui/sign-in", {**fields, "key": key}).status_code == 303  # the twin: with all of it

    def test_each_is_a_row_of_the_audit_log_without_what_was_sent(self, inside: Inside, key: str) -> None:
        Browser(inside).sign_in("as_000000000000_hunter2")
        Browser(inside).sign_in(key)
        with inside.state.store.read() as connection:
            told = list(audit_log.rows(connection))
        # The home's two promotions come in from the spool whenever a row is written.
        rows = [row for row in told if row["action"].startswith("sign_in")][-2:]
        assert [row["action"] for row in rows] == ["sign_in_refused", "sign_in"]
        assert b"no_valid_key" in rows[0]["details"]
        assert key.split("_")[1].encode() in rows[1]["actor"]
        assert "hunter2" not in repr(rows)
        assert key.split("_")[2] not in repr(rows)

    def test_too_many_are_held_up_and_counted(self, inside: Inside, key: str) -> None:
        def counted(outcome: str) -> float:
            return inside.state.metrics.sign_ins.labels("key", outcome)._value.get()

        before, held = counted("no_valid_key"), counted("too_many")
        browser = Browser(inside)
        statuses = [browser.sign_in("as_000000000000_x").status_code for _ in range(6)]
        assert statuses == [403] * 5 + [429]
        answer = browser.sign_in(key)  # nor is the right one looked at
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 12
        assert (counted("no_valid_key") - before, counted("too_many") - held) == (5, 2)

    def test_over_plain_http_nobody_signs_in_and_the_page_says_why(self, inside: Inside, key: str) -> None:
        browser = Browser(inside, host="scores.example.com")
        page = browser.get("/ui/sign-in")
        assert "plain http" in page.text
        assert 'name="key"' not in page.text
        answer = browser.post("/ui/sign-in", {"key": key})
        assert answer.status_code == 403
        assert browser.session is None
        fields = Form(Browser(inside).get("/ui/sign-in").text, "/ui/sign-in").fields
        assert fields["token"]  # the twin: on this machine there is a form


class TestSessions:
    def test_idle_for_an_hour_it_is_over_and_the_page_says_so(self, inside: Inside, key: str) -> None:
        browser = Browser(inside)
        browser.sign_in(key)
        aged(inside, seen_at=IDLE_US - 60_000_000)
        assert browser.get("/ui/sign-in").text.count("You are signed in as") == 1
        aged(inside, seen_at=IDLE_US)
        answer = browser.get("/ui/account/acme?tab=2")
        assert answer.headers["location"] == "/ui/sign-in?next=%2Fui%2Faccount%2Facme%3Ftab%3D2&over=yes"
        page = browser.get(answer.headers["location"])
        assert "Your session has ended" in page.text
        assert Form(page.text, "/ui/sign-in").fields["next"] == "/ui/account/acme?tab=2"

    def test_after_twelve_hours_it_is_over(self, inside: Inside, key: str) -> None:
        browser = Browser(inside)
        browser.sign_in(key)
        aged(inside, ends_at=HARD_US)
        assert browser.get("/ui/x").status_code == 303

    def test_use_is_noted(self, inside: Inside, key: str) -> None:
        browser = Browser(inside)
        browser.sign_in(key)
        aged(inside, seen_at=30 * 60_000_000)
        browser.get("/ui/sign-in")
        aged(inside, seen_at=IDLE_US - 60_000_000)
        assert "You are signed in as" in browser.get("/ui/sign-in").text

    def test_a_revoked_key_ends_it_at_once(self, inside: Inside, key: str) -> None:
        browser = Browser(inside)
        browser.sign_in(key)
        assert browser.get("/ui/x").status_code == 404
        with inside.state.store.write() as connection:  # and no cache is asked
            assert keys.revoke(connection, key.split("_")[1], now_us())
        assert browser.get("/ui/x").status_code == 303

    def test_signing_out_ends_the_row_and_the_cookie(self, inside: Inside, key: str) -> None:
        browser = Browser(inside)
        browser.sign_in(key)
        copied = Browser(inside)
        copied.cookies = dict(browser.cookies)
        answer = browser.sign_out()
        assert (answer.status_code, answer.headers["location"]) == (303, "/ui/sign-in?out=yes")
        assert browser.session is None
        assert copied.get("/ui/x").status_code == 303
        assert "You are signed out" in browser.get("/ui/sign-in?out=yes").text
        assert browser.post("/ui/sign-out", {}).headers["location"] == "/ui/sign-in"

    def test_signing_out_wants_its_token(self, inside: Inside, key: str) -> None:
        browser = Browser(inside)
        browser.sign_in(key)
        assert browser.post("/ui/sign-out", {}).status_code == 403
        assert browser.get("/ui/x").status_code == 404


class TestPages:
    def test_the_form_needs_no_script_and_names_its_field(self, inside: Inside) -> None:
        answer = Browser(inside).get("/ui/sign-in")
        assert answer.status_code == 200
        assert "<script" not in answer.text
        assert re.search(r'<label for="key">', answer.text)
        assert re.search(r'<input id="key" name="key" type="password" autocomplete="current-password"', answer.text)
        assert "script-src" not in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"
        style = Browser(inside).get("/ui/static/page.css")
        assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")

    def test_the_start_page_wants_a_sign_in_and_is_there_after_it(self, inside: Inside, key: str) -> None:
        browser = Browser(inside)
        assert browser.get("/ui").status_code == 303
        browser.sign_in(key)
        assert browser.get("/ui/").status_code == 200
