"""Rows of the audit log come with the change that they tell of, one after the other, and lose what is personal."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from serving.audit_log import repository
from serving.audit_log.chain import Head, verify
from serving.audit_log.entry import Entry, command
from serving.errors import StoreAway
from serving.store import version_counters
from serving.store.connect import Store
from serving.store.deletions import stored_hash_of_id
from serving.store.tables import audit_log, overrides
from tests.kit.audited import entry, put, six, verdict_of

pytestmark = pytest.mark.both_databases
OVERRIDE = {
    "model": "churn-risk",
    "entity": "account",
    "entity_id": "acme",
    "band": "low",
    "reason": "They signed.",
    "author": "j.doe",
    "set_at": 1,
}


def at_once(store: Store, count: int = 6) -> list[BaseException]:
    """What went wrong in threads that append at the same time, ten rows each."""
    wrong: list[BaseException] = []
    ready = threading.Barrier(count)

    def run(number: int) -> None:
        ready.wait()
        try:
            for _ in range(10):
                put(store, entry(f"a{number}"))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


class TestAppend:
    def test_rows_follow_each_other_without_a_gap(self, store: Store) -> None:
        head = six(store)
        with store.read() as connection:
            assert [row["seq"] for row in repository.rows(connection)] == [1, 2, 3, 4, 5, 6]
            assert repository.head(connection) == head
        assert verdict_of(store, head).intact

    def test_an_empty_log_has_the_head_of_nothing(self, store: Store) -> None:
        with store.read() as connection:
            assert repository.head(connection) == Head()
            assert repository.has(connection, Head())
        assert verdict_of(store).intact

    def test_a_change_that_fails_leaves_no_row_and_a_row_that_fails_no_change(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def change(fails: bool) -> None:
            with store.write() as connection:
                connection.execute(insert(overrides), [OVERRIDE])
                repository.append(connection, entry(), 1)
                if fails:
                    raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            change(True)
        with monkeypatch.context() as patch:
            patch.setattr(repository, "row_of", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                change(False)
        with store.read() as connection:
            assert connection.execute(select(overrides)).all() == []
            assert list(repository.rows(connection)) == []
        change(False)
        assert verdict_of(store).rows == 1

    def test_running_processes_are_told(self, store: Store) -> None:
        put(store, entry())
        with store.read() as connection:
            assert version_counters.of(connection, repository.GENERATION) == 1

    def test_an_event_is_taken_in_once(self, store: Store) -> None:
        one = Entry(command("training promote"), "promotion", "model", "churn-risk")
        for expected in (True, False):
            with store.write() as connection:
                assert repository.append_event(connection, one, 5, "e1") is expected
        with store.read() as connection:
            assert [(row["event"], row["at"]) for row in repository.rows(connection)] == [("e1", 5)]
        assert verdict_of(store).intact


class TestAtOnce:
    def test_appends_at_once_make_one_chain(self, store: Store) -> None:
        assert at_once(store) == []
        verdict = verdict_of(store)
        assert (verdict.intact, verdict.rows) == (True, 60)

    def test_without_the_lock_they_do_not(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin. A write transaction of SQLite is alone, and needs no lock."""
        monkeypatch.setattr(repository, "bump", lambda connection, name: None)
        wrong = at_once(store)
        if store.dialect == "sqlite":
            assert wrong == []
        else:
            assert wrong
            assert all(isinstance(error, (IntegrityError, StoreAway)) for error in wrong)


