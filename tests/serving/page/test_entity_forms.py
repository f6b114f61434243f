"""The forms of the page of an account or a lead: they do what the API does, once, and only for who may."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest

from serving.audit_log.entry import ACTIONS
from serving.lists import service as lists
from serving.lists.service import Around
from serving.notes.repository import id_of
from serving.overrides.repository import Override
from serving.overrides.schemas import OverrideRequest
from serving.page import entity_forms as forms
from tests.kit.browsing import Browser, token_of
from tests.kit.inside import Inside, running_inside
from tests.kit.list_rows import NOW_US, put

IDS = ("acme", "a/override", "a/action", "a b?c#d%2f")


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with running_inside(tmp_path_factory.mktemp("entity-forms")) as found:
        yield found


@pytest.fixture
def entity_id(inside: Inside, request: pytest.FixtureRequest) -> str:
    """A new account for each test."""
    name = f"of/{request.node.name}"[:200]
    put(inside.state.store, [{"entity_id": name}])
    return name


@pytest.fixture(scope="module")
def browser(inside: Inside) -> Browser:
    put(inside.state.store, [{"entity_id": each} for each in IDS])
    put(inside.state.store, [{"entity_id": "lead/1", "model": "lead-fit"}])
    found = Browser(inside)
    found.sign_in(token_of(inside.key("ui:read", "ui:act", "read", name="jane")))
    return found


def page_of(browser: Browser, entity_id: str, kind: str = "account") -> str:
    answer = browser.get(f"/ui/{kind}/{quote(entity_id)}")
    assert answer.status_code == 200
    return answer.text


def form_of(html: str, name: str) -> tuple[str, dict[str, str]]:
    """The address of the form that names itself so, and its hidden fields."""
    for action, inner in re.findall(r'<form method="post" action="([^"]+)">(.*?)</form>', html, re.S):
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', inner))
        if fields.get("form") == name:
            return unescape(action), {key: unescape(value) for key, value in fields.items()}
    raise AssertionError(f"no form {name}")


def send(browser: Browser, entity_id: str, name: str, kind: str = "account", **typed: str) -> httpx.Response:
    action, fields = form_of(page_of(browser, entity_id, kind), name)
    return browser.post(action, {**fields, **typed})


def told(inside: Inside, entity_id: str, kind: str = "account") -> dict[str, Any]:
    """What the API says of it."""
    state = inside.state
    around = Around(state.watched.directives, NOW_US)
    found: dict[str, Any] = msgspec.to_builtins(
        lists.entity(state.store, state.champions.definitions(), kind, entity_id, around)
    )
    return found


def notes_of(inside: Inside, entity_id: str, kind: str = "account") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = told(inside, entity_id, kind)["notes"]
    return found


def override_of(inside: Inside, entity_id: str) -> dict[str, Any] | None:
    return next(each["override"] for each in told(inside, entity_id)["models"] if each["model"] == "churn-risk")


def rows_of_log(inside: Inside, action: str) -> int:
    assert action in ACTIONS
    with inside.state.store.read() as connection:
        asked = "SELECT count(*) FROM audit_log WHERE action = ?"
        return int(connection.exec_driver_sql(asked, (action,)).scalar_one())


class TestOverride:
    def test_it_stands_beside_the_score_under_the_name_of_who_signed_in(
        self, inside: Inside, browser: Browser, entity_id: str
    ) -> None:
        answer = send(
            browser, entity_id, "override", band="low", reason=" <b>Renewal</b> is signed. ", until="2026-12-31"
        )
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/ui/account/{quote(entity_id)}?model=churn-risk&done=override"
        held = override_of(inside, entity_id)
        assert held is not None
        assert (held["band"], held["reason"]) == ("low", "<b>Renewal</b> is signed.")
        assert (held["author"], held["until"]) == ("jane", "2026-12-31T00:00:00Z")
        html = browser.get(answer.headers["location"]).text
        assert "Your judgement stands beside the score." in html
        assert "&lt;b&gt;Renewal&lt;/b&gt; is signed." in html
        assert "until 2026-12-31" in html

    def test_it_is_withdrawn(self, inside: Inside, browser: Browser, entity_id: str) -> None:
        send(browser, entity_id, "override", band="low", reason="Signed.")
        assert send(browser, entity_id, "withdraw").headers["location"].endswith("done=withdrawn")
        assert override_of(inside, entity_id) is None
        with pytest.raises(AssertionError, match="no form withdraw"):
            form_of(page_of(browser, entity_id), "withdraw")

    def test_sent_twice_it_is_one(self, inside: Inside, browser: Browser, entity_id: str) -> None:
        before = rows_of_log(inside, "override")
        action, fields = form_of(page_of(browser, entity_id), "override")
        for _ in range(2):
            assert browser.post(action, {**fields, "band": "low", "reason": "Signed."}).status_code == 303
        assert rows_of_log(inside, "override") == before + 1

    def test_every_fault_at_once_and_what_was_typed_stays(
        self, inside: Inside, browser: Browser, entity_id: str
    ) -> None:
        answer = send(browser, entity_id, "override", band="zz", reason="x", until="2020-01-01")
        assert answer.status_code == 422
        assert "3 things to mend" in answer.text
        assert 'value="2020-01-01"' in answer.text
        assert ">x</textarea>" in answer.text
        assert answer.text.count("aria-invalid") == 3
        assert re.search(r'<details class="act" open>\s*<summary>Override', answer.text)
        assert override_of(inside, entity_id) is None

    @pytest.mark.parametrize("until", ["2026-02-30", "0001-01-01", "9999-12-31T", "zz", "2026-03-01"])
    def test_a_day_that_is_none_or_over_is_a_fault(self, browser: Browser, entity_id: str, until: str) -> None:
        assert send(browser, entity_id, "override", band="low", reason="Signed.", until=until).status_code == 422

    def test_a_reason_that_no_store_keeps_is_a_fault(self, browser: Browser, entity_id: str) -> None:
        assert send(browser, entity_id, "override", band="low", reason="a\x00bc").status_code == 422


class TestAction:
    def test_it_is_a_note_of_today(self, inside: Inside, browser: Browser, entity_id: str) -> None:
        answer = send(browser, entity_id, "action", action="call", when="2026-03-01", note="<i>They renew</i>")
        assert answer.headers["location"].endswith("?model=churn-risk&done=action")
        (note,) = notes_of(inside, entity_id)
        assert (note["kind"], note["what"], note["source"]) == ("action", "call", "page")
        assert note["when"] == "2026-03-01T06:00:00Z"
        assert note["note"] == "<i>They renew</i>"
        html = browser.get(answer.headers["location"]).text
        assert "Your action is kept." in html
        assert "&lt;i&gt;They renew" in html

    def test_sent_twice_at_once_it_is_one(self, inside: Inside, browser: Browser, entity_id: str) -> None:
        before = rows_of_log(inside, "action")
        action, fields = form_of(page_of(browser, entity_id), "action")
        typed = {**fields, "action": "call", "when": "2026-03-01"}
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: browser.post(action, typed), range(4)))
        assert {answer.status_code for answer in answers} == {303}
        assert len(notes_of(inside, entity_id)) == 1
        assert rows_of_log(inside, "action") == before + 1

    def test_two_of_one_kind_on_one_day_are_two(self, inside: Inside, browser: Browser, entity_id: str) -> None:
        for _ in range(2):  # each from a page of its own: two calls of a day are no repetition
            send(browser, entity_id, "action", action="call", when="2026-03-01")
        assert len(notes_of(inside, entity_id)) == 2

    def test_another_action_from_the_same_page_takes_nothing_away(
        self, inside: Inside, browser: Browser, entity_id: str
    ) -> None:
        action, fields = form_of(page_of(browser, entity_id), "action")
        for word in ("call", "offer"):
            browser.post(action, {**fields, "action": word, "when": "2026-03-01"})
        assert {note["what"] for note in notes_of(inside, entity_id)} == {"call", "offer"}

    def test_every_fault_at_once(self, inside: Inside, browser: Browser, entity_id: str) -> None:
        answer = send(browser, entity_id, "action", action="", when="2027-01-01", note="x" * 1001)
        assert answer.status_code == 422
        assert "3 things to mend" in answer.text
        for where in ("What you did", "When", "Note"):
            assert f"<li>{where}: " in answer.text
        assert "x" * 1001 in answer.text
        assert notes_of(inside, entity_id) == []

    @pytest.mark.parametrize("when", ["", "zz", "0001-01-01", "2026-02-30", "9" * 1000])
    def test_a_day_that_is_none_is_a_fault(self, browser: Browser, entity_id: str, when: str) -> None:
        answer = send(browser, entity_id, "action", action="call", when=when)
        assert answer.status_code == (303 if when == "0001-01-01" else 422)

    def test_it_is_withdrawn(self, inside: Inside, browser: Browser, entity_id: str) -> None:
        send(browser, entity_id, "action", action="call", when="2026-03-01")
        assert send(browser, entity_id, "withdraw-action").status_code == 303
        assert notes_of(inside, entity_id) == []


class TestOutcome:
    def test_its_words_are_those_of_the_models_outcome(self, browser: Browser) -> None:
        words = re.findall(r'name="outcome" value="(\w+)"', page_of(browser, "acme"))
        assert words == ["churned"]
        words = re.findall(r'name="outcome" value="(\w+)"', page_of(browser, "lead/1", "lead"))
        assert words == ["won", "lost"]

    def test_an_outcome_that_is_never_told_has_no_form(self, browser: Browser) -> None:
        html = browser.get("/ui/account/acme?model=expansion").text
        assert "cannot be told" in html
        assert 'name="outcome"' not in html

    def test_it_is_kept(self, inside: Inside, browser: Browser) -> None:
        answer = send(browser, "lead/1", "outcome", "lead", outcome="won", when="2026-02-20")
        assert answer.headers["location"].endswith("done=outcome")
        (note,) = notes_of(inside, "lead/1", "lead")
        assert (note["kind"], note["what"], note["when"]) == ("outcome", "won", "2026-02-20T00:00:00Z")

    def test_a_word_of_other_entities_is_a_fault(self, browser: Browser, entity_id: str) -> None:
        answer = send(browser, entity_id, "outcome", outcome="won", when="2026-02-20")
        assert answer.status_code == 422
        assert "<li>How it turned out: " in answer.text


class TestEveryForm:
    @pytest.mark.parametrize("entity_id", IDS)
    def test_any_id_is_told_of(self, inside: Inside, browser: Browser, entity_id: str) -> None:
        assert send(browser, entity_id, "action", action="visit", when="2026-03-01").status_code == 303
        assert [note["what"] for note in notes_of(inside, entity_id)] == ["visit"]

    def test_a_form_without_its_token_changes_nothing(self, inside: Inside, browser: Browser, entity_id: str) -> None:
        action, fields = form_of(page_of(browser, entity_id), "action")
        typed = {**fields, "action": "call", "when": "2026-03-01"}
        for wrong in ({**typed, "token": "x"}, {name: text for name, text in typed.items() if name != "token"}):
            assert browser.post(action, wrong).status_code == 403
        assert notes_of(inside, entity_id) == []

    def test_without_the_scope_there_is_no_form_and_none_is_taken(self, inside: Inside, entity_id: str) -> None:
        reader = Browser(inside)
        reader.sign_in(token_of(inside.key("ui:read", name="kim")))
        html = page_of(reader, entity_id)
        assert '<form method="post"' not in html
        assert "kim lacks the scope" in html
        fields = {"form": "action", "action": "call", "when": "2026-03-01", "once": "x", "token": "x"}
        assert reader.post(f"/ui/account/{quote(entity_id)}", fields).status_code == 403
        assert notes_of(inside, entity_id) == []

    def test_a_form_that_is_none_is_a_fault(self, browser: Browser, entity_id: str) -> None:
        action, fields = form_of(page_of(browser, entity_id), "action")
        assert browser.post(action, {**fields, "form": "erase"}).status_code == 422

    def test_nothing_is_told_of_who_is_unknown(self, browser: Browser) -> None:
        action, fields = form_of(page_of(browser, "acme"), "override")
        typed = {**fields, "band": "low", "reason": "Signed."}
        assert browser.post(action.replace("acme", "nobody"), typed).status_code == 404


class TestReading:
    """Without the app."""

    def test_days_begin_in_the_zone_of_the_page(self, inside: Inside) -> None:
        model = inside.state.champions.definition("churn-risk")
        typed = {"band": "low", "reason": "Signed.", "until": "2026-12-31"}
        assert forms.override_of(typed, model, NOW_US, "Europe/Berlin").until == "2026-12-30T23:00:00Z"
        _, note = forms.note_of(
            {"action": "call", "when": "2026-02-27"}, "action", "account", "a", NOW_US, "Asia/Tokyo"
        )
        assert note.event_at == NOW_US - (2 * 24 + 6 + 9) * 3_600_000_000
        assert forms.today(NOW_US, "America/Los_Angeles") == "2026-02-28"

    def test_seconds_of_today_make_no_second_note(self) -> None:
        typed = {"action": "call", "when": "2026-03-01", "once": "o"}
        first, second = (
            forms.note_of(typed, "action", "account", "a", now, "UTC")[1] for now in (NOW_US, NOW_US + 9_000_000)
        )
        assert first.tells_as(second)
        assert first.id == second.id

    def test_without_the_field_a_repetition_could_not_be_told_from_a_second_action(self) -> None:
        typed = {"action": "call", "when": "2026-03-01"}
        ids = [
            forms.note_of({**typed, "once": once}, "action", "account", "a", NOW_US, "UTC")[1].id
            for once in (forms.new_once(), forms.new_once())
        ]
        assert ids[0] != ids[1]
        bare = id_of("action", "account", "a", None, "call", NOW_US, forms.SOURCE)
        assert bare not in ids

    def test_what_differs_is_another_override(self) -> None:
        held = Override("churn-risk", "account", "a", "low", "Signed.", "jane", 1, None)
        form = OverrideRequest("churn-risk", "low", "Signed.")
        assert forms.is_same_override(form, held, "jane")
        assert not forms.is_same_override(form, held, "kim")
        assert not forms.is_same_override(form, None, "jane")
        for change in ({"band": "high"}, {"reason": "Other."}, {"until": 5}):
            assert not forms.is_same_override(form, dataclasses.replace(held, **change), "jane")
