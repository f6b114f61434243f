"""The audit log as people see it: the newest first, by who and what, and a verification that ends in time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from serving.audit_log import head, view
from serving.audit_log.entry import Command, Entry
from serving.store.connect import Store
from serving.store.tables import audit_log
from tests.kit.audited import JANE, put, six

KIM = Command("key:4711", "Kim", "person")


def by(who: Command, action: str = "export", number: int = 0) -> Entry:
    return Entry(who, action, "audit log", None, None, {"number": number})


def numbers(store: Store, **asked: Any) -> list[int]:
    given = {"before": None, "action": None, "who": None, "limit": 10} | asked
    return [row["seq"] for row in view.page(store, **given).rows]


@pytest.mark.both_databases
class TestPage:
    def test_the_newest_come_first_and_pages_follow(self, store: Store) -> None:
        put(store, *(by(KIM, number=n) for n in range(7)))
        first = view.page(store, None, None, None, 3)
        assert [row["seq"] for row in first.rows] == [7, 6, 5]
        second = view.page(store, first.next, None, None, 3)
        assert [row["seq"] for row in second.rows] == [4, 3, 2]
        last = view.page(store, second.next, None, None, 3)
        assert ([row["seq"] for row in last.rows], last.next) == ([1], None)

    def test_by_who_and_what(self, store: Store) -> None:
        put(store, by(KIM), by(JANE), by(KIM, "replay"), by(JANE, "replay"))
        assert numbers(store, who="kim") == [3, 1]
        assert numbers(store, who="KEY:47") == [3, 1]
        assert numbers(store, action="replay") == [4, 3]
        assert numbers(store, who="jane", action="replay") == [4]
        assert numbers(store, who="nobody") == []
        assert numbers(store, who="none") == []

    def test_a_search_goes_on_behind_a_part_and_ends_after_so_many_rows(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(store, by(KIM), *(by(JANE, number=n) for n in range(9)))
        monkeypatch.setattr(view, "PART", 2)
        assert numbers(store, who="kim") == [1]
        monkeypatch.setattr(view, "MOST_LOOKED_AT", 4)
        found = view.page(store, None, None, "kim", 10)
        assert (found.rows, found.looked_at) == ([], 4)
        assert found.next == 7
        assert [row["seq"] for row in view.page(store, 3, None, "kim", 10).rows] == [1]


class TestVerifyWithin:
    def test_an_intact_log(self, store: Store, tmp_path: Path) -> None:
        six(store)
        head.keep(store, tmp_path)
        found = view.verify_within(store, tmp_path)
        assert found.verdict is not None
        assert (found.verdict.intact, found.verdict.complete, found.verdict.rows) == (True, True, 6)

    def test_an_altered_row_is_found(self, store: Store, tmp_path: Path) -> None:
        six(store)
        with store.write() as connection:
            connection.execute(update(audit_log).where(audit_log.c.seq == 3).values(action="export"))
        found = view.verify_within(store, tmp_path)
        assert found.verdict is not None
        assert not found.verdict.intact

    def test_rows_missing_at_the_end_are_found_by_the_home(self, store: Store, tmp_path: Path) -> None:
        six(store)
        head.keep(store, tmp_path)
        with store.write() as connection:
            connection.execute(audit_log.delete().where(audit_log.c.seq == 6))
        found = view.verify_within(store, tmp_path)
        assert found.verdict is not None
        assert "the log ends at row 5" in found.verdict.faults[0]

    def test_it_ends_in_time_and_judges_nothing_that_it_did_not_see(self, store: Store, tmp_path: Path) -> None:
        six(store)
        head.keep(store, tmp_path)
        seconds = iter(range(100))
        found = view.verify_within(store, tmp_path, 3, lambda: float(next(seconds)))
        assert found.verdict is not None
        assert (found.verdict.complete, found.verdict.rows, found.verdict.faults) == (False, 2, [])

    def test_one_at_a_time(self, store: Store, tmp_path: Path) -> None:
        with view._one:
            found = view.verify_within(store, tmp_path)
        assert (found.verdict, found.why) == (None, "another verification is running: look again in a moment")
        assert view.verify_within(store, tmp_path).verdict is not None

    def test_a_damaged_head_is_said_without_its_place(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / head.FILE).write_text("{")
        found = view.verify_within(store, tmp_path)
        assert found.verdict is None
        assert found.why is not None
        assert "audit_head.json" in found.why
        assert str(tmp_path) not in found.why


def test_a_long_hash_is_shortened_and_the_rest_stays() -> None:
    assert list(view.told({"scorer": "a" * 64, "to": "b" * 63})) == [("scorer", "a" * 12 + "…"), ("to", "b" * 63)]


def test_nothing_is_told_of_nothing() -> None:
    assert list(view.told(None)) == []
