"""A store with two accounts and their keys, and what protects people and is newer than a backup of it."""

from __future__ import annotations

from sqlalchemy import insert

from serving.connections.config import ConnectionConfig, Mapped
from serving.decisions import repository as history
from serving.keys import repository as keys
from serving.keys import service
from serving.privacy import repository as privacy
from serving.privacy.aliases import aliases
from serving.store.connect import Store, insert_new
from serving.store.tables import idempotency, inbox, signals
from tests.kit.store_rows import decision, letter, signal_row

CRM = ConnectionConfig("main", "hubspot", "https://x", "s", None, {"company": Mapped("accounts", "hs-{id}", {}, {})})


def company(store: Store) -> list[str]:
    """Two accounts, an event of each that nobody looked at yet, a stored answer, three keys. Returns the keys' ids."""
    with store.write() as connection:
        made = [service.create(connection, b"pepper", name, ["score"], 1)[1].id for name in ("first", "second")]
        connection.execute(insert(signals), [signal_row("hs-47114711", 7), signal_row("hs-47124712", 7)])
        history.put(connection, [decision("hs-47114711"), decision("hs-47124712")])
        privacy.object_to(connection, "account", "hs-4713", 1)
        events = [
            {
                **letter(f"e{n % 10}"),
                "object_type": "company",
                "object_id": str(n),
                "property": "city",
                "value": f"city {n}",
            }
            for n in (47114711, 47124712)
        ]
        insert_new(connection, inbox, events, ("connection", "dedupe_key"))
        answer = {"key_hash": "k", "fingerprint": "f", "begun_at": 1, "body": b'{"entity_id": "hs-47114711"}'}
        connection.execute(insert(idempotency), [answer])
    return made


def protect(store: Store, made: list[str]) -> None:
    with store.write() as connection:
        privacy.erase(connection, "account", "hs-47114711", 5, aliases([CRM], "account", "hs-47114711"))
        privacy.object_to(connection, "account", "hs-47124712", 6)
        privacy.allow(connection, "account", "hs-4713", 6)
        keys.revoke(connection, made[0], 7)
        service.create(connection, b"pepper", "third", ["score"], 8)
        history.put(connection, [decision("hs-47124712"), decision("hs-4714")])
