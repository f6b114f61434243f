"""Who is in the populations of models that ask one outcome, now: how many each has, and whom two of them share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pyarrow as pa

from features.outcomes.asked import Asked
from features.outcomes.outcome import ELIGIBLE
from features.panel.build import build_panel
from features.sources.source import Source


@dataclass(frozen=True)
class Members:
    """The entities of a source as of a moment, for models of one outcome."""

    as_of: dt.datetime
    eligible: int
    inside: dict[str, np.ndarray]
    """Model -> (n,) bool over all entities: eligible and in its population."""

    def count(self, model: str) -> int:
        return int(self.inside[model].sum())

    def shared(self) -> dict[tuple[str, str], int]:
        """How many entities two models both are for; pairs that share nobody are not there."""
        pairs = {(a, b): int((self.inside[a] & self.inside[b]).sum()) for a, b in combinations(self.inside, 2)}
        return {pair: count for pair, count in pairs.items() if count}


def members(source: Source, models: Sequence[Asked]) -> Members:
    """Who is in the populations of models of one outcome, at the end of the data.

    Raises `UserMistake` when a population reads what the source does not offer.
    """
    first = models[0]
    reads = dict.fromkeys(name for model in models if model.population for name in model.population.signals)
    as_of = source.span[1] + dt.timedelta(microseconds=1)
    panel = build_panel(source, first.entity, [as_of], only=list(reads), outcomes=[first.outcome])
    status = panel["eligibility"]
    inside = {
        model.name: _is_eligible(model.population.narrow(status, panel) if model.population else status)
        for model in models
    }
    return Members(as_of, int(_is_eligible(status).sum()), inside)


def _is_eligible(status: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(status.to_numpy() == ELIGIBLE)
