"""A home whose store is lost stays closed, one that cannot be written leaves nothing half done, one of a newer version is told."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from features.kit.errors import AccountscoreError, UserMistake
from features.kit.settings import Settings
from features.sources.suppression import FILE, Removed, mark_of
from models import registry
from serving.keys import cache
from serving.keys import repository as keys
from serving.privacy import repository as privacy
from serving.privacy import service, suppression_export
from serving.settings import ServingSettings
from serving.store.bootstrap import set_up
from serving.store.connect import Store, open_store
from serving.store.migrate import migrate
from serving.store.tables import signals
from serving.store_cache import Watched
from tests.serving.inside import running_inside
from tests.serving.running import Home
from tests.serving.test_store import signal_row


def store_of(home: Path) -> Store:
    store = open_store(f"sqlite:///{home / 'store.db'}")
    migrate(store)
    return store


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

    def test_the_list_of_keys_says_so(self, tmp_path: Path) -> None:
        home = Home(tmp_path, tmp_path / "company")
        store_of(tmp_path).close()
        assert "no key was ever made" in home.run("serving", "keys", "list").stderr  # the twin: there it is true
        self.lose(tmp_path)
        store_of(tmp_path).close()
        done = home.run("serving", "keys", "list")
        assert (done.returncode, done.stdout) == (0, "")
        assert "the home had some: nobody is let in" in done.stderr
        assert "was ever made" not in done.stderr

    def test_without_the_guard_anybody_is_let_in(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lose(tmp_path)
        monkeypatch.setattr(Watched, "_closed", lambda _self, found: found)
        with running_inside(tmp_path) as inside:
            assert inside.client.get(self.ASKED).status_code == 404


class TestErasuresOutliveTheStore:
    def lose(self, home: Path) -> Store:
        """Two are erased, one of them is taken back; then the store is another one, in which nobody was erased."""
        first = store_of(home)
        for name in ("acme", "beta"):
            service.erase(first, [], "account", name, 1, home)
        with first.write() as connection:
            privacy.admit(connection, "account", "beta")
        suppression_export.publish(first, home)
        first.close()
        for path in home.glob("store.db*"):
            path.unlink()
        return store_of(home)

    def erased(self, store: Store) -> set[str]:
        with store.read() as connection:
            return privacy.erased_among(connection, "account", {"acme", "beta"})

    def test_a_new_store_learns_of_them(self, tmp_path: Path) -> None:
        store = self.lose(tmp_path)
        for _ in range(2):
            suppression_export.publish(store, tmp_path)
            assert self.erased(store) == {"acme"}
            assert Removed.load(tmp_path).everywhere == {"account": {mark_of("account", "acme"): None}}
        with store.write() as connection:  # what is taken back now is taken back
            privacy.admit(connection, "account", "acme")
        suppression_export.publish(store, tmp_path)
        assert (self.erased(store), Removed.load(tmp_path).everywhere) == (set(), {})
        store.close()

    def test_one_that_forgot_some_learns_of_them_too(self, tmp_path: Path) -> None:
        """A file of last week was put back by hand."""
        store = self.lose(tmp_path)
        with store.write() as connection:
            privacy.erase(connection, "account", "beta", 2)
        suppression_export.publish(store, tmp_path)
        assert self.erased(store) == {"acme", "beta"}
        store.close()

    def test_setting_up_a_store_tells_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        self.lose(tmp_path).close()
        for path in tmp_path.glob("store.db*"):
            path.unlink()
        monkeypatch.setenv("ACCOUNTSCORE_HOME", str(tmp_path))
        set_up(ServingSettings.from_env())
        assert "erasures.kept count=1" in capfd.readouterr().err  # who starts a process with it is told
        store = store_of(tmp_path)
        assert self.erased(store) == {"acme"}
        store.close()

    def test_without_the_guard_they_come_back(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store = self.lose(tmp_path)
        monkeypatch.setattr(suppression_export, "_missing", lambda home, found: [])
        suppression_export.publish(store, tmp_path)
        assert (self.erased(store), Removed.load(tmp_path).everywhere) == (set(), {})
        store.close()


class TestTheHomeCannotBeWritten:
    def test_no_key_is_left_that_nobody_saw(self, tmp_path: Path) -> None:
        home = Home(tmp_path / "home", tmp_path / "company")
        store = store_of(home.path)
        (home.path / cache.FILE).mkdir()
        done = home.run("serving", "keys", "create", "crm")
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert cache.FILE in done.stderr
        with store.read() as connection:
            assert keys.all_of(connection) == []
        (home.path / cache.FILE).rmdir()
        token = home.run("serving", "keys", "create", "crm").stdout.strip()
        key_id = token.split("_")[1]
        (home.path / cache.FILE).unlink()
        (home.path / cache.FILE).mkdir()
        done = home.run("serving", "keys", "revoke", key_id)  # it ends all the same
        assert (done.returncode, done.stdout) == (0, f"{key_id} is revoked\n")
        assert "could not be written" in done.stderr
        store.close()

    def test_a_key_that_ended_is_refused_all_the_same(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A running server keeps what it knows of keys in the home. That it cannot must not stop it from knowing more."""
        with running_inside(tmp_path) as inside:
            held = inside.key("read")
            assert inside.client.get("/v1/account/x/objection", headers=held).status_code == 404
            (tmp_path / cache.FILE).unlink()
            (tmp_path / cache.FILE).mkdir()
            with inside.writing() as connection:
                assert keys.revoke(connection, keys.all_of(connection)[0].id, 1)
            assert inside.client.get("/v1/account/x/objection", headers=held).status_code == 401
            monkeypatch.setattr(Watched, "_keep", lambda self, ring: cache.keep(ring, tmp_path))  # the sabotaged twin
            with pytest.raises(OSError, match="directory"):
                inside.key("read")

    def test_nothing_is_erased_that_is_not_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store = store_of(tmp_path)
        with store.write() as connection:
            connection.execute(insert(signals), [signal_row("acme", 1)])
        (tmp_path / FILE).mkdir()

        def stored() -> int:
            with store.read() as connection:
                return len(connection.execute(select(signals)).all())

        with pytest.raises(UserMistake, match="nothing was done"):
            service.erase(store, [], "account", "acme", 1, tmp_path)
        assert stored() == 1
        monkeypatch.setattr(suppression_export, "require_writable", lambda _: None)  # the sabotaged twin
        with pytest.raises(OSError, match="directory"):
            service.erase(store, [], "account", "acme", 1, tmp_path)
        assert stored() == 0
        store.close()

    def test_a_home_that_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "home").write_text("")
        home = Home(tmp_path / "home" / "below", tmp_path / "company")
        for command in (["migrate"], ["keys", "list"], ["sync"]):
            done = home.run("serving", *command)
            assert done.returncode != 0
            assert "Traceback" not in done.stderr
            assert done.stderr.startswith("error: ")
            assert len(done.stderr.splitlines()) == 1


