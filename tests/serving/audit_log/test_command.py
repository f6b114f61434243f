"""`python -m serving audit`, and that every command that does something leaves its row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from features.kit.os_user import os_user
from models import audit_spool
from serving.audit_log import head, repository
from serving.store.connect import Store
from serving.store.tables import api_keys, audit_log
from tests.kit.audited import actions, six, told
from tests.kit.running import Home
from tests.kit.stores import new_store


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home", tmp_path)


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    opened = new_store(home.path)
    yield opened
    opened.close()


def delete_after(store: Store, seq: int) -> None:
    with store.write() as connection:
        connection.execute(audit_log.delete().where(audit_log.c.seq > seq))


class TestVerify:
    def test_a_whole_log_is_one_line_and_0(self, home: Home, store: Store) -> None:
        newest = six(store)
        head.keep(store, home.path)
        done = home.run("serving", "audit", "verify")
        assert (done.returncode, done.stdout) == (0, f"audit log intact: 6 rows, head {newest}\n")

    def test_a_tampered_one_is_one_line_and_4(self, home: Home, store: Store) -> None:
        six(store)
        head.keep(store, home.path)
        with store.write() as connection:
            connection.execute(audit_log.update().where(audit_log.c.seq == 2).values(at=9))
        done = home.run("serving", "audit", "verify")
        assert done.returncode == 4
        said = "audit log NOT intact, 1 fault in 6 rows: row 2 was altered or moved, or the row before it was\n"
        assert done.stdout == said
        as_json = home.run("serving", "audit", "verify", "--json")
        assert as_json.returncode == 4
        assert json.loads(as_json.stdout)["faults"] == ["row 2 was altered or moved, or the row before it was"]

    def test_a_head_that_was_kept_elsewhere_is_asked_for(self, home: Home, store: Store) -> None:
        """Somebody who writes store and home deletes the end of the one and the head of the other."""
        newest = six(store)
        delete_after(store, 4)
        done = home.run("serving", "audit", "verify")
        assert done.returncode == 0
        assert "the home keeps no head" in done.stdout
        done = home.run("serving", "audit", "verify", "--head", str(newest))
        assert done.returncode == 4
        assert "the log ends at row 4 and --head knows of row 6" in done.stdout
        bad = home.run("serving", "audit", "verify", "--head", "6")
        assert bad.returncode == 2
        assert "'6' is not a head: write SEQ:HASH" in bad.stderr

    def test_a_lost_end_is_found_until_somebody_accepts_it_and_is_said_ever_after(
        self, home: Home, store: Store
    ) -> None:
        six(store)
        head.keep(store, home.path)
        nothing = home.run("serving", "audit", "accept-loss", "why not")
        assert nothing.returncode == 2
        assert "nothing is lost" in nothing.stderr
        delete_after(store, 4)
        assert home.run("serving", "audit", "verify").returncode == 4
        assert home.run("serving", "audit", "accept-loss", "the disk was lost").returncode == 0
        done = home.run("serving", "audit", "verify")
        assert done.returncode == 0
        assert "row 5 (loss_accepted): the log goes on from row 4, it once ended at row 6" in done.stdout
        assert told(store, "loss_accepted")[0][3]["reason"] == "the disk was lost"


class TestExport:
    def test_it_prints_every_row_and_its_own_and_the_head(self, home: Home, store: Store) -> None:
        six(store)
        audit_spool.put(
            home.path,
            "promotion",
            audit_spool.command("training promote"),
            ("model", "churn-risk"),
            None,
            {"version": 1},
            1,
        )
        done = home.run("serving", "audit", "export")
        assert done.returncode == 0
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert [row["action"] for row in rows] == ["override"] * 6 + ["promotion", "export"]
        assert done.stderr.strip() == f"head 8:{rows[-1]['hash']}"
        as_csv = home.run("serving", "audit", "export", "--csv")
        assert len(as_csv.stdout.splitlines()) == 11  # how the first ended came after its head
        assert home.run("serving", "audit", "verify", "--head", f"8:{rows[-1]['hash']}").returncode == 0


class TestRows:
    """One row for each thing that a command does, and the head of the home after it."""

    def test_keys_privacy_retention_and_restore(self, home: Home, store: Store, tmp_path: Path) -> None:
        backup = tmp_path / "backup.db"
        token = home.run("serving", "keys", "create", "crm").stdout.strip()
        assert home.run("serving", "backup", str(backup)).returncode == 0
        of_backup = head.load(home.path)
        assert of_backup is not None
        key_id = token.split("_")[1]
        done = [
            ("keys", "revoke", key_id),
            ("privacy", "object", "account", "acme-4711"),
            ("privacy", "allow", "account", "acme-4711"),
            ("privacy", "object", "account", "acme-4711"),
            ("privacy", "erase", "account", "acme-4711"),
            ("privacy", "admit", "account", "acme-4711"),
            ("retention", "--days", "5"),
        ]
        for words in done:
            ended = home.run("serving", *words)
            assert ended.returncode == 0, ended.stderr
            with store.read() as connection:
                assert head.load(home.path) == repository.head(connection), words
        assert actions(store) == [
            "key_created",
            "export",  # the backup begins
            "export",  # and is done
            "key_revoked",
            "objection",
            "objection_taken_back",
            "objection",
            "erasure",
            "erasure_taken_back",
            "retention",
        ]
        kinds = {kind for kind, *_ in told(store)}
        assert kinds == {"system"}
        exported = home.run("serving", "audit", "export").stdout
        assert exported.count(f'"actor_name": "{os_user()}"') == 11
        with store.read() as connection:
            hashed = connection.execute(api_keys.select()).mappings().one()["hash"]
        assert token not in exported
        assert hashed not in exported
        # What was said before the erasure of whom it was about is gone; what came after it was about an id again.
        assert [object_id for _, object_id, *_ in told(store)][4:9] == [None, None, None, None, "acme-4711"]
        assert home.run("serving", "audit", "verify").returncode == 0

        lost = head.load(home.path)
        assert lost is not None
        ended = home.run("serving", "restore", str(backup), "--overwrite")
        assert ended.returncode == 0, ended.stderr
        done_again = home.run("serving", "audit", "verify")
        assert done_again.returncode == 0, done_again.stdout
        assert f"it once ended at row {lost.seq}" in done_again.stdout
        assert told(store, "restore")[0][3]["given_up"] == [str(lost)]

    def test_a_store_that_was_put_back_by_hand_is_found(self, home: Home, store: Store, tmp_path: Path) -> None:
        """The twin of the restore: a copy of the file leaves no row that says so."""
        six(store)
        store.close()
        kept = (home.path / "store.db").read_bytes()
        assert home.run("serving", "keys", "create", "crm").returncode == 0
        for name in ("store.db-wal", "store.db-shm"):
            (home.path / name).unlink(missing_ok=True)
        (home.path / "store.db").write_bytes(kept)
        done = home.run("serving", "audit", "verify")
        assert done.returncode == 4
        assert "the log ends at row 6 and the home knows of row 7" in done.stdout

    def test_sync_takes_in_what_training_did(self, home: Home, store: Store) -> None:
        audit_spool.put(
            home.path,
            "rollback",
            audit_spool.command("training rollback"),
            ("model", "churn-risk"),
            None,
            {"version": 1},
            1,
        )
        waiting = home.run("serving", "audit", "verify")
        assert "1 events wait in the home" in waiting.stderr
        home.run("serving", "sync")
        assert actions(store) == ["rollback"]
        assert list(audit_spool.waiting(home.path)) == []
