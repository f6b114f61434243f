"""Who told what is in the audit log, in the transaction of the note, without its free text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from serving.audit_log import repository as audit_log
from serving.gateway.actor import Actor
from serving.notes import service
from serving.notes.request import Asked
from serving.privacy import service as privacy
from serving.store.connect import Store
from serving.store.tables import signals
from tests.kit.notes import note
from tests.kit.store_rows import signal_row

pytestmark = pytest.mark.both_databases
WHO = Actor("key", "3f2a9c", "csm tool")
ASKED = Asked("outcome", "account", 5_000_000)
TOLD = note(key="k", text="free text", event_at=1_000_000)


def logged(store: Store) -> list[Mapping[str, Any]]:
    with store.read() as connection:
        return list(audit_log.rows(connection))


def test_each_change_is_a_row_and_a_repetition_is_none(store: Store, tmp_path: Path) -> None:
    with store.write() as connection:
        connection.execute(insert(signals), [signal_row("acme", 1)])
    for told in (TOLD, TOLD, replace(TOLD, event_at=2_000_000)):
        service.tell(store, tmp_path, WHO, ASKED, [told])
    for _ in range(2):
        service.withdraw(store, tmp_path, WHO, ASKED, "acme", TOLD.id)
    rows = logged(store)
    assert [row["action"] for row in rows] == ["outcome"] * 3
    said = [json.dumps(row, default=str) for row in rows]
    assert ["1970-01-01T00:00:01Z" in text for text in said] == [True, True, False]
    assert ["1970-01-01T00:00:02Z" in text for text in said] == [False, True, True]
    assert all("csm tool" in text for text in said)
    assert not any("free text" in text for text in said)


def test_an_erasure_takes_what_was_told_out_of_it(store: Store, tmp_path: Path) -> None:
    with store.write() as connection:
        connection.execute(insert(signals), [signal_row("acme", 1)])
    service.tell(store, tmp_path, WHO, ASKED, [TOLD])
    privacy.erase(store, [], "account", "acme", 6_000_000, tmp_path)
    assert "churned" not in json.dumps(logged(store), default=str)
