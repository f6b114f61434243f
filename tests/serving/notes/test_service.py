"""Notes are stored in one transaction and published; those about nobody that is known are told and stop no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert, select

from features.sources.notes import files_of
from serving.errors import NotFound
from serving.gateway.actor import OPEN
from serving.notes import service
from serving.notes.request import Asked
from serving.notes.schemas import NoteError, NoteFault
from serving.store.connect import Store
from serving.store.tables import notes, signals
from tests.kit.notes import note
from tests.kit.store_rows import signal_row

pytestmark = pytest.mark.both_databases
ASKED = Asked("outcome", "account", 5)


@pytest.fixture(autouse=True)
def acme(store: Store) -> None:
    with store.write() as connection:
        connection.execute(insert(signals), [signal_row("acme", 1)])


def stored(store: Store) -> list[str]:
    with store.read() as connection:
        return list(connection.execute(select(notes.c.entity_id)).scalars())


def test_each_is_answered_at_its_place(store: Store, tmp_path: Path) -> None:
    bad = NoteError(0, None, "bad_note", [NoteFault("note 0", "a text", "an object", "mend it")])
    answer = service.tell(store, tmp_path, OPEN, ASKED, [bad, note(), note("stranger"), note()])
    assert [(r.index, r.entity_id, r.state) for r in answer.results] == [(1, "acme", "new"), (3, "acme", "new")]
    assert [(e.index, e.entity_id, e.code) for e in answer.errors] == [
        (0, None, "bad_note"),
        (2, "stranger", "unknown_entity"),
    ]
    assert (service.status_of(answer), stored(store), len(files_of(tmp_path))) == (207, ["acme"], 1)
    assert service.status_of(service.tell(store, tmp_path, OPEN, ASKED, [note()])) == 200


def test_one_about_an_unknown_entity_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nothing is stored of it.*an account that was scored.*after the next batch"):
        service.tell_one(store, tmp_path, OPEN, ASKED, note("stranger"))
    assert stored(store) == []


def test_the_answer_is_kept_in_the_transaction_of_the_notes(store: Store, tmp_path: Path) -> None:
    def failing(*_: object) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        service.tell(store, tmp_path, OPEN, ASKED, [note()], failing)
    assert stored(store) == []


def test_a_withdrawal_is_published(store: Store, tmp_path: Path) -> None:
    service.tell(store, tmp_path, OPEN, ASKED, [note()])
    assert service.withdraw(store, tmp_path, OPEN, ASKED, "acme", note().id)
    assert not service.withdraw(store, tmp_path, OPEN, ASKED, "acme", note().id)
    assert [len(file.read_text().splitlines()) for file in files_of(tmp_path)] == [1]
