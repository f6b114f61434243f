"""Entities whose outcome was told by a note before each `as_of` (`features.sources.notes`): there is nothing left to predict.

A customer who left and pays again is eligible again: from the moment on at which the source shows a paid contract version that
begins after the departure.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import narwhals as nw

from features.kit.clock import FOREVER_US
from features.outcomes.eligibility import OUTCOME_TOLD
from features.panel.engines import Engine
from features.panel.visibility import KEY, KnownBefore
from features.signals.aggregations import where
from features.signals.signal import Entity
from features.sources.casts import quote
from features.sources.notes import TOLD
from features.sources.schema import ENTITIES
from features.sources.source import Source

Frame = nw.LazyFrame[Any]


def told_before(
    engine: Engine,
    source: Source,
    entity: Entity,
    spine: Frame,
    ids: Sequence[str] | None,
    known: KnownBefore | None = None,
) -> Frame:
    """entity_id, as_of_us and `OUTCOME_TOLD`: how many outcomes of the entity were told before, and hold; entities without a
    note are missing. `ids` are those in it (None: all), `known` says what was known."""
    key = KEY[entity]
    placed = partial(_rows, source=source, entity=entity, known=known)
    of = None if ids is None else (key, ids)
    rows = engine.keep(engine.table(ENTITIES[entity], [key, "visible_us"], of, None, known, placed))
    both = spine.select("entity_id", "as_of_us").join(rows, on="entity_id", how="inner")
    holds = where(nw.col("told_us") < nw.col("as_of_us")) - where(nw.col("back_us") < nw.col("as_of_us"))
    found = both.with_columns(**{OUTCOME_TOLD: nw.max_horizontal(holds, nw.lit(0, nw.Int64))})
    return found.group_by("entity_id", "as_of_us").agg(nw.col(OUTCOME_TOLD).sum())


def _rows(rows: str, source: Source, entity: Entity, known: KnownBefore | None) -> str:
    """SQL of entity_id, told_us (when a note became visible) and back_us (when its entity was seen to pay again)."""
    key, id, before = quote(KEY[entity]), "r.id", ""
    if known is not None and known.is_of_each:  # ids are `id@moment`
        id = "regexp_replace(r.id, '@[^@]*$', '')"
        before = "AND {0}.known_us < CAST(regexp_extract(r.id, '@([^@]*)$', 1) AS BIGINT)"
    elif known is not None:
        before = f"AND {{0}}.known_us < {known.moments}"
    paid, back = "", f"{FOREVER_US}"
    if entity == "account" and source.has("subscriptions"):
        paid = (
            f"LEFT JOIN subscriptions s ON s.account_id = t.entity_id AND s.status IN ('active', 'notice') AND s.mrr > 0 "
            f"AND s.event_us > t.event_us {before.format('s')}"
        )
        back = f"coalesce(min(s.visible_us), {FOREVER_US})"
    return (
        f"SELECT r.id AS entity_id, t.visible_us AS told_us, {back} AS back_us "
        f"FROM (SELECT DISTINCT {key} AS id FROM {rows}) r "
        f"JOIN {TOLD} t ON t.entity = '{entity}' AND t.entity_id = {id} {before.format('t')} {paid} "
        f"GROUP BY r.id, t.event_us, t.visible_us"
    )
