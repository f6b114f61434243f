"""Events of training are taken into the audit log, each once."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.kit.os_user import os_user
from models import audit_spool
from serving.audit_log import head, repository, spool
from serving.store.connect import Store
from tests.kit.audited import actions, told, verdict_of

pytestmark = pytest.mark.both_databases


def promote(home: Path, step: int, action: str = audit_spool.PROMOTION) -> Path:
    after = {"version": step}
    return audit_spool.put(
        home, action, audit_spool.command("training promote"), ("model", "churn-risk"), {"version": 1}, after, step
    )


def test_they_come_in_in_their_order_with_their_times_and_their_files_go(store: Store, tmp_path: Path) -> None:
    promote(tmp_path, 2)
    promote(tmp_path, 3, audit_spool.ROLLBACK)
    at = [event.at for _, event in audit_spool.waiting(tmp_path) if event]
    assert spool.take_in(store, tmp_path) == 2
    assert actions(store) == ["promotion", "rollback"]
    assert told(store) == [
        ("system", "churn-risk", {"version": 1}, {"version": 2}),
        ("system", "churn-risk", {"version": 1}, {"version": 3}),
    ]
    with store.read() as connection:
        rows = list(repository.rows(connection))
        newest = repository.head(connection)
    assert [row["at"] for row in rows] == at
    assert os_user().encode() in bytes(rows[0]["actor"])
    assert list(audit_spool.waiting(tmp_path)) == []
    assert verdict_of(store).intact
    assert head.load(tmp_path) == newest


def test_one_whose_file_a_dying_process_left_is_not_taken_in_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = promote(tmp_path, 2)
    with monkeypatch.context() as patch:

        def die(*_: object, **__: object) -> None:
            raise SystemExit

        patch.setattr(Path, "unlink", die)
        with pytest.raises(SystemExit):
            spool.take_in(store, tmp_path)
    assert path.exists()
    assert spool.take_in(store, tmp_path) == 0
    assert actions(store) == ["promotion"]
    assert not path.exists()


def test_without_the_id_it_would_be(store: Store, tmp_path: Path) -> None:
    """The sabotaged twin: two files of one step, as if each had an id of its own."""
    path = promote(tmp_path, 2)
    text = path.read_text()
    spool.take_in(store, tmp_path)
    path.write_text(text.replace(path.stem, "another"))
    assert spool.take_in(store, tmp_path) == 1
    assert actions(store) == ["promotion"] * 2


def test_a_file_that_is_none_of_ours_stays_and_the_others_come_in(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    promote(tmp_path, 2).write_text("{")
    promote(tmp_path, 3)
    strange = promote(tmp_path, 4)
    strange.write_text(strange.read_text().replace('"promotion"', '"coronation"'))
    assert spool.take_in(store, tmp_path) == 1
    assert "audit_log.spool_unreadable" in caplog.text
    assert "audit_log.spool_refused" in caplog.text
    assert len(list(audit_spool.waiting(tmp_path))) == 2


def test_settling_brings_the_head_up_too(store: Store, tmp_path: Path) -> None:
    spool.settle(store, tmp_path)
    assert head.load(tmp_path) is None
    promote(tmp_path, 2)
    spool.settle(store, tmp_path)
    assert head.load(tmp_path) is not None
