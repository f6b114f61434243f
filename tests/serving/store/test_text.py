"""Texts that a database refuses are handled the same on both (issue 13)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Text, insert, select
from sqlalchemy.exc import DBAPIError

from serving.backup.backup import backup, restore
from serving.store import text as text_type
from serving.store.connect import Store, open_store
from serving.store.tables import inbox, metadata
from serving.store.text import kept
from tests.kit.databases import DATABASES, store_url
from tests.kit.hostile import CONNECTION, HOSTILE, NOT_KEPT
from tests.kit.inside import Inside, running_inside
from tests.kit.killing import SECRET
from tests.kit.store_rows import letter
from tests.kit.stores import new_store


@dataclass
class Running:
    inside: Inside
    database: str


pytestmark = pytest.mark.both_databases


@pytest.fixture(scope="module", params=DATABASES)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp(f"hostile-{request.param}")
    (folder / "connections").mkdir()
    (folder / "connections" / "crm.toml").write_text(CONNECTION.format(vendor="hubspot"))
    (folder / "connections" / "other.toml").write_text(CONNECTION.format(vendor="standard-webhooks"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CRM_SECRET", SECRET)
        with running_inside(folder, {"ACCOUNTSCORE_STORE_URL": store_url(request, folder)}) as inside:
            yield Running(inside, request.param)


@pytest.mark.parametrize("column", ["value", "object_id", "detail", "connection"])
def test_every_text_can_be_stored_and_found_again(store: Store, column: str) -> None:
    rows = [{**letter(name), "into": None, "dedupe_key": name, column: text} for name, text in HOSTILE.items()]
    if column == "connection":  # a part of an index, in which Postgres takes 2,704 bytes
        rows = [row for row in rows if len(str(row[column])) < 1000]
    with store.write() as connection:
        connection.execute(insert(inbox), rows)
    with store.read() as connection:
        for row in rows:
            found = connection.execute(
                select(inbox.c[column]).where(inbox.c[column] == row[column], inbox.c.dedupe_key == row["dedupe_key"])
            )
            assert found.scalars().all() == [kept(str(row[column]))]


def test_without_the_text_type_a_store_refuses_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sabotaged twin. SQLite keeps a NUL and refuses half a pair; Postgres refuses both."""
    monkeypatch.setattr(text_type, "kept", lambda text: text)
    refused = set()
    for name in NOT_KEPT:
        try:
            with store.write() as connection:
                connection.execute(insert(inbox), [{**letter(name), "value": HOSTILE[name]}])
        except (DBAPIError, UnicodeEncodeError):
            refused.add(name)
    assert refused == ({*NOT_KEPT} if store.dialect == "postgresql" else {"half a pair", "the other half"})


def test_every_text_column_has_the_type() -> None:
    columns = [column for table in metadata.tables.values() for column in table.columns]
    assert not [column for column in columns if type(column.type) is Text]
    assert sum(isinstance(column.type, text_type.StoredText) for column in columns) > 60


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "long"])
def test_the_api_answers_the_same_on_both_stores(running: Running, name: str) -> None:
    """No 500, whatever a text has; what is not kept is refused or is nobody's."""
    client, text = running.inside.client, HOSTILE[name]
    escaped = json.dumps(text)
    expected_score = 400 if "half" in name else 207  # nothing is stored of it
    score = client.post(
        "/v1/churn-risk/score",
        content=f'{{"records": [{{"entity_id": {escaped}}}]}}',
        headers={"content-type": "application/json"},
    )
    assert score.status_code == expected_score, score.text
    reason = f'{{"model": "churn-risk", "band": "low", "reason": {json.dumps("abc" + text)}, "author": "me"}}'
    override = client.request(
        "PUT", "/v1/account/acme/override", content=reason, headers={"content-type": "application/json"}
    )
    assert override.status_code == (200 if name not in NOT_KEPT else 400 if "half" in name else 422), override.text
    path = "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))
    for method, where in (
        ("GET", "scores"),
        ("PUT", "objection"),
        ("GET", "objection"),
        ("DELETE", "objection"),
        ("POST", "erasure"),
    ):
        answer = client.request(method, f"/v1/account/{path}/{where}", headers={"content-type": "application/json"})
        assert answer.status_code < 500, (method, where, answer.text)


def test_a_backup_of_sqlite_with_a_nul_is_restored_into_postgres(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """As 0.1 stored it: SQLite took a NUL."""
    new: Any = request.getfixturevalue("postgres")
    old = new_store(tmp_path)
    with old.write() as connection:
        connection.execute(insert(inbox), [letter("a"), letter("b")])
    old.close()
    raw = sqlite3.connect(tmp_path / "store.db")
    raw.execute("UPDATE inbox SET value = ? WHERE dedupe_key = 'a'", ("soft\x00ware",))
    raw.commit()
    raw.close()
    old = open_store(f"sqlite:///{tmp_path}/store.db")
    backup(old, tmp_path / "a.backup")
    old.close()
    there = open_store(new())
    assert restore(there, tmp_path / "a.backup", 1).rows["inbox"] == 2
    with there.read() as connection:
        assert sorted(str(v) for v in connection.execute(select(inbox.c.value)).scalars()) == ["None", "soft\ufffdware"]
    there.close()
