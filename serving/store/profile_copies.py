"""What lists keep of profiles: copies of the columns that they sort and filter by, and the terms that they search.

Written where a profile is written, in its transaction, and only where they changed: a night in which nobody was renamed
writes none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from serving.store.deletions import parts
from serving.store.listed import models_of
from serving.store.search_terms import add_terms, delete_terms, search_text, terms_of_row
from serving.store.tables import latest_scores, profiles
from serving.store.text import kept

COPIES = ("renewal_at", "owner", "name_key", "search_text", "acted_at")
"""Columns of `latest_scores` that come from the profile."""
NONE: dict[str, Any] = {**dict.fromkeys(COPIES), "search_text": ""}
"""Those of an entity without a profile."""
_READ = [
    profiles.c[name] for name in ("entity_id", "as_of", "name", "domain", "owner", "segments", "renewal_at", "acted_at")
]


def copies_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The copies of a row of `profiles`.

    >>> copies_of({"name": "ACME", "domain": "acme.com", "owner": "j.doe", "renewal_at": None, "acted_at": None})["search_text"]
    ' acme acme.com'
    """
    name, owner = row["name"], row["owner"]
    return {
        "renewal_at": row["renewal_at"],
        "owner": None if owner is None else kept(owner),
        "name_key": None if name is None else kept(name).casefold().strip() or None,
        "search_text": search_text(name, row["domain"]),
        "acted_at": row["acted_at"],
    }


def copies_among(connection: Connection, entity: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The copies of each id; of one without a profile they are `NONE`."""
    found = dict.fromkeys(ids, NONE)
    found.update((row["entity_id"], copies_of(row)) for row in _stored(connection, entity, ids))
    return found


def renew(connection: Connection, entity: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Bring terms and copies up to new rows of `profiles`, in the caller's transaction, before they are stored. A row
    that is older than the stored one changes nothing."""
    stored = {row["entity_id"]: row for row in _stored(connection, entity, [row["entity_id"] for row in rows])}
    new_terms: list[tuple[str, str]] = []
    old_terms: list[tuple[str, Iterable[str]]] = []
    changed: list[dict[str, Any]] = []
    for row in rows:
        entity_id, before = row["entity_id"], stored.get(row["entity_id"])
        if before is not None and row["as_of"] < before["as_of"]:
            continue
        if before is not None and all(row[name] == before[name] for name in ("name", "domain", "segments")):
            gone = new = set()
        else:
            there, wanted = set() if before is None else terms_of_row(before), terms_of_row(row)
            gone, new = there - wanted, wanted - there
        new_terms += [(entity_id, term) for term in new]
        if gone:
            old_terms.append((entity_id, gone))
        copies = copies_of(row)
        if before is None or copies != copies_of(before):
            changed.append({**copies, "of_id": entity_id})
    delete_terms(connection, entity, old_terms)
    # In the order of the key: neighbours are on the same page of the index.
    add_terms(connection, sorted((entity, term, entity_id) for entity_id, term in new_terms))
    if changed:
        for model in models_of(connection):
            connection.execute(
                update(latest_scores)
                .where(
                    latest_scores.c.model == model,
                    latest_scores.c.entity_id == bindparam("of_id"),
                    latest_scores.c.entity == entity,
                )
                .values({name: bindparam(name) for name in COPIES}),
                changed,
            )


def _stored(connection: Connection, entity: str, ids: Sequence[str]) -> Iterable[Mapping[str, Any]]:
    for part in parts(list(dict.fromkeys(ids))):
        asked = select(*_READ).where(profiles.c.entity == entity, profiles.c.entity_id.in_(part))
        yield from (dict(row) for row in connection.execute(asked).mappings())
