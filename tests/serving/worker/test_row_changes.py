"""One value that its column cannot hold, or one stored row that cannot be read, stops nobody else (issue 13)."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import insert, select

from features.kit.clock import make_clock, to_us
from features.sources.schema import TABLES
from features.sources.typed_values import Unreadable, coerce
from serving.store.connect import Store, insert_new
from serving.store.tables import changes, dirty, inbox
from serving.worker import row_changes as stored_changes
from serving.worker import score_dirty, set_aside
from serving.worker.loop import Worker
from tests.kit.hubspot_worker import deliver, hubspot_worker, scored, states
from tests.kit.running import AS_OF, Home, quick_home

LEADS, ACCOUNTS = TABLES["leads"], TABLES["accounts"]


BAD = {
    "employees": (
        "99999999999999999999",
        "-99999999999999999999",
        "51-200",
        "1e300",
        "nan",
        "inf",
        "1_000",
        "12.5",
        "9" * 5000,
    ),
    "annual_revenue": ("1e300", "123456789012345678", "-123456789012345678", "nan", "-inf", "1e999", "much"),
    "is_trial": ("maybe", "2", "x" * 5000),
    "industry": ("x" * 10_001, "soft\x00ware", "half\ud800"),
    "account_id": ("a" * 257,),
}


BAD_TIMES = (
    "9999999999999999999",
    "-9999999999999999999",
    "253402300800000",
    "-62135596800001",
    "10000-01-01",
    "0000-01-01",
    "0001-01-01T00:00:00+05:00",
    "9999-12-31T23:59:59-05:00",
    "soon",
)


GOOD = {
    "employees": ("0", "250", "9223372036854775807", "1e3", " 12 "),
    "annual_revenue": ("1e6", ".5", "-3"),
    "is_trial": ("TRUE", "no", "1"),
    "industry": ("x" * 10_000, "\u202eerawtfos", ""),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return quick_home(tmp_path_factory.mktemp("home"))


pytestmark = pytest.mark.both_databases


@pytest.fixture
def worker(home: Home, store: Store) -> Worker:
    return hubspot_worker(store, home, BAD)


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in BAD.items() for v in values])
def test_a_value_that_its_column_cannot_hold_is_told_from_others(name: str, value: str) -> None:
    column = LEADS.column(name)
    assert column is not None
    with pytest.raises(Unreadable) as caught:
        coerce(column, value)
    assert value not in caught.value.rule
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", BAD_TIMES)
def test_a_time_beyond_the_calendar(value: str) -> None:
    column = ACCOUNTS.column("founded_time")
    assert column is not None
    with pytest.raises(Unreadable, match="years 1 to 9999"):
        coerce(column, value)


def test_whole_numbers_are_exact_and_good_values_are_taken() -> None:
    employees, revenue = LEADS.column("employees"), LEADS.column("annual_revenue")
    assert employees is not None
    assert revenue is not None
    assert coerce(employees, "9007199254740993") == 9007199254740993  # 2^53 + 1, which no float holds
    assert coerce(revenue, "90071992547409.92") == 9007199254740992  # 2^53 cents
    for name, values in GOOD.items():
        column = LEADS.column(name)
        assert column is not None
        for value in values:
            coerce(column, value)


def test_bad_values_fail_and_the_others_of_the_delivery_are_scored(store: Store, worker: Worker) -> None:
    bad = [
        ("contact", f"1{n}{m}", name, value)
        for n, (name, values) in enumerate(BAD.items())
        for m, value in enumerate(values)
    ]
    bad += [("company", f"2{n}", "founded", value) for n, value in enumerate(BAD_TIMES)]
    good = [
        ("contact", "77", "industry", "software"),
        ("company", "7", "employees", "12"),
        ("contact", "78", "employees", "250"),
    ]
    deliver(store, worker, good[0], *bad, *good[1:])
    found = states(store)
    assert {found[one[1]][0] for one in bad} == {"failed"}
    assert all(found[one[1]][1] for one in bad)
    assert {found[one[1]][0] for one in good} == {"scored"}
    assert {"lead_77", "acc_7", "lead_78"} <= scored(store)
    with store.read() as connection:
        assert connection.execute(select(dirty)).all() == []


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


def poison_of_0_1(store: Store) -> list[str]:
    """Every way in which a stored row cannot be read; and two that can."""
    store_as_0_1(store, "leads", "lead", "lead_100", "employees", "99999999999999999999")
    store_as_0_1(store, "leads", "lead", "lead_101", "annual_revenue", "1e300")
    store_as_0_1(store, "leads", "lead", "lead_102", "annual_revenue", "123456789012345678")
    store_as_0_1(store, "accounts", "account", "acc_100", "founded_time", "9999999999999999999")
    store_as_0_1(store, "leads", "lead", "lead_103", "industry", b"{no json")
    store_as_0_1(store, "leads", "lead", "lead_104", "industry", b"[1]")
    store_as_0_1(store, "leads", "lead", "lead_105", "industry", "a", event_us=2**62)
    store_as_0_1(store, "leads", "lead", "lead_106", "is_trial", {"a": 1})
    store_as_0_1(store, "no_such_table", "lead", "lead_107", "industry", "a")
    store_as_0_1(store, "leads", "lead", "lead_77", "industry", "software")
    store_as_0_1(store, "leads", "lead", "lead_77", "employees", "1e999")
    store_as_0_1(store, "accounts", "account", "acc_7", "employees", "12")
    return [f"lead_{n}" for n in range(100, 107)] + ["acc_100"]


def test_a_home_with_rows_that_0_1_stored_recovers(store: Store, worker: Worker) -> None:
    poisoned = poison_of_0_1(store)
    worker.once()
    assert scored(store) == {
        "lead_77",
        "acc_7",
    }  # without what cannot be read; of the others nothing is left to be scored
    with store.read() as connection:
        found = {(row.object_id, row.property): (row.state, row.detail) for row in connection.execute(select(inbox))}
    by_id = {key: state for (key, _), (state, _) in found.items() if key in poisoned}
    assert set(by_id.values()) == {"failed"}
    assert "not an integer between" in str(found["lead_100", "employees"][1])
    assert found["lead_77", "employees"][0] == "failed"
    assert found["lead_77", "industry"][0] == found["acc_7", "employees"][0] == "scored"
    with store.read() as connection:
        assert connection.execute(select(dirty)).all() == []


@pytest.mark.slow
def test_without_both_guards_nobody_is_scored(store: Store, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sabotaged twins: unchecked, the poisoned one is set aside; with nobody set aside, everybody waits for ever."""
    store_as_0_1(store, "leads", "lead", "lead_100", "employees", "99999999999999999999")
    store_as_0_1(store, "leads", "lead", "lead_77", "industry", "software")
    monkeypatch.setattr(stored_changes, "readable", lambda _source, _table, rows: (list(rows), []))
    with monkeypatch.context() as patched:
        patched.setattr(score_dirty, "score_round", score_dirty._score_some)
        with pytest.raises(Exception, match="99999999999999999999"):
            worker.once()
    assert scored(store) == set()
    worker.once()
    assert scored(store) == {"lead_77"}
    with store.read() as connection:
        assert [row["entity_id"] for row in set_aside.all_of(connection)] == ["lead_100"]
