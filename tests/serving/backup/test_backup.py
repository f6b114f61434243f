"""Backup and restore, from and into either database."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from features.kit.errors import UserMistake
from features.sources.suppression import hash_of_id
from serving.audit_log.chain import Verdict
from serving.backup.backup import Difference, Restored, backup, restore
from serving.keys import repository as keys
from serving.keys import service
from serving.privacy import protections
from serving.privacy import repository as privacy
from serving.privacy.protections import KeptProtections
from serving.store import version_counters
from serving.store.connect import Store, insert_new, open_store, upsert
from serving.store.tables import inbox, metadata, signals
from tests.kit.audited import actions, entry, put, six, told, verdict_of
from tests.kit.databases import DATABASES, store_url
from tests.kit.protection import CRM, company, protect
from tests.kit.store_rows import letter, signal_row

pytestmark = pytest.mark.both_databases


@pytest.fixture(params=DATABASES)
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "second").mkdir()
    opened = open_store(store_url(request, tmp_path / "second"))
    yield opened
    opened.close()


def fill(store: Store, count: int = 1100) -> None:
    with store.write() as connection:
        connection.execute(insert(signals), [signal_row("acme", 7)])
        insert_new(connection, inbox, [letter(f"k{n}") for n in range(count)], ("connection", "dedupe_key"))
        service.create(connection, b"pepper", "crm", ["score"], 1)


def content(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with store.read() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
            if table.name != "generations"
        }


def test_what_is_restored_is_what_was_there(store: Store, other: Store, tmp_path: Path) -> None:
    fill(store)
    file = tmp_path / "backup.db"
    assert backup(store, file) == file.stat().st_size > 0
    assert list(tmp_path.glob(".backup*")) == []
    done = restore(other, file, 9)
    assert done.rows["inbox"] == 1100
    assert (done.taken_back, done.kept) == ({}, KeptProtections())
    here, there = content(other), content(store)
    logged = here.pop("audit_log")
    assert logged[:-1] == there.pop("audit_log")
    assert logged[-1][3] == "restore"
    assert here == there
    with other.write() as connection:  # and keys go on being counted up
        assert insert_new(connection, inbox, [letter("new")], ("connection", "dedupe_key")) == 1


class TestAuditLog:
    """Which rows of the log a restore costs is said by the log itself."""

    def restored(self, store: Store, tmp_path: Path) -> Verdict:
        six(store)
        backup(store, tmp_path / "b.db")
        lost = put(store, entry("acme"), entry("beta"))
        restore(store, tmp_path / "b.db", 9, overwrite=True, known=lost)
        return verdict_of(store, lost)

    def test_it_goes_on_and_names_the_end_that_was_lost(self, store: Store, tmp_path: Path) -> None:
        verdict = self.restored(store, tmp_path)
        assert (verdict.intact, verdict.rows) == (True, 7)
        assert verdict.losses == ["row 7 (restore): the log goes on from row 6, it once ended at row 8"]

    def test_without_its_row_the_log_has_lost_its_end(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin, and what a copy of the file put back by hand looks like."""
        monkeypatch.setattr("serving.backup.backup._log", lambda *_: None)
        verdict = self.restored(store, tmp_path)
        assert "the log ends at row 6 and the home knows of row 8" in verdict.faults[0]

    def test_into_a_new_store_the_home_alone_knows_what_is_lost(
        self, store: Store, other: Store, tmp_path: Path
    ) -> None:
        six(store)
        backup(store, tmp_path / "b.db")
        lost = put(store, entry("acme"))
        restore(other, tmp_path / "b.db", 9, known=lost)
        assert verdict_of(other, lost).intact
        assert told(other, "restore")[0][3]["given_up"] == [str(lost)]

    def test_a_restore_that_loses_nothing_gives_nothing_up(self, store: Store, tmp_path: Path) -> None:
        head = six(store)
        backup(store, tmp_path / "b.db")
        restore(store, tmp_path / "b.db", 9, overwrite=True, known=head)
        assert verdict_of(store, head).losses == []
        assert verdict_of(store, head).intact

    @pytest.mark.parametrize("has_rows", [True, False], ids=["with signals", "in the log alone"])
    def test_who_was_erased_since_the_backup_is_erased_in_its_log_too(
        self, store: Store, tmp_path: Path, has_rows: bool
    ) -> None:
        six(store)
        with store.write() as connection:
            names = ["acme"] if has_rows else []
            upsert(connection, signals, [signal_row(name, 1) for name in names], unique=("entity", "entity_id"))
        backup(store, tmp_path / "b.db")
        with store.write() as connection:
            privacy.erase(connection, "account", "acme", 5)
        restore(store, tmp_path / "b.db", 9, overwrite=True)
        ids = [object_id for _, object_id, *_ in told(store)]
        assert (ids.count("acme"), ids.count("beta")) == (0, 2)
        assert actions(store)[-2:] == ["erasure", "restore"]
        assert verdict_of(store).intact


