"""Finds the two scores to compare, and makes the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from features.kit.clock import from_us, iso
from models.scorer.scorer import Scorer
from serving.decisions import repository as history
from serving.decisions.earlier_rows import Inputs, Old
from serving.errors import NotFound
from serving.score_change.attribution import Attribution, split
from serving.score_change.schemas import BandStep, ChangeAnswer, MovedSignal, Parts, ScoreParts, ScorePoint
from serving.scorer_cache import KeptScorers, ScorerGone
from serving.store.connect import Store


def change(
    store: Store,
    scorers: KeptScorers,
    model: str,
    entity: str,
    entity_id: str,
    start: int | None,
    end: int | None,
    now_us: int,
    what_if: bool = False,
) -> ChangeAnswer:
    """The change from the newest score up to `start` (default: the one before the other) to the newest up to `end`
    (default: the newest), in microseconds. Scores of what-ifs count with `what_if`.

    Raises `NotFound` when there are no two scores or one's scorer is gone, `StoreAway`.
    """
    after = history.newest_scored(store, model, entity, entity_id, up_to=end, now_us=now_us, what_if=what_if)
    if after is None:
        raise NotFound("no_such_score", "no score of it is recorded up to then")
    limit = after["as_of"] - 1 if start is None else min(start, after["as_of"])
    before = history.newest_scored(
        store, model, entity, entity_id, up_to=limit, now_us=now_us, not_id=after["id"], what_if=what_if
    )
    if before is None:
        raise NotFound("no_such_score", "no earlier score of it is recorded: there is nothing to compare with")
    try:
        old, new = scorers.get(model, before["scorer"]), scorers.get(model, after["scorer"])
    except ScorerGone as error:
        raise NotFound("scorer_gone", str(error)) from None
    was, now = history.inputs_of(before, old), history.inputs_of(after, new)
    rows = _old_rows(store, before, after, was, new)
    found = split(old, new, was, now, rows)
    return _answer(model, entity, entity_id, before, after, found, old, new, rows is not None)


def _old_rows(
    store: Store, before: Mapping[str, Any], after: Mapping[str, Any], was: Inputs, new: Scorer
) -> Old | None:
    """The signals of the rows known before the older score, at the moment of the newer one; None when no record has
    them."""
    if before["as_of"] == after["as_of"]:
        return Old(aged=was)  # no time has passed
    for record in history.with_old_rows(store, after):
        found = history.old_rows_of(record, before["as_of"])
        if found is not None:
            # All signals, not only those that differ from that record: a what-if differs from it too.
            return Old({**history.inputs_of(record, new), **found.aged}, found.restated)
    return None


def _answer(
    model: str,
    entity: str,
    entity_id: str,
    before: dict[str, Any],
    after: dict[str, Any],
    found: Attribution,
    old: Scorer,
    new: Scorer,
    is_split: bool,
) -> ChangeAnswer:
    was, now = _point(before, old), _point(after, new)
    return ChangeAnswer(
        model,
        entity,
        entity_id,
        was,
        now,
        "recorded" if is_split else "not_recorded",
        found.total,
        Parts(**found.log_odds),
        now.score - was.score,
        ScoreParts(**found.score),
        [BandStep(step, band) for step, band in found.bands],  # type: ignore[arg-type]  # the names of the parts
        [MovedSignal(s.signal, s.theme, s.part, s.before, s.after, s.effect, s.text) for s in found.shares],  # type: ignore[arg-type]  # as above
        found.not_read,
    )


def _point(row: dict[str, Any], scorer: Scorer) -> ScorePoint:
    x, _, _ = scorer.encode_records([history.inputs_of(row, scorer)])
    return ScorePoint(
        row["id"],
        iso(from_us(row["as_of"])),
        row["version"],
        f"sha256:{row['scorer']}",
        float(scorer.log_odds(x)[0]),
        row["probability"],
        row["score"],
        row["band"],
    )
