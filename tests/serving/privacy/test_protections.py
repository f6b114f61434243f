"""Erasures, objections and deletions outlive the store: the home tells a store that was lost, or an older copy of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from features.kit.errors import UserMistake
from features.sources.suppression import FILE, Suppressed, hash_of_id
from serving.backup.backup import backup, restore
from serving.bootstrap import set_up
from serving.privacy import home_copy, service, suppression_export
from serving.privacy import repository as privacy
from serving.privacy.protections import KeptProtections, Protections
from serving.settings import ServingSettings
from serving.store.connect import Store, open_store
from serving.store.migrate import migrate
from serving.store.tables import signals
from serving.worker.crm_deletions import STATES, CrmDeletion, take_away
from tests.kit.databases import DATABASES, store_url
from tests.kit.store_rows import signal_row
from tests.kit.stores import new_store


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

    def test_an_older_copy_of_the_store_learns_them(self, another: Callable[[], Store], tmp_path: Path) -> None:
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

    def test_a_later_decision_in_the_store_wins_over_an_older_home(
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
        assert restored(home_copy.load(home)) == (expected, self.HELD, {"coda"})  # type: ignore[comparison-overlap]
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
            hash_of_id("account", "echo"): None,
            hash_of_id("account", "m"): "remains",
            "x": None,
        }
        store.close()


class TestTheHomeCannotBeWritten:
    def test_nothing_is_erased_when_the_home_cannot_be_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
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
