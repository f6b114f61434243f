"""The status page: what needs somebody, and putting dead letters back by who may."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from serving.audit_log.entry import Command, Entry
from serving.connections.config import read_connections
from serving.errors import StoreAway
from serving.keys import repository as keys
from serving.outbox import repository as outbox
from serving.registry_heartbeat import note
from serving.runs import run_card
from serving.runs.run_card import RunCard
from serving.store.connect import Store
from serving.store.tables import audit_log
from tests.kit import audited
from tests.kit.browsing import Browser, Form, token_of
from tests.kit.inside import Inside, running_inside
from tests.kit.queued import put_dirty, put_event, put_write
from tests.kit.status_hooks import CONNECTION, SECRET

HOSTILE = '<img src=x onerror="alert(1)">\u202e'
BROKEN = "vendor = ["


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inside]:
    (tmp_path / "connections").mkdir()
    (tmp_path / "connections" / "crm.toml").write_text(CONNECTION)
    (tmp_path / "connections" / "off.toml").write_text(CONNECTION.replace("STATUS_SECRET", "NOT_SET"))
    monkeypatch.setenv("STATUS_SECRET", SECRET)
    with running_inside(tmp_path) as found:
        yield found


def shown(inside: Inside, path: str = "/ui/status") -> str:
    answer = inside.client.get(path)
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


def who(inside: Inside, *scopes: str) -> Browser:
    browser = Browser(inside)
    browser.sign_in(token_of(inside.key(*scopes, name=f"with {' '.join(scopes)}")))
    return browser


def give_up(inside: Inside, connection: str = "crm") -> None:
    store = inside.state.store
    put_write(store, connection, "dead", 5, error="HTTP 400")
    put_event(store, connection, "failed", 6, "no such object")
    put_dirty(store, "sample", "it cannot be scored: ValueError")


def dead(inside: Inside) -> int:
    with inside.state.store.read() as connection:
        return len(outbox.dead(connection))


def run(home: Path, name: str, **more: Any) -> None:
    card = {"state": "published", "source": "sample", "as_of": "2026-02-28", "started_at": "2026-02-28T02:00:00Z"}
    path = home / run_card.FOLDER / f"{name}.json"
    run_card.Written(home, name).write(RunCard(**{**card, **more}))
    assert path.exists()


class TestConnections:
    def test_each_says_whether_it_is_on_and_why_not(self, inside: Inside) -> None:
        put_event(inside.state.store, "crm", "waiting", 10_000_000)
        html = shown(inside)
        assert "NOT_SET: is not set" in html
        assert SECRET not in html
        assert "off: 1 fault in its settings." in html
        assert "crm: an event has waited for" in html

    def test_one_without_dead_letters_has_no_button(self, inside: Inside) -> None:
        assert 'action="/ui/status/replay"' not in shown(inside)
        give_up(inside)
        html = shown(inside)
        assert "crm: 3 dead letters." in html
        assert "Put 3 dead letters back" in html
        assert "HTTP 400" in html

    def test_none_at_all_names_the_next_command(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        with running_inside(tmp_path_factory.mktemp("none")) as inside:
            html = shown(inside)
        assert "No CRM is connected" in html
        assert "python -m serving connections" in html


class TestReplay:
    def test_who_may_puts_them_back_and_the_log_says_who(self, inside: Inside) -> None:
        give_up(inside)
        browser = who(inside, "ui:read", "ui:act", "admin")
        form = Form(browser.get("/ui/status").text, "/ui/status/replay")
        answer = browser.post("/ui/status/replay", {**form.fields, "connection": "crm"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/ui/status?done=replayed#connections")
        assert dead(inside) == 0
        ((kind, name, _, after),) = audited.told(inside.state.store, "replay")
        assert (kind, name, after) == ("person", "crm", {"scores": 1, "events": 1, "entities": 1})
        page = browser.get("/ui/status?done=replayed").text
        assert "waits in its queue again" in page
        assert "with ui:read ui:act admin" in page

    def test_who_may_not_sees_why_and_no_button(self, inside: Inside) -> None:
        give_up(inside)
        for scopes, says in (
            (("ui:read", "ui:act"), "needs the scope admin"),
            (("ui:read", "admin"), "needs the scopes ui:act and admin"),
        ):
            html = who(inside, *scopes).get("/ui/status").text
            assert "/ui/status/replay" not in html
            assert says in html

    @pytest.mark.parametrize("scopes", [("ui:read", "ui:act"), ("ui:read", "admin"), ("ui:read",)])
    def test_a_form_of_ones_own_does_not_help(self, inside: Inside, scopes: tuple[str, ...]) -> None:
        give_up(inside)
        browser = who(inside, *scopes)
        token = Form(browser.get("/ui/sign-in").text, "/ui/sign-out").fields["token"]
        answer = browser.post("/ui/status/replay", {"token": token, "connection": "crm"})
        assert answer.status_code == 403
        assert dead(inside) == 1
        assert audited.told(inside.state.store, "replay") == []

    def test_a_form_without_its_token_changes_nothing(self, inside: Inside) -> None:
        give_up(inside)
        browser = who(inside, "ui:read", "ui:act", "admin")
        assert browser.post("/ui/status/replay", {"connection": "crm"}).status_code == 403
        assert dead(inside) == 1

    @pytest.mark.parametrize("name", ["", "nobody", "../crm", HOSTILE])
    def test_an_unknown_connection_changes_nothing(self, inside: Inside, name: str) -> None:
        give_up(inside)
        browser = who(inside, "ui:read", "ui:act", "admin")
        form = Form(browser.get("/ui/status").text, "/ui/status/replay")
        assert browser.post("/ui/status/replay", {**form.fields, "connection": name}).status_code == 404
        assert dead(inside) == 1
        assert audited.told(inside.state.store, "replay") == []

    def test_of_a_connection_whose_file_cannot_be_read_it_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "connections").mkdir()
        (tmp_path / "connections" / "crm.toml").write_text(BROKEN)
        assert read_connections(tmp_path / "connections").unread
        with running_inside(tmp_path) as inside:
            put_write(inside.state.store, "crm", "dead", 5, error="HTTP 400")
            html = shown(inside)
            assert "once its file can be read" in html
            assert "/ui/status/replay" not in html


class TestRuns:
    def test_duration_exit_code_and_why(self, inside: Inside) -> None:
        home = inside.state.settings.base.home
        run(home, "20260227T020000Z-aaaaaa", seconds=131.5, exit_code=0, ended_at="2026-02-27T02:02:11Z")
        run(
            home, "20260228T020000Z-bbbbbb", state="failed", seconds=3.2, exit_code=2, why="the disk is full: make room"
        )
        html = shown(inside)
        assert "The newest nightly run is failed." in html
        assert "2 min 11 s" in html
        assert "the disk is full: make room" in html
        assert re.search(r'data-label="Exit code">2<', html)

    def test_one_that_was_killed_needs_somebody(self, inside: Inside) -> None:
        run(inside.state.settings.base.home, "20260228T020000Z-cccccc", state="running")
        assert "The newest nightly run is unfinished." in shown(inside)

    def test_older_runs_are_a_page_away(self, inside: Inside) -> None:
        home = inside.state.settings.base.home
        for day in range(1, 13):
            run(home, f"202602{day:02d}T020000Z-aaaaaa", as_of=f"2026-02-{day:02d}", exit_code=0)
        html = shown(inside)
        assert html.count("● </span>published") + html.count("published</span>") >= 10
        link = re.search(r'href="(/ui/status\?before=[^"#]+)', html)
        assert link is not None
        older = shown(inside, link[1])
        assert "2026-02-02" in older
        assert "2026-02-12" not in older

    def test_an_id_that_is_none_is_a_fault(self, inside: Inside) -> None:
        assert inside.client.get("/ui/status?before=../../etc").status_code == 422


class TestWhatIsLive:
    def test_champions_and_what_the_registry_last_said(self, inside: Inside) -> None:
        home = inside.state.settings.base.home
        html = shown(inside)
        assert html.count("not asked since it was put live") == 2
        note(home, "churn-risk")
        note(home, "lead-fit", "it does not answer")
        html = shown(inside)
        assert "not confirmed: it does not answer" in html
        assert "Lead fit: the registry did not confirm what is live." in html
        assert "confirmed 20" in html

    def test_without_any_that_is_said_first(self, tmp_path: Path) -> None:
        with running_inside(tmp_path) as inside:
            inside.state.champions._statuses = {
                name: type(status)() for name, status in inside.state.champions._statuses.items()
            }
            assert "No model is live: nothing is scored." in shown(inside)


class TestStore:
    def test_kind_and_revision(self, inside: Inside) -> None:
        html = shown(inside)
        assert "SQLite" in html
        assert "<dt>Revision</dt>" in html

    def test_one_that_is_away_leaves_the_other_parts(self, inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(_: Store) -> None:
            raise StoreAway("it does not answer")

        monkeypatch.setattr(Store, "read", away)
        html = shown(inside)
        assert "The store does not answer." in html
        assert html.count("Not known: the store does not answer.") == 3
        assert "Nightly runs" in html


class TestKeys:
    def test_names_and_scopes_and_never_what_proves_them(self, inside: Inside) -> None:
        browser = who(inside, "ui:read")
        token = token_of(inside.key("read", "score", name=HOSTILE.replace("\u202e", "")))
        html = browser.get("/ui/status").text
        with inside.state.store.read() as connection:
            hashes = [key.hash for key in keys.all_of(connection)]
        assert '<span class="tag">score</span>' in html
        assert "<img" not in html
        assert token.rpartition("_")[2] not in html
        assert [each for each in hashes if each in html] == []


class TestAuditLog:
    def rows(self, inside: Inside, query: str = "") -> str:
        return unescape(inside.client.get(f"/ui/status/audit{query}").text)

    def test_it_is_found_by_who_and_what(self, inside: Inside) -> None:
        kim = Command("key:4711", "Kim", "person")
        audited.put(inside.state.store, Entry(kim, "export", "audit log", None), audited.entry("acme/1"))
        assert "Kim" in self.rows(inside, "?who=kim")
        assert "Jane Doe" not in self.rows(inside, "?who=kim")
        assert "Jane Doe" in self.rows(inside, "?what=override")
        assert '/ui/account/acme/1"' in self.rows(inside, "?what=override")
        assert "No such row" in self.rows(inside, "?who=kim&what=override")

    def test_older_rows_keep_the_filter(self, inside: Inside) -> None:
        audited.put(inside.state.store, *(audited.entry(f"a{n}", number=n) for n in range(60)))
        html = self.rows(inside, "?who=jane&what=override")
        link = re.search(r'href="([^"]+)">Older rows', html)
        assert link is not None
        assert link[1].startswith("/ui/status/audit?who=jane&what=override&before=")
        older = unescape(inside.client.get(link[1]).text)
        assert ">a0<" in older
        assert ">a59<" not in older

    @pytest.mark.parametrize("query", ["?what=nonsense", "?before=x", "?who=" + "x" * 201, "?before=" + "9" * 30])
    def test_a_bad_filter_is_a_fault_and_no_fault_of_ours(self, inside: Inside, query: str) -> None:
        answer = inside.client.get(f"/ui/status/audit{query}")
        assert answer.status_code == 422
        assert "thing to mend" in answer.text

    def test_it_is_verified_and_an_altered_row_is_found(self, inside: Inside) -> None:
        audited.six(inside.state.store)
        assert "The log is intact: 6 rows" in self.rows(inside, "?verify=now")
        with inside.state.store.write() as connection:
            connection.execute(update(audit_log).where(audit_log.c.seq == 4).values(at=7))
        html = self.rows(inside, "?verify=now")
        assert "The log is not intact" in html
        assert "Row 4 was altered or moved" in html

    def test_names_are_text(self, inside: Inside) -> None:
        audited.put(inside.state.store, Entry(Command(HOSTILE, HOSTILE), "export", "x", HOSTILE, None, {"to": HOSTILE}))
        for path in ("/ui/status", "/ui/status/audit"):
            assert "<img" not in inside.client.get(path).text

    def test_what_an_erasure_took_out_is_said(self, inside: Inside) -> None:
        audited.six(inside.state.store)
        with inside.state.store.write() as connection:
            connection.execute(update(audit_log).where(audit_log.c.seq == 2).values(details=None, subject=None))
        assert "taken out" in self.rows(inside)


def test_nothing_inline_and_a_label_for_each_field(inside: Inside) -> None:
    give_up(inside)
    for path in ("/ui/status", "/ui/status/audit?verify=now"):
        answer = inside.client.get(path)
        assert not re.search(r"style=|<style|<script(?! src=)|<[^>]*\son\w+=", answer.text)
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        for name in re.findall(r'<(?:input|select)[^>]* id="([^"]+)"', answer.text):
            assert f'for="{name}"' in answer.text
        assert answer.text.count("<h1>") == 1


def test_a_page_of_many_keys_and_rows_is_small(inside: Inside) -> None:
    for number in range(120):
        inside.key("ui:read", name=f"key {number}")
    audited.put(inside.state.store, *(audited.entry(f"a{n}", number=n) for n in range(60)))
    browser = who(inside, "ui:read")
    html = browser.get("/ui/status").text
    assert len(html.encode()) < 100_000
    assert "more: <code>python -m serving keys list" in html
    assert len(browser.get("/ui/status/audit").text.encode()) < 100_000