def test_running_processes_reload_after_a_restore(store: Store, tmp_path: Path) -> None:
    fill(store, 1)
    with store.read() as connection:
        before = version_counters.read(connection)
    backup(store, tmp_path / "b.db")
    with store.write() as connection:
        service.create(connection, b"pepper", "later", ["score"], 2)
    restore(store, tmp_path / "b.db", 9, overwrite=True)
    with store.read() as connection:
        assert version_counters.read(connection)["keys"] > before["keys"] + 1


def test_a_store_with_rows_is_overwritten_only_on_demand(store: Store, tmp_path: Path) -> None:
    fill(store, 3)
    backup(store, tmp_path / "b.db")
    with store.write() as connection:
        insert_new(connection, inbox, [letter("later")], ("connection", "dedupe_key"))
    before = content(store)
    with pytest.raises(UserMistake, match="--overwrite"):
        restore(store, tmp_path / "b.db", 9)
    assert content(store) == before
    done = restore(store, tmp_path / "b.db", 9, overwrite=True)
    assert done.taken_back == {"inbox": Difference(1, 0)}
    assert len(content(store)["inbox"]) == 3


def test_a_backup_is_consistent_while_others_write(store: Store, tmp_path: Path) -> None:
    """Pairs of rows are written in one transaction each; no backup has half a pair."""
    stop = threading.Event()

    def write() -> None:
        n = 0
        while not stop.is_set():
            with store.write() as connection:
                insert_new(connection, inbox, [letter(f"a{n}")], ("connection", "dedupe_key"))
                insert_new(connection, signals, [signal_row(f"a{n}", 1)], ("entity", "entity_id"))
            n += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for n in range(3):
            backup(store, tmp_path / f"{n}.db")
    finally:
        stop.set()
        thread.join()
    for n in range(3):
        found = sqlite3.connect(tmp_path / f"{n}.db")
        counts = [found.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("inbox", "signals")]
        found.close()
        assert counts[0] == counts[1]


def test_a_file_that_is_no_backup_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database" * 1000)
    sqlite3.connect(tmp_path / "empty.db").close()
    for name in ("text", "empty.db"):
        with pytest.raises(UserMistake, match="not a backup"):
            restore(store, tmp_path / name, 9)
    with pytest.raises(UserMistake, match="no file"):
        restore(store, tmp_path / "absent", 9)
    fill(store, 1)
    backup(store, tmp_path / "b.db")
    with pytest.raises(UserMistake, match="there already"):
        backup(store, tmp_path / "b.db")


class TestWhatProtectsSomebody:
    """It is newer than the backup: it holds after the restore, on the same database and on the other one."""

    def restored(self, store: Store, tmp_path: Path) -> Restored:
        made = company(store)
        backup(store, tmp_path / "b.db")
        protect(store, made)
        return restore(store, tmp_path / "b.db", 9, [CRM], overwrite=True)

    def test_protections_hold_and_the_rest_is_counted(self, store: Store, tmp_path: Path) -> None:
        done = self.restored(store, tmp_path)
        assert done.kept == KeptProtections(erasures=1, erased_again=1, objections=1, keys_revoked=1, keys_ended=1)
        assert done.taken_back["decisions"] == Difference(lost=2, returned=1)
        assert done.taken_back["objections"] == Difference(lost=1, returned=1)
        assert done.taken_back["signals"] == Difference(lost=0, returned=1)
        assert "47114711" not in repr(content(store))
        assert "city 47124712" in repr(content(store))
        with store.read() as connection:
            assert privacy.erased_among(connection, "account", ["hs-47114711", "hs-47124712"]) == {"hs-47114711"}
            since = {"hs-47124712": 6, "hs-4713": 1}
            assert privacy.objecting(connection) == {
                ("account", hash_of_id("account", n)): at for n, at in since.items()
            }
            assert {key.name: key.revoked_at for key in keys.all_of(connection)} == {
                "first": 7,
                "second": None,
                "third": 9,
            }

    def test_without_the_guard_the_person_is_back(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(protections, "apply", lambda *_: KeptProtections())
        self.restored(store, tmp_path)
        assert "hs-47114711" in repr(content(store))
        with store.read() as connection:
            assert privacy.erased_among(connection, "account", ["hs-47114711"]) == set()
            assert [key.name for key in keys.all_of(connection) if key.revoked_at] == []

    def test_a_backup_of_one_database_in_the_other(self, store: Store, other: Store, tmp_path: Path) -> None:
        made = company(store)
        backup(store, tmp_path / "b.db")
        restore(other, tmp_path / "b.db", 9)
        protect(other, made)
        done = restore(other, tmp_path / "b.db", 9, [CRM], overwrite=True)
        assert done.kept == KeptProtections(erasures=1, erased_again=1, objections=1, keys_revoked=1, keys_ended=1)
        assert done.taken_back["decisions"] == Difference(lost=2, returned=1)
        assert "47114711" not in repr(content(other))

    def test_protections_in_the_backup_are_not_counted_as_newer(self, store: Store, tmp_path: Path) -> None:
        protect(store, company(store))
        backup(store, tmp_path / "b.db")
        done = restore(store, tmp_path / "b.db", 9, [CRM], overwrite=True)
        assert (done.kept, done.taken_back) == (KeptProtections(), {})
