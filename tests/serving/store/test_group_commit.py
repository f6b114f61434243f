"""Jobs of many threads end in one transaction, and one that fails fails alone."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import event, insert, select, text
from sqlalchemy.exc import IntegrityError

from serving.errors import StoreAway
from serving.store.connect import Store, Writing, insert_new
from serving.store.group_commit import GroupWriter
from serving.store.tables import inbox
from tests.kit.store_rows import letter

pytestmark = pytest.mark.both_databases


class TestGroupWriter:
    def test_a_future_is_done_after_its_commit(self, store: Store) -> None:
        writer = GroupWriter(store)
        try:
            assert (
                writer.submit(lambda c: insert_new(c, inbox, [letter("a")], ("connection", "dedupe_key"))).result(10)
                == 1
            )
            with store.read() as connection:
                assert len(connection.execute(select(inbox)).all()) == 1
        finally:
            writer.close()

    def test_one_bad_job_does_not_fail_its_neighbours(self, store: Store) -> None:
        writer = GroupWriter(store)
        gate = threading.Event()
        writer.submit(lambda _c: gate.wait(10))  # the jobs below end in one transaction
        good = [
            writer.submit(lambda c, n=n: insert_new(c, inbox, [letter(f"k{n}")], ("connection", "dedupe_key")))  # type: ignore[misc]
            for n in range(3)
        ]
        bad = writer.submit(lambda _c: 1 / 0)
        good.append(writer.submit(lambda c: insert_new(c, inbox, [letter("last")], ("connection", "dedupe_key"))))
        gate.set()
        try:
            assert [future.result(10) for future in good] == [1, 1, 1, 1]
            with pytest.raises(ZeroDivisionError):
                bad.result(10)
        finally:
            writer.close()

    def test_goes_on_after_a_transaction_that_failed(self, store: Store) -> None:
        writer = GroupWriter(store)
        try:
            for key in ("a", "b"):
                row = letter(key)
                writer.submit(lambda c, row=row: c.execute(insert(inbox), [row])).result(10)  # type: ignore[misc]
                with pytest.raises(IntegrityError):  # the same key again, by a statement that does not look
                    writer.submit(lambda c, row=row: c.execute(insert(inbox), [row])).result(10)  # type: ignore[misc]
        finally:
            writer.close()
        with store.read() as connection:
            assert len(connection.execute(select(inbox)).all()) == 2

    def test_sqlite_keeps_its_connection_until_a_transaction_fails(self, store: Store) -> None:
        taken: list[object] = []
        event.listen(store.engine, "checkout", lambda *args: taken.append(args))
        writing = Writing(store)
        for _ in range(3):
            with writing() as connection:
                connection.execute(text("SELECT 1"))
        with pytest.raises(ZeroDivisionError), writing():
            raise ZeroDivisionError
        with writing() as connection:
            connection.execute(text("SELECT 1"))
        writing.close()
        assert len(taken) == (2 if store.dialect == "sqlite" else 5)
        assert store.engine.pool.checkedout() == 0  # type: ignore[attr-defined]

    def test_closing_commits_what_was_submitted_and_refuses_what_comes_later(self, store: Store) -> None:
        writer = GroupWriter(store)
        futures = [
            writer.submit(lambda c, n=n: insert_new(c, inbox, [letter(f"k{n}")], ("connection", "dedupe_key")))  # type: ignore[misc]
            for n in range(600)
        ]
        writer.close()
        assert sum(future.result(0) for future in futures) == 600
        with pytest.raises(StoreAway):
            writer.submit(lambda _c: None).result(10)
