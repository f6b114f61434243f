"""Scores a decision record again: the same scorer and inputs give the same number, to the bit, on any processor.

A record of a version before 0.3 replays to its bits on a processor of the same kind as its own.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from features.kit.errors import UserMistake
from models.scorer.sigmoid import sigmoid, sigmoid_by_numpy
from serving.decisions import repository
from serving.scorer_cache import KeptScorers
from serving.store.connect import Store


@dataclass(frozen=True)
class Replayed:
    """A record and the result of scoring it again."""

    record: dict[str, Any]
    probability: float | None
    score: int | None
    band: str | None
    inputs_unchanged: bool

    @property
    def same(self) -> bool:
        """Whether inputs and result are unchanged, the probability to its last bit."""
        was = (_bits(self.record["probability"]), self.record["score"], self.record["band"])
        return self.inputs_unchanged and was == (_bits(self.probability), self.score, self.band)


def replay(store: Store, scorers: KeptScorers, record_id: int) -> Replayed:
    """Score a record again. Raises `UserMistake` when no record has the id, `ScorerGone` when its scorer no longer
    exists."""
    record = repository.one(store, record_id)
    if record is None:
        raise UserMistake(f"no decision record has the id {record_id}: GET /v1/ENTITY/ID/scores shows ids")
    unchanged = hashlib.sha256(record["inputs"]).hexdigest() == record["inputs_sha256"]
    if record["no_score"] is not None:
        return Replayed(record, None, None, None, unchanged)
    scorer = scorers.get(record["model"], record["scorer"])
    try:
        x, faults, _ = scorer.encode_records([repository.inputs_of(record, scorer)])
    except (ValueError, msgspec.MsgspecError):  # they were changed
        return Replayed(record, None, None, None, unchanged)
    if faults[0]:
        return Replayed(record, None, None, None, unchanged)
    log_odds, was = scorer.log_odds(x), _bits(record["probability"])
    ours, before = sigmoid(log_odds), sigmoid_by_numpy(log_odds)
    probability = before if _bits(before[0]) == was else ours
    return Replayed(
        record, float(probability[0]), int(scorer.percentile(probability)[0]), scorer.band(probability)[0], unchanged
    )


def _bits(number: float | None) -> bytes | None:
    return None if number is None else struct.pack("<d", np.float64(number))
