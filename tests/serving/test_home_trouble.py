"""A home whose store is lost stays closed, one that cannot be written leaves nothing half done, one of a newer version is told."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from features.kit.errors import AccountscoreError, UserMistake
from features.kit.settings import Settings
from features.sources.suppression import FILE, Suppressed, hash_of_id
from models import registry
from serving.backup.backup import backup, restore
from serving.bootstrap import set_up
from serving.keys import cache
from serving.keys import repository as keys
from serving.privacy import home_copy, service, suppression_export
from serving.privacy import repository as privacy
from serving.privacy.protections import KeptProtections, Protections
from serving.settings import ServingSettings
from serving.store.connect import Store, open_store
from serving.store.migrate import migrate
from serving.store.tables import signals
from serving.store_cache import StoreCache
from serving.worker.crm_deletions import STATES, CrmDeletion, take_away
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import running_inside
from tests.kit.running import Home
from tests.kit.store_rows import signal_row
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

    def test_the_list_of_keys_says_so(self, tmp_path: Path) -> None:
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


class TestProtectionsOutliveTheStore:
    """Erasures, objections and what a CRM deleted: the home tells a store that was lost, or an older copy of it."""

    @pytest.fixture(params=DATABASES)
    def another(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
        """Makes a store that knows nothing."""
        made: list[Store] = []

        def make() -> Store:
            (tmp_path / f"{len(made)}").mkdir()
            made.append(open_store(store_url(request, tmp_path / f"{len(made)}")))
            migrate(made[-1])
            return made[-1]

        yield make
        for store in made:
            store.close()

    def deleted(self, store: Store, name: str, occurred_us: int = 5, effect: str = "delete") -> None:
        removal = CrmDeletion("account", name, occurred_us, occurred_us, STATES[effect], None, 1)
        with store.write() as connection:
            take_away(connection, "sample", [removal])

    def fill(self, store: Store, home: Path) -> None:
        """Of two each, one is taken back: an erasure, an objection, a deletion."""
        for name in ("acme", "beta"):
            service.erase(store, [], "account", name, 1, home)
        with store.write() as connection:
            privacy.admit(connection, "account", "beta", 2)
        for name in ("coda", "delta"):
            service.object_to(store, "account", name, 1, home)
        service.allow(store, "account", "delta", 2, home)
        self.deleted(store, "echo")
        self.deleted(store, "foxtrot")
        self.deleted(store, "foxtrot", 6, "create")
        suppression_export.publish(store, home)

    def quiet(self, store: Store) -> set[str]:
        with store.read() as connection:
            names = {"acme", "beta", "coda", "delta", "echo", "foxtrot", "golf"}
            assert privacy.erased_among(connection, "account", names) <= {"acme", "golf"}
            return privacy.not_to_score(connection, "account", names)

    HELD = frozenset({"acme", "coda", "echo"})

    def test_a_new_store_learns_of_them(self, another: Callable[[], Store], tmp_path: Path) -> None:
        home = tmp_path / "home"
        self.fill(another(), home)
        told = [(home / name).read_bytes() for name in (FILE, home_copy.FILE)]
        assert not any(name in b"".join(told) for name in (b"acme", b"coda", b"echo"))
        store = another()
        for _ in range(2):
            suppression_export.publish(store, home)
            assert self.quiet(store) == self.HELD
            assert [(home / name).read_bytes() for name in (FILE, home_copy.FILE)] == told
        # What is taken back now is taken back, here and in the next store.
        with store.write() as connection:
            assert privacy.admit(connection, "account", "acme", 1)
        assert service.allow(store, "account", "coda", 1, home) == (True, [])
        self.deleted(store, "echo", 7, "create")
        suppression_export.publish(store, home)
        assert self.quiet(store) == set()
        third = another()
        suppression_export.publish(third, home)
        assert self.quiet(third) == set()

    def test_an_older_copy_that_was_put_back_learns_of_them_whatever_it_did_first(
        self, another: Callable[[], Store], tmp_path: Path
    ) -> None:
        """As many changes were made in it since as in the one that was lost: they are not counted, each is looked at."""
        home = tmp_path / "home"
        self.fill(another(), home)
        store = another()
        with store.write() as connection:
            connection.execute(insert(signals), [signal_row(name, 1) for name in ("acme", "coda", "echo", "hotel")])
            for n in range(20):
                privacy.object_to(connection, "account", "delta", 10 + n)
                privacy.allow(connection, "account", "delta", 10 + n)
            privacy.erase(connection, "account", "golf", 9)
        suppression_export.publish(store, home)
        assert self.quiet(store) == self.HELD | {"golf"}
        with store.read() as connection:  # their rows came back with the copy, and are taken out again
            left = set(connection.execute(select(signals.c.entity_id)).scalars())
        assert left == {"coda", "hotel"}

    def test_a_later_word_in_the_store_holds_against_an_older_home(
        self, another: Callable[[], Store], tmp_path: Path
    ) -> None:
        """The home could not be written when they were taken back."""
        home, store = tmp_path / "home", another()
        self.fill(store, home)
        with store.write() as connection:
            privacy.admit(connection, "account", "acme", 1)  # even a clock that stands still
            privacy.allow(connection, "account", "coda", 1)
        suppression_export.publish(store, home)
        assert self.quiet(store) == {"echo"}
        with store.write() as connection:
            privacy.object_to(connection, "account", "coda", 1)
        suppression_export.publish(store, home)
        new = another()
        suppression_export.publish(new, home)
        assert self.quiet(new) == {"coda", "echo"}

    def test_a_backup_in_a_new_store_learns_what_came_after_it(
        self, another: Callable[[], Store], tmp_path: Path
    ) -> None:
        home, store = tmp_path / "home", another()
        with store.write() as connection:
            connection.execute(insert(signals), [signal_row(name, 1) for name in ("acme", "coda", "echo")])
        backup(store, tmp_path / "b.db")
        self.fill(store, home)

        def restored(told: Protections | None) -> tuple[KeptProtections, set[str], set[str]]:
            new = another()
            kept = restore(new, tmp_path / "b.db", 9, told=told).kept
            with new.read() as connection:
                return kept, self.quiet(new), set(connection.execute(select(signals.c.entity_id)).scalars())

        expected = KeptProtections(erasures=1, erased_again=1, objections=1, removals=1)
        assert restored(home_copy.load(home)) == (expected, self.HELD, {"coda"})
        # The sabotaged twin: nobody asks the home.
        assert restored(None) == (KeptProtections(), set(), {"acme", "coda", "echo"})

    def test_a_home_of_the_first_version_tells_what_it_knows(
        self, another: Callable[[], Store], tmp_path: Path
    ) -> None:
        home = tmp_path / "home"
        self.fill(another(), home)
        for broken in (False, True):
            (home / home_copy.FILE).unlink()
            if broken:
                (home / home_copy.FILE).write_text('{"erased": [[1]]}')
            store = another()
            suppression_export.publish(store, home)
            assert self.quiet(store) == {"acme", "echo"}

    def test_setting_up_a_store_tells_it(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        first = new_store(tmp_path)
        backup(first, tmp_path / "older")
        self.fill(first, tmp_path)
        first.close()
        monkeypatch.setenv("ACCOUNTSCORE_HOME", str(tmp_path))
        for put_back in (None, tmp_path / "older"):
            for path in tmp_path.glob("store.db*"):
                path.unlink()
            if put_back is not None:
                put_back.rename(tmp_path / "store.db")
            set_up(ServingSettings.from_env())
            # Who starts a process with it is told: by the one that sets up a new store, or by this one.
            said = capfd.readouterr().err + caplog.text
            assert said.count("protections.kept erasures=1 objections=1 removals=1") == 1
            caplog.clear()
            store = new_store(tmp_path)
            assert self.quiet(store) == self.HELD
            store.close()

    def test_without_the_guard_they_come_back(
        self, another: Callable[[], Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home = tmp_path / "home"
        self.fill(another(), home)
        monkeypatch.setattr(suppression_export, "learn", lambda *_: None)
        store = another()
        suppression_export.publish(store, home)
        assert (self.quiet(store), Suppressed.load(home).everywhere) == (set(), {})

    def test_an_objection_holds_where_the_home_cannot_be_written(self, tmp_path: Path) -> None:
        store = new_store(tmp_path)
        (tmp_path / home_copy.FILE).mkdir()
        new, left = service.object_to(store, "account", "coda", 1, tmp_path)
        assert new
        assert len(left) == 1
        assert "python -m serving privacy publish" in left[0]
        assert self.quiet(store) == {"coda"}
        (tmp_path / home_copy.FILE).rmdir()
        suppression_export.publish(store, tmp_path)
        assert [row["entity"] for row in home_copy.load(tmp_path).objections] == ["account"]
        store.close()


class TestASetUpOfTheFirstVersion:
    """Objections and deletions stood there by their ids."""

    @pytest.mark.parametrize("database", DATABASES)
    def test_they_hold_after_the_migration(self, database: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        request.param = database
        store = open_store(store_url(request, tmp_path, "template0"))
        migrate(store, "0006")
        with store.write() as connection:
            connection.exec_driver_sql("INSERT INTO tombstones VALUES ('account', 'x', 3)")
            connection.exec_driver_sql("INSERT INTO objections VALUES ('account', 'coda', 4)")
            for source, name, at, state, into in (
                ("/srv/crm/company", "echo", 5, "deleted", None),
                ("company", "echo", 4, "present", None),
                ("company", "m", 6, "merged", "remains"),
            ):
                row = (source, "account", name, at, state, into)
                marks = ", ".join(["%s" if database == "postgres" else "?"] * len(row))
                connection.exec_driver_sql(f"INSERT INTO removals VALUES ({marks})", row)
        migrate(store)
        with store.read() as connection:
            assert privacy.objecting(connection) == {("account", hash_of_id("account", "coda")): 4}
            assert privacy.not_to_score(connection, "account", ["coda", "echo", "m", "remains"]) == {
                "coda",
                "echo",
                "m",
            }
        told = suppression_export.read(store)
        assert told.everywhere == {"account": {"x": None}}
        assert told.of("company")["account"] == {
            hash_of_id("account", "echo"): None, hash_of_id("account", "m"): "remains", "x": None,
        }  # fmt: skip
        store.close()


class TestTheHomeCannotBeWritten:
    def test_no_key_is_left_that_nobody_saw(self, tmp_path: Path) -> None:
        home = Home(tmp_path / "home", tmp_path / "company")
        store = new_store(home.path)
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
            monkeypatch.setattr(
                StoreCache, "_keep", lambda self, ring: cache.keep(ring, tmp_path)
            )  # the sabotaged twin
            with pytest.raises(OSError, match="directory"):
                inside.key("read")

    def test_nothing_is_erased_that_is_not_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store = new_store(tmp_path)
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
        store = new_store(tmp_path)
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
