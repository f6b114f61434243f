"""Entries of the audit log, and a log with some of each kind, for tests."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from serving.audit_log import repository
from serving.audit_log.chain import Head, Verdict, read_json, verify
from serving.audit_log.entry import Command, Entry
from serving.store.connect import Store
from serving.store.tables import audit_log

JANE = Command("oidc:jane", "Jane Doe", "person")


def entry(object_id: str = "acme", action: str = "override", **more: Any) -> Entry:
    return Entry(JANE, action, "account", object_id, None, {"band": "low", "reason": "They signed.", **more})


def put(store: Store, *entries: Entry, at: int = 1) -> Head:
    with store.write() as connection:
        return repository.append_all(connection, entries, at)


def six(store: Store) -> Head:
    """Six rows about three accounts."""
    return put(store, *(entry(name, number=n) for n, name in enumerate(("acme", "beta", "coda") * 2)))


def verdict_of(store: Store, *heads: Head) -> Verdict:
    with store.read() as connection:
        return verify(repository.rows(connection), [("the home", head) for head in heads])


def told(store: Store, action: str | None = None) -> list[tuple[str, str | None, dict[str, Any], dict[str, Any]]]:
    """(actor's kind, object id, before, after) of all rows, or of those of an action."""
    with store.read() as connection:
        rows = connection.execute(select(audit_log).order_by(audit_log.c.seq)).mappings().all()
    details = [(row, read_json(row["details"])) for row in rows if action in (None, row["action"])]
    return [
        (row["actor_kind"], held.get("object"), held.get("before") or {}, held.get("after") or {})
        for row, held in details
    ]


def actions(store: Store) -> list[str]:
    with store.read() as connection:
        return list(connection.execute(select(audit_log.c.action).order_by(audit_log.c.seq)).scalars())
