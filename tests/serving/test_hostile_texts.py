"""Texts that a database refuses: the same on both stores, and the good ones beside them are kept (issue 13)."""

from __future__ import annotations

import json
import sqlite3
import time
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
from tests.kit.cases import whsec
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import Inside, running_inside
from tests.kit.killing import SECRET, signed
from tests.kit.stores import new_store
from tests.serving.test_store import letter

HOSTILE = {
    "nul": "a\x00b", "half a pair": "a\ud800b", "the other half": "\udfff", "bidi": "\u202eexe.cod", "long": "x" * 1_000_000,
    "astral": "\U0001f600", "not a character": "\uffff", "controls": "\x01\x1b[31m\x7f", "quotes": "'\";--%s%(a)s{}",
}  # fmt: skip
NOT_KEPT = ("nul", "half a pair", "the other half")
CONNECTION = """
vendor = "{vendor}"
public_url = "https://scores.example.com"
secret_envs = ["CRM_SECRET"]
source = "sample"
[objects.contact]
table = "leads"
columns = {{ industry = "industry" }}
"""


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


def stored(inside: Inside) -> dict[str, tuple[str, str | None]]:
    with inside.state.store.read() as connection:
        return {row.object_id: (row.state, row.value) for row in connection.execute(select(inbox))}


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


def event(number: int, record: int, value: object, **more: object) -> dict[str, object]:
    return {
        "eventId": number, "subscriptionId": 1, "portalId": 1, "occurredAt": 1_764_547_200_000, "objectId": record,
        "subscriptionType": "contact.propertyChange", "propertyName": "industry", "propertyValue": value, **more,
    }  # fmt: skip


def test_one_hostile_event_of_a_delivery_fails_and_the_others_wait_to_be_worked_on(running: Running) -> None:
    texts = {name: text for name, text in HOSTILE.items() if name != "long"}
    events = [event(n, n, text) for n, text in enumerate(texts.values(), 1)]
    events += [event(50, 50, "software"), event(51, 51, 10**200), event(52, 52, "x" * 500_000)]
    body, headers = signed(events)
    assert running.inside.client.post("/webhooks/crm", content=body, headers=headers).status_code == 204
    found = stored(running.inside)
    for n, name in enumerate(texts, 1):
        assert found[str(n)] == ("failed" if name in NOT_KEPT else "waiting", kept(texts[name])), name
    assert found["50"] == ("waiting", "software")
    assert found["51"] == ("waiting", str(10**200))  # the worker fails it
    assert found["52"] == ("waiting", "x" * 500_000)
    # Numbers that nothing holds are no reason to refuse the others either.
    text = body.decode().replace('"eventId": 50', '"eventId": 60').replace('"software"', "1e999")
    body, headers = _signed_raw(text)
    assert running.inside.client.post("/webhooks/crm", content=body, headers=headers).status_code == 204
    with running.inside.state.store.read() as connection:
        assert "1e999" in connection.execute(select(inbox.c.value)).scalars().all()


def _signed_raw(text: str) -> tuple[bytes, dict[str, str]]:
    from hubspot.utils.signature import Signature

    stamp = str(int(time.time() * 1000))
    signature = Signature.get_signature(SECRET, text, "v3", "https://scores.example.com/webhooks/crm", "POST", stamp)
    return text.encode(), {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": stamp}


def test_an_absurd_time_of_an_event_is_not_wanted_and_nothing_fails(running: Running) -> None:
    import datetime as dt

    from standardwebhooks.webhooks import Webhook

    for number, stamp in enumerate(
        ("99999999999999999999", "-99999999999999999999", "10000-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
    ):
        content = {
            "type": "contact.updated",
            "timestamp": stamp,
            "data": {"object": "contact", "id": f"t{number}", "properties": {"industry": "a\x00"}},
        }
        body = json.dumps(content)
        moment = dt.datetime.fromtimestamp(int(time.time()), dt.UTC)
        secret = whsec(SECRET.encode())
        headers = {
            "webhook-id": f"m{number}", "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": Webhook(secret).sign(msg_id=f"m{number}", timestamp=moment, data=body),
        }  # fmt: skip
        assert running.inside.client.post("/webhooks/other", content=body, headers=headers).status_code == 204
    found = stored(running.inside)
    assert "t0" not in found
    assert "t1" not in found
    assert found["t3"][0] == "failed"


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
