"""Overrides, objections and erasures in memory, so that scoring reads no table for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from serving.overrides import repository as overrides
from serving.overrides.repository import Override
from serving.privacy import repository as privacy
from serving.privacy.repository import Erased
from serving.store import version_counters
from serving.store.deletions import stored_hash_of_id

GENERATIONS = (overrides.GENERATION, privacy.GENERATION)


@dataclass(frozen=True)
class Directives:
    """All of them at one moment. Immutable: a change makes a new one."""

    overrides: dict[tuple[str, str], Override] = field(default_factory=dict)
    objecting: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(entity, `stored_hash_of_id`) to the moment of the objection, in microseconds."""
    erased: Erased = field(default_factory=Erased)
    generation: int = -1
    """The privacy counter (`version_counters`) when this was loaded; -1: never loaded."""

    @classmethod
    def load(cls, connection: Connection, now_us: int) -> Directives:
        found = {(o.model, o.entity_id): o for o in overrides.holding(connection, now_us)}
        asked = version_counters.of(connection, privacy.GENERATION)
        return cls(found, privacy.objecting(connection), Erased.load(connection), asked)

    def override(self, model: str, entity_id: str, now_us: int) -> Override | None:
        found = self.overrides.get((model, entity_id))
        return found if found is not None and found.holds(now_us) else None

    def may_not_score(self, entity: str, entity_id: str) -> bool:
        """Whether the entity objected or was erased."""
        return self.objecting_since(entity, entity_id) is not None or self.erased.has(entity, entity_id)

    def objecting_since(self, entity: str, entity_id: str) -> int | None:
        """When it objected, in microseconds; None when it did not."""
        return self.objecting.get((entity, stored_hash_of_id(entity, entity_id))) if self.objecting else None
