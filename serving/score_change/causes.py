"""What moved the scores of a page most since the nightly run before: of each the one sentence, for 50 rows in two queries.

`service.change` splits one change into all its shares and takes 10 ms for it. Here the scores of a page are explained
together, and only the strongest share is said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from features.kit.clock import AHEAD_US
from models.scorer.scorer import Scorer
from serving.decisions import repository as history
from serving.decisions.repository import BATCH, WHAT_IF, of_its_time
from serving.scorer_cache import KeptScorers, ScorerGone
from serving.store.connect import Store
from serving.store.deletions import parts
from serving.store.tables import decisions, latest_scores


@dataclass(frozen=True)
class Cause:
    """What a score moved by most, in the direction in which it moved."""

    text: str
    """The sentence about the present value of that signal; empty when it was the new version."""
    version: int | None = None
    """The new version, when that moved it most."""


def causes(store: Store, scorers: KeptScorers, model: str, changes: Mapping[str, int], now_us: int) -> dict[str, Cause]:
    """The cause of each change. `changes`: by entity id the score minus that of the nightly run before, in points.

    Left out: what did not move, and what cannot be explained (a record or its scorer is gone, or says another change).
    Raises `StoreAway`.
    """
    wanted = [entity_id for entity_id, points in changes.items() if points]
    if not wanted:
        return {}
    with store.read() as connection:
        pairs = _pairs(connection, model, wanted, now_us)
    groups: dict[tuple[str, str], list[tuple[str, Any, Any]]] = defaultdict(list)
    for entity_id, (before, after) in pairs.items():
        if after["score"] - before["score"] == changes[entity_id]:
            groups[before["scorer"], after["scorer"]].append((entity_id, before, after))
    found: dict[str, Cause] = {}
    for (was, now), members in groups.items():
        try:
            old, new = scorers.get(model, was), scorers.get(model, now)
            found |= _of_group(old, new, members, changes)
        except (ScorerGone, ValueError):
            continue
    return found


def _pairs(connection: Connection, model: str, ids: Sequence[str], now_us: int) -> dict[str, tuple[Any, Any]]:
    """By id the newest record with a score, and that of the nightly run before it."""
    d, t = decisions.c, latest_scores.c
    of_it = (
        d.entity == t.entity,
        d.entity_id == t.entity_id,
        d.model == model,
        d.probability.is_not(None),
        d.as_of <= now_us + AHEAD_US,
        of_its_time(),
    )

    def newest(*more: Any) -> Any:
        asked = select(d.id).where(*of_it, *more).order_by(d.as_of.desc(), d.id.desc()).limit(1)
        return asked.correlate(latest_scores).scalar_subquery()

    after, before = newest(d.cause != WHAT_IF), newest(d.cause == BATCH, d.as_of < t.as_of)
    found: dict[str, tuple[Any, Any]] = {}
    for part in parts(ids):
        asked = select(t.entity_id, before, after).where(t.model == model, t.entity_id.in_(part))
        of_ids = {name: (b, a) for name, b, a in connection.execute(asked) if b is not None and a is not None}
        wanted = [each for pair in of_ids.values() for each in pair]
        columns = select(d.id, d.version, d.scorer, d.score, d.inputs).where(d.id.in_(wanted))
        rows = {row["id"]: dict(row) for row in connection.execute(columns).mappings()}
        found |= {name: (rows[b], rows[a]) for name, (b, a) in of_ids.items() if b in rows and a in rows}
    return found


def _of_group(
    old: Scorer, new: Scorer, members: Sequence[tuple[str, Any, Any]], changes: Mapping[str, int]
) -> dict[str, Cause]:
    """`members`: id, older and newer record, all by the same two scorers."""
    was = [_values(old, history.inputs_of(before, old)) for _, before, _ in members]
    inputs = [history.inputs_of(after, new) for _, _, after in members]
    now = [{name: own.get(name, earlier[name]) for name in old.names} for own, earlier in zip(inputs, was, strict=True)]
    x, faults, _ = old.encode_records([*was, *now])
    if any(faults):
        raise ValueError("the recorded inputs do not fit the scorer that recorded them")
    z, effects = old.explain(x)
    up = np.sign([changes[entity_id] for entity_id, _, _ in members])
    moved = up[:, None] * (effects[len(members) :] - effects[: len(members)])
    most = moved.argmax(axis=1)
    values = x[len(members) :][np.arange(len(members)), most]
    places, texts = old.say(most, values)
    by_version = np.zeros(len(members))
    if old.sha256 != new.sha256:
        by_version = up * (
            new.log_odds(new.encode_records([_values(new, each) for each in inputs])[0]) - z[len(members) :]
        )
    found = {}
    for i, (entity_id, _, after) in enumerate(members):
        strongest = moved[i, most[i]]
        if by_version[i] > strongest:
            found[entity_id] = Cause("", after["version"])
        elif strongest > 0:
            found[entity_id] = Cause(texts[places[i]])
    return found


def _values(scorer: Scorer, given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given.get(name) for name in scorer.names}