class TestTampering:
    """As somebody does it who may write the store; each way is in `test_chain`."""

    def test_an_altered_deleted_or_moved_row_is_found(self, store: Store) -> None:
        six(store)

        def broken(*statements: object) -> bool:
            with store.engine.connect() as connection:
                for statement in statements:
                    connection.execute(statement)  # type: ignore[call-overload]
                found = verify(repository.rows(connection)).intact
                connection.rollback()
            return not found

        assert not broken()
        assert broken(update(audit_log).where(audit_log.c.seq == 3).values(at=7))
        assert broken(update(audit_log).where(audit_log.c.seq == 3).values(details=None, subject=None))
        assert broken(audit_log.delete().where(audit_log.c.seq == 3))
        assert broken(
            update(audit_log).where(audit_log.c.seq == 3).values(seq=99),
            update(audit_log).where(audit_log.c.seq == 4).values(seq=3),
            update(audit_log).where(audit_log.c.seq == 99).values(seq=4),
        )

    def test_the_last_rows_are_missed_by_the_head_alone(self, store: Store) -> None:
        head = six(store)
        with store.write() as connection:
            connection.execute(audit_log.delete().where(audit_log.c.seq > 4))
            assert not repository.has(connection, head)
        assert not verdict_of(store, head).intact
        assert verdict_of(store).intact


class TestRedact:
    def erase(self, store: Store, name: str) -> None:
        with store.write() as connection:
            redacted = repository.redact_subjects(connection, [stored_hash_of_id("account", name)])
            after = {"redacted": redacted}
            repository.append(connection, Entry(command("x"), "erasure", "account", None, None, after), 9)

    def held(self, store: Store) -> bytes:
        with store.read() as connection:
            return b"".join(
                bytes(row[part]) for row in repository.rows(connection) for part in ("actor", "details") if row[part]
            )

    def test_an_erasure_takes_the_details_of_its_subject_alone_and_the_chain_holds(self, store: Store) -> None:
        head = six(store)
        self.erase(store, "acme")
        assert b"acme" not in self.held(store)
        assert self.held(store).count(b'"beta"') == 2
        assert self.held(store).count(b"Jane Doe") == 6  # who did it stays
        verdict = verdict_of(store, head)
        assert (verdict.intact, verdict.redacted, verdict.rows) == (True, 2, 7)
        with store.read() as connection:
            subjects = [row["subject"] for row in repository.rows(connection)]
        assert [subject is None for subject in subjects] == [True, False, False, True, False, False, True]

    def test_one_that_names_no_rows_is_found(self, store: Store) -> None:
        """The sabotaged twin: as if somebody took the details out by hand."""
        six(store)
        with store.write() as connection:
            repository.redact_subjects(connection, [stored_hash_of_id("account", "acme")])
        assert verdict_of(store).faults == [
            "the details of row 1 was deleted, and no erasure or retention run says so",
            "the details of row 4 was deleted, and no erasure or retention run says so",
        ]

    def test_a_retention_run_takes_what_is_older_and_leaves_what_explains_it(self, store: Store) -> None:
        six(store)
        self.erase(store, "acme")
        put(store, entry("late"), at=20)
        with store.write() as connection:
            redacted = repository.redact_before(connection, 15)
            after = {"redacted": redacted}
            repository.append(connection, Entry(command("x"), "retention", "store", None, None, after), 21)
        assert redacted == {"actor": [[1, 7]], "details": [[2, 3], [5, 6]]}
        held = self.held(store)
        assert b"beta" not in held
        assert b"late" in held
        verdict = verdict_of(store)
        assert (verdict.intact, verdict.redacted) == (True, 7)

    def test_a_second_run_names_what_it_took_itself(self, store: Store) -> None:
        six(store)
        with store.write() as connection:
            assert repository.redact_before(connection, 5) == {"actor": [[1, 6]], "details": [[1, 6]]}
            assert repository.redact_before(connection, 5) == {"actor": [], "details": []}


class TestGivenUp:
    def test_a_head_that_a_restore_names_counts_as_known(self, store: Store) -> None:
        gone = Head(9, "a" * 64)
        with store.write() as connection:
            assert not repository.has(connection, gone)
            after = {"given_up": [str(gone)]}
            repository.append(connection, Entry(command("restore"), "restore", "store", None, None, after), 1)
            assert repository.has(connection, gone)
            assert repository.given_up(connection) == {str(gone)}