class TestANewerVersion:
    def test_of_the_store_is_told_and_nobody_is_sent_to_migrate(self, tmp_path: Path) -> None:
        store = store_of(tmp_path)
        with store.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0099'"))
        for ask in (store.require_revision, lambda: migrate(store)):
            with pytest.raises(UserMistake, match="revision 0099, this version knows") as told:
                ask()
            assert "serving migrate" not in str(told.value)
            assert len(str(told.value).splitlines()) == 1
        store.close()

    def test_of_the_registry_is_one_line(self, tmp_path: Path) -> None:
        database = sqlite3.connect(tmp_path / "mlflow.db")
        database.executescript(
            "CREATE TABLE alembic_version (version_num TEXT); INSERT INTO alembic_version VALUES ('ffffffffffff');"
            "CREATE TABLE experiments (experiment_id INTEGER)"
        )
        database.close()
        settings = Settings.from_env({"ACCOUNTSCORE_HOME": str(tmp_path)})
        with pytest.raises(AccountscoreError, match="another version of MLflow") as told:
            registry.versions(settings, "lead-fit")
        assert len(str(told.value).splitlines()) == 1


class TestWhoMayRead:
    def test_files_are_their_owners_alone(self, tmp_path: Path) -> None:
        home = Home(tmp_path / "home", tmp_path / "company")
        before = os.umask(0)  # as careless as a shell can be
        try:
            assert home.run("serving", "keys", "list").returncode != 0  # there is no store yet
            assert home.run("serving", "migrate").returncode == 0
            assert home.run("serving", "keys", "create", "crm").returncode == 0
            open_store(f"sqlite:///{tmp_path / 'twin' / 'store.db'}").close()
            (tmp_path / "twin" / "file").touch()
        finally:
            os.umask(before)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home.path, *home.path.rglob("*"))}
        assert {"home", "store.db", cache.FILE} <= modes.keys()
        assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
        assert stat.S_IMODE((tmp_path / "twin").stat().st_mode) == 0o777  # without the guard
        assert stat.S_IMODE((tmp_path / "twin" / "file").stat().st_mode) == 0o666

    def test_a_home_that_everybody_may_write_is_warned_of(self, tmp_path: Path) -> None:
        home = Home(tmp_path / "home", tmp_path / "company")
        home.path.mkdir(mode=0o700)
        assert home.run("serving", "migrate").stderr == ""
        home.path.chmod(0o777)
        assert "everybody may write into ACCOUNTSCORE_HOME" in home.run("serving", "migrate").stderr
