"""Takes entities off the lists: for erasure, objections and deletions in a CRM."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select

from serving.store.tables import latest_scores


def models_of(connection: Connection) -> list[str]:
    """The models that have rows on lists, also those whose file is gone: one look into the index for each."""
    found: list[str] = []
    while True:
        query = select(func.min(latest_scores.c.model))
        model = connection.execute(query.where(latest_scores.c.model > found[-1]) if found else query).scalar()
        if model is None:
            return found
        found.append(model)


def forget_listed(connection: Connection, entity: str, ids: Sequence[str]) -> int:
    """Delete the list rows of some entities, 400 at most, in the caller's transaction. Returns how many."""
    done = 0
    for model in models_of(connection):
        of_model = (
            latest_scores.c.model == model,
            latest_scores.c.entity_id.in_(ids),
            latest_scores.c.entity == entity,
        )
        done += connection.execute(delete(latest_scores).where(*of_model)).rowcount
    return done
