"""One record that cannot be scored is set aside, and stops nobody else (issue 13)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert
from typer.testing import CliRunner

from features.kit.clock import make_clock, to_us
from serving.__main__ import app
from serving.inbox import repository as letters
from serving.store.connect import Store, insert_new
from serving.store.tables import changes, dirty, inbox
from serving.worker import score_dirty, set_aside
from serving.worker.loop import Worker
from tests.kit.audited import told
from tests.kit.hubspot_worker import deliver, hubspot_worker, scored, states
from tests.kit.running import AS_OF, Home, quick_home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return quick_home(tmp_path_factory.mktemp("home"))


pytestmark = pytest.mark.both_databases


@pytest.fixture
def worker(home: Home, store: Store) -> Worker:
    return hubspot_worker(store, home, ["industry"])


def store_as_0_1(
    store: Store, table: str, entity: str, key: str, name: str, value: object, event_us: int | None = None
) -> int:
    """A change that an earlier version stored without looking: its event was applied and its entity is dirty for ever."""
    now = to_us(make_clock(AS_OF)()) - 10**9
    with store.write() as connection:
        row = {
            "connection": "crm",
            "dedupe_key": f"{key} {name}",
            "received_at": now,
            "occurred_at": now,
            "kind": "contact.propertyChange",
            "object_type": "contact",
            "object_id": key,
            "property": name,
            "value": str(value)[:50],
            "effect": "change",
            "state": "applied",
            "entity": entity,
            "entity_id": key,
        }
        letter = connection.execute(insert(inbox).returning(inbox.c.id), [row]).scalar_one()
        columns = value if isinstance(value, bytes) else msgspec.json.encode({name: value})
        owner = {"account_id": key} if entity == "account" else {"lead_id": key}
        change = {
            "source": "sample",
            "table_name": table,
            "key": key,
            "event_time": now if event_us is None else event_us,
            "known_time": now,
            "columns": columns,
            "inbox_id": letter,
            **owner,
        }
        connection.execute(insert(changes), [change])
        row = {"source": "sample", "entity": entity, "entity_id": key, "generation": 1, "due_at": now}
        insert_new(connection, dirty, [row], ("source", "entity", "entity_id"))
    return int(letter)


class TestSetAside:
    """Whatever is wrong with one."""

    @pytest.fixture
    def broken(self, monkeypatch: pytest.MonkeyPatch) -> set[str]:
        """Ids whose panel fails."""
        bad: set[str] = set()
        real = score_dirty.build_panel  # type: ignore[attr-defined]

        def build(source: object, entity: str, as_ofs: object, **more: Any) -> object:
            asked = {*more.get("ids", ()), *more.get("known_before", ())}
            if bad & asked or "everybody" in bad:
                raise ZeroDivisionError
            return real(source, entity, as_ofs, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(score_dirty, "build_panel", build)
        return bad

    def test_a_broken_record_is_set_aside_until_it_changes_or_is_put_back(
        self, store: Store, worker: Worker, broken: set[str]
    ) -> None:
        broken |= {"lead_70", "lead_73"}
        deliver(store, worker, *(("contact", str(n), "industry", "software") for n in range(70, 74)))
        assert scored(store) == {f"lead_{n}" for n in range(70, 74)} - broken
        with store.read() as connection:
            aside = set_aside.all_of(connection)
        assert [(row["entity_id"], row["error"]) for row in aside] == [
            (each, "it cannot be scored: ZeroDivisionError") for each in ("lead_70", "lead_73")
        ]
        assert worker.once() == (0, 0)  # not tried for ever
        broken.clear()
        deliver(store, worker, ("contact", "70", "industry", "retail"))
        with store.write() as connection:
            assert set_aside.retry(connection, "sample") == 1
        worker.once()
        assert {"lead_70", "lead_73"} <= scored(store)
        assert {state for state, _ in states(store).values()} == {"scored"}

    def test_a_fault_of_everybody_sets_nobody_aside(self, store: Store, worker: Worker, broken: set[str]) -> None:
        broken.add("everybody")
        with pytest.raises(ZeroDivisionError):
            deliver(store, worker, ("contact", "70", "industry", "software"), ("contact", "71", "industry", "software"))
        with store.read() as connection:
            assert set_aside.count(connection) == 0
        broken.clear()
        worker.once()
        assert scored(store) == {"lead_70", "lead_71"}


def test_what_was_set_aside_is_listed_and_put_back_by_command(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "home" / "connections"
    folder.mkdir(parents=True)
    (folder / "crm.toml").write_text(
        'vendor = "hubspot"\npublic_url = "https://x.example"\nsecret_envs = ["UNSET_SECRET"]\nsource = "sample"\n'
        '[objects.contact]\ntable = "leads"\ncolumns = { numemployees = "employees" }\n'
    )
    monkeypatch.setenv("ACCOUNTSCORE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ACCOUNTSCORE_STORE_URL", str(store.engine.url))
    letter = store_as_0_1(store, "leads", "lead", "lead_100", "employees", "99999999999999999999")
    with store.write() as connection:
        letters.mark(connection, letter, letters.FAILED, "leads.employees: the value is not an integer")
    set_aside.put(store, "sample", "lead", "lead_100", 1, ZeroDivisionError(), 1)
    runner = CliRunner()
    listed = runner.invoke(app, ["dead-letters", "list"])
    assert listed.exit_code == 0, listed.output
    assert [line.split("\t") for line in listed.stdout.splitlines()] == [
        ["crm", "event", "employees", "contact/lead_100", "1", "leads.employees: the value is not an integer"],
        ["sample", "score", "lead_100", "lead", "1", "it cannot be scored: ZeroDivisionError"],
    ]
    back = runner.invoke(app, ["dead-letters", "replay", "crm"])
    assert "2 put back" in back.stdout
    assert told(store, "replay") == [("system", "crm", {}, {"scores": 0, "events": 1, "entities": 1})]
    assert runner.invoke(app, ["dead-letters", "list", "crm"]).stdout == ""
