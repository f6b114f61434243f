"""The newest row of the audit log, beside the store."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from features.kit.errors import UserMistake
from serving.audit_log import head, repository
from serving.audit_log.chain import Head
from serving.audit_log.entry import Entry, command
from serving.store.connect import Store
from serving.store.tables import audit_log
from tests.kit.audited import entry, put, six, verdict_of

pytestmark = pytest.mark.both_databases


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def of(home: Path) -> Head:
    found = head.load(home)
    assert found is not None
    return found


def delete_after(store: Store, seq: int) -> None:
    with store.write() as connection:
        connection.execute(audit_log.delete().where(audit_log.c.seq > seq))


class TestKeep:
    def test_it_follows_the_log(self, store: Store, home: Path) -> None:
        assert head.keep(store, home)
        assert head.load(home) is None  # there is nothing to keep
        for _ in range(2):
            newest = six(store)
            assert head.keep(store, home)
            assert of(home) == newest

    def test_only_its_owner_may_read_it(self, store: Store, home: Path) -> None:
        six(store)
        head.keep(store, home)
        assert (home / head.FILE).stat().st_mode & 0o077 == 0

    def test_the_log_may_be_ahead_of_it_and_is_never_behind(self, store: Store, home: Path) -> None:
        six(store)
        head.keep(store, home)
        put(store, entry())
        assert verdict_of(store, of(home)).intact
        delete_after(store, 5)
        assert not verdict_of(store, of(home)).intact

    def test_it_does_not_go_back_with_a_log_that_lost_its_end(
        self, store: Store, home: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        newest = six(store)
        head.keep(store, home)
        delete_after(store, 4)
        with caplog.at_level(logging.ERROR):
            assert not head.keep(store, home)
            for name in ("x", "y", "z"):  # also when it has as many rows again
                put(store, entry(name))
                assert not head.keep(store, home)
        assert "audit_log.behind log=4 home=6" in caplog.text
        assert of(home) == newest
        assert not verdict_of(store, of(home)).intact

    def test_without_that_nobody_would_find_it(self, store: Store, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin."""
        monkeypatch.setattr(repository, "has", lambda connection, known: True)
        six(store)
        head.keep(store, home)
        delete_after(store, 4)
        head.keep(store, home)
        monkeypatch.undo()
        assert verdict_of(store, of(home)).intact

    def test_it_goes_on_when_a_row_says_that_the_end_was_given_up(self, store: Store, home: Path) -> None:
        lost = six(store)
        head.keep(store, home)
        delete_after(store, 4)
        after = {"given_up": [str(lost)]}
        newest = put(store, Entry(command("restore"), "restore", "store", None, None, after))
        assert verdict_of(store, of(home)).intact
        assert head.keep(store, home)
        assert of(home) == newest

    def test_a_home_that_cannot_be_written_is_logged_and_fails_nothing(
        self, store: Store, home: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        six(store)
        (home / ".audit_head.lock").mkdir(parents=True)
        assert not head.keep(store, home)
        assert "audit_log.head_not_kept" in caplog.text


class TestLoad:
    def test_a_damaged_file_is_refused_and_stays(self, store: Store, home: Path) -> None:
        home.mkdir()
        (home / head.FILE).write_text("{")
        with pytest.raises(UserMistake, match=r"audit_head\.json.*cannot be read.*--head"):
            head.load(home)
        six(store)
        assert not head.keep(store, home)
        assert (home / head.FILE).read_text() == "{"
