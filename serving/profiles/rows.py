"""Profiles for the store, of the panel of the batch or the worker: what the source tells people, and the segments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from features.kit.clock import to_us
from features.sources.typed_values import MOST_ID_CHARACTERS
from models.definition import Model
from serving.profiles.repository import Profile

if TYPE_CHECKING:
    import pyarrow as pa

    from features.signals.signal import Entity
    from features.sources.source import Source
    from serving.scoring.repository import Values


def profiles_of(
    source: Source,
    entity: Entity,
    as_of: datetime,
    ids: Sequence[str],
    values: Sequence[Values],
    models: Iterable[Model],
) -> list[Profile]:
    """The profiles of some entities as of a moment; `values` are their signals, in the order of `ids`."""
    from features.panel.profiles import profile_parts

    (table,) = profile_parts(source, entity, as_of, max(len(ids), 1), ids)
    return made(table, entity, as_of, ids, values, segment_names(entity, models))


def made(
    table: pa.Table, entity: str, as_of: datetime, ids: Sequence[str], values: Sequence[Values], segments: Sequence[str]
) -> list[Profile]:
    """The profiles of some entities out of a table of `features.panel.profiles`, in the order of `ids`."""
    told: dict[str, dict[str, Any]] = {row.pop("entity_id"): row for row in table.to_pylist()}
    found = []
    for entity_id, own in zip(ids, values, strict=True):
        row = told.get(entity_id)
        if row is not None:
            found.append(
                Profile(
                    entity=entity,
                    entity_id=entity_id,
                    as_of=to_us(as_of),
                    name=row["name"],
                    domain=row["domain"],
                    owner=row["owner"],
                    parent_id=_id(row["parent_id"]),
                    target_tier=row["target_tier"],
                    segments=segments_of(own, segments),
                    arr=row["arr"],
                    renewal_at=row["renewal_us"],
                    plan=row["plan"],
                    acted_at=row["acted_us"],
                )
            )
    return found


def _id(text: str | None) -> str | None:
    """None for a text that is longer than any id: an index of Postgres does not take it."""
    return None if text is None or len(text) > MOST_ID_CHARACTERS else text


def segment_names(entity: str, models: Iterable[Model]) -> list[str]:
    """The segments by which the entity's models are judged (`Model.segments`), each once."""
    return list(dict.fromkeys(name for model in models if model.entity == entity for name in model.segments))


def segments_of(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """The text of each segment. Unknown ones are left out, and numbers, which training does not judge by either.

    >>> segments_of({"region": "emea", "plan": None, "employees": 12.0}, ["region", "plan", "employees", "industry"])
    {'region': 'emea'}
    """
    return {name: text for name in names if isinstance(text := values.get(name), str)}
