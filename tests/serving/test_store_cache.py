"""A home whose store is lost stays closed until a key is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import audit_spool
from serving.audit_log import head, repository
from serving.audit_log.chain import Head
from serving.errors import StoreAway
from serving.keys import cache
from serving.keys import repository as keys
from serving.store.connect import Store
from serving.store_cache import StoreCache
from tests.kit.audited import actions
from tests.kit.inside import running_inside
from tests.kit.running import Home, wait_for
from tests.kit.stores import new_store


class TestTheStoreIsLost:
    ASKED = "/v1/account/x/objection"

    def lose(self, home: Path) -> None:
        """A key is made and seen by a server; then the file is gone."""
        with running_inside(home) as inside:
            assert inside.client.get(self.ASKED).status_code == 404
            held = inside.key("read")
            assert inside.client.get(self.ASKED).status_code == 401
            assert inside.client.get(self.ASKED, headers=held).status_code == 404
        for path in home.glob("store.db*"):
            path.unlink()

    def test_it_stays_closed_until_a_key_is_made(self, tmp_path: Path) -> None:
        self.lose(tmp_path)
        for _ in range(2):  # and is not forgotten by the next start
            with running_inside(tmp_path) as inside:
                assert inside.client.get(self.ASKED).status_code == 401
                assert inside.state.watched.keys_lost
        with running_inside(tmp_path) as inside:
            held = inside.key("read")
            inside.state.watched.refresh()
            assert not inside.state.watched.keys_lost
            assert inside.client.get(self.ASKED, headers=held).status_code == 404

    def test_the_list_of_keys_reports_the_lost_store(self, tmp_path: Path) -> None:
        home = Home(tmp_path, tmp_path / "company")
        new_store(tmp_path).close()
        assert "no key was ever made" in home.run("serving", "keys", "list").stderr  # the twin: there it is true
        self.lose(tmp_path)
        new_store(tmp_path).close()
        done = home.run("serving", "keys", "list")
        assert (done.returncode, done.stdout) == (0, "")
        assert "the home had some: nobody is let in" in done.stderr
        assert "was ever made" not in done.stderr

    def test_without_the_guard_anybody_is_let_in(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lose(tmp_path)
        monkeypatch.setattr(StoreCache, "_closed", lambda _self, found: found)
        with running_inside(tmp_path) as inside:
            assert inside.client.get(self.ASKED).status_code == 404


class TestAuditLog:
    def test_a_running_server_takes_in_what_training_does(self, tmp_path: Path) -> None:
        with running_inside(tmp_path) as inside:
            wait_for(lambda: list(audit_spool.waiting(tmp_path)) == [])  # of the models that are live from the start
            assert set(actions(inside.state.store)) == {"promotion"}
            of = ("model", "churn-risk")
            audit_spool.put(tmp_path, "rollback", audit_spool.command("training rollback"), of, None, {"version": 7}, 1)
            wait_for(lambda: actions(inside.state.store)[-1] == "rollback")

    def test_a_head_that_cannot_be_kept_fails_no_change_and_is_kept_later(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with running_inside(tmp_path) as inside:
            held = inside.key("privacy")
            with monkeypatch.context() as patch:
                patch.setattr(head, "file_lock", busy)
                where = "/v1/account/x/objection"
                assert inside.client.request("PUT", where, headers=held).status_code == 200
            wait_for(lambda: head.load(tmp_path) == newest(inside.state.store))


def busy(*_: object) -> None:
    raise StoreAway("locked")


def newest(store: Store) -> Head:
    with store.read() as connection:
        return repository.head(connection)


class TestTheHomeCannotBeWritten:
    def test_a_revoked_key_is_refused_when_the_home_cannot_be_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A running server keeps what it knows of keys in the home. That it cannot must not stop it from knowing more."""
        with running_inside(tmp_path) as inside:
            held = inside.key("read")
            assert inside.client.get("/v1/account/x/objection", headers=held).status_code == 404
            (tmp_path / cache.FILE).unlink()
            (tmp_path / cache.FILE).mkdir()
            with inside.writing() as connection:
                assert keys.revoke(connection, keys.all_of(connection)[0].id, 1)
            assert inside.client.get("/v1/account/x/objection", headers=held).status_code == 401
            monkeypatch.setattr(
                StoreCache, "_keep", lambda self, ring: cache.keep(ring, tmp_path)
            )  # the sabotaged twin
            with pytest.raises(OSError, match="directory"):
                inside.key("read")
