"""Rows of what only reads, and of what needs no store."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import audit_spool
from serving.audit_log import head, service
from serving.audit_log.entry import Entry, command
from serving.settings import ServingSettings
from serving.store.connect import open_store
from tests.kit.audited import actions, told
from tests.kit.stores import new_store

ENTRY = Entry(command("export"), "export", "star", None, None, {"to": "out/star"})


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServingSettings:
    monkeypatch.setenv("ACCOUNTSCORE_HOME", str(tmp_path))
    monkeypatch.delenv("ACCOUNTSCORE_STORE_URL", raising=False)
    return ServingSettings.from_env()


class TestAppendReading:
    def test_it_is_a_row_and_the_head_is_kept(self, tmp_path: Path) -> None:
        store = new_store(tmp_path)
        assert service.append_reading(store, tmp_path, ENTRY, 1) is None
        assert actions(store) == ["export"]
        assert head.load(tmp_path) is not None
        store.close()

    def test_a_store_that_is_away_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "store.db").write_bytes(b"no database")
        store = open_store(f"sqlite:///{tmp_path}/store.db")
        with pytest.raises(Exception, match="not a database"):
            service.append_reading(store, tmp_path, ENTRY, 1)
        store.close()
        away = open_store(f"sqlite:///{tmp_path}/folder/store.db")
        (tmp_path / "folder").rmdir()
        why = service.append_reading(away, tmp_path, ENTRY, 1)
        assert why is not None
        assert "cannot be opened" in why
        away.close()


class TestAppendOrSpool:
    def test_with_a_store_it_is_a_row(self, tmp_path: Path, settings: ServingSettings) -> None:
        store = new_store(tmp_path)
        assert service.append_or_spool(settings, ENTRY, 1) is None
        assert told(store) == [("system", None, {}, {"to": "out/star"})]
        assert list(audit_spool.waiting(tmp_path)) == []
        store.close()

    def test_without_one_it_waits_in_the_home_and_none_is_made(self, tmp_path: Path, settings: ServingSettings) -> None:
        for _ in range(2):
            assert service.append_or_spool(settings, ENTRY, 1) is None
        assert not (tmp_path / "store.db").exists()
        assert len(list(audit_spool.waiting(tmp_path))) == 2
        store = new_store(tmp_path)
        service.settle_if_there(settings)
        assert told(store) == [("system", None, {}, {"to": "out/star"})] * 2
        store.close()

    def test_where_neither_can_be_written_it_is_said(self, tmp_path: Path, settings: ServingSettings) -> None:
        (tmp_path / audit_spool.FOLDER).write_text("a file in the place of the folder")
        why = service.append_or_spool(settings, ENTRY, 1)
        assert why is not None
        assert audit_spool.FOLDER in why


def test_settling_without_a_store_makes_none(tmp_path: Path, settings: ServingSettings) -> None:
    service.settle_if_there(settings)
    assert not (tmp_path / "store.db").exists()
