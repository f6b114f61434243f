"""Profiles in the store: what people call an entity by, beside its signals.

A profile holds no personal data of contacts: `name` and `domain` are a company's, `owner` is somebody of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from serving.privacy.repository import erased_among, without_erased
from serving.store import profile_copies
from serving.store.connect import upsert
from serving.store.deletions import parts, remaining
from serving.store.tables import profiles

_decode = msgspec.json.Decoder(dict[str, str]).decode


@dataclass(frozen=True)
class Profile:
    """What was known of one entity as of one moment. None is unknown."""

    entity: str
    entity_id: str
    as_of: int
    """Microseconds since 1970 UTC."""
    name: str | None = None
    domain: str | None = None
    owner: str | None = None
    parent_id: str | None = None
    """The account that an account or a lead belongs to."""
    target_tier: str | None = None
    segments: Mapping[str, str] = field(default_factory=dict)
    """Segment column to its text; those that are unknown are left out."""
    arr: float | None = None
    """Yearly recurring revenue of an account, currency units; 0 without a paid contract, None without contracts."""
    renewal_at: int | None = None
    """End of the agreed term of the paid contract that ends first, microseconds since 1970 UTC."""
    plan: str | None = None
    acted_at: int | None = None
    """When the source says that somebody last acted upon it, microseconds since 1970 UTC; notes are not in it."""

    @property
    def row(self) -> dict[str, Any]:
        """The row of the table."""
        return {**self.__dict__, "segments": msgspec.json.encode(self.segments)}


_columns = [profiles.c[name] for name in Profile.__dataclass_fields__]


def put(connection: Connection, rows: Sequence[Profile]) -> None:
    """Store profiles in the caller's transaction, which stores their signals. Newer ones stay. Erased and deleted
    entities are skipped and are not named as a parent; of a merged one, the one that remains is.

    Profiles for a moment after the clock are removed before, together with such signals
    (`serving.scoring.repository.put`).
    """
    parents = {each.parent_id for each in rows if each.parent_id is not None}
    moved = remaining(connection, "account", parents) | dict.fromkeys(erased_among(connection, "account", parents))
    kept = [dict(row) for row in without_erased(connection, [each.row for each in rows])]
    for row in kept:
        parent = moved.get(row["parent_id"], row["parent_id"])
        of_itself = row["entity"] == "account" and parent == row["entity_id"]
        row["parent_id"] = None if of_itself else parent
    for entity in sorted({row["entity"] for row in kept}):
        profile_copies.renew(connection, entity, [row for row in kept if row["entity"] == entity])
    upsert(connection, profiles, kept, unique=("entity", "entity_id"), newest="as_of")


def fetch(connection: Connection, entity: str, ids: Iterable[str]) -> dict[str, Profile]:
    """Profiles by id; ids without one are left out."""
    found: dict[str, Profile] = {}
    for part in parts(sorted(set(ids))):
        asked = select(*_columns).where(profiles.c.entity == entity, profiles.c.entity_id.in_(part))
        for row in connection.execute(asked):
            values = dict(row._mapping)
            found[row.entity_id] = Profile(**{**values, "segments": _decode(values["segments"])})
    return found
