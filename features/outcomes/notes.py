"""Adds the outcomes that notes tell (`features.sources.notes`) to those that the source records.

They are added and nothing is replaced: which tables the outcome is read from, how far it is known and every outcome of
the source stay as they are. A row of `churn_labels` would do the contrary: it makes the source a source of ready labels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from features.outcomes.labels import Outcomes
from features.outcomes.outcome import Outcome
from features.sources.notes import TOLD
from features.sources.source import Source


def with_notes(source: Source, outcome: Outcome, found: Outcomes) -> Outcomes:
    """The outcomes with those of notes, and a remark that says how many there are. A note counts when it was told before
    the clock and tells of a time that the source observed; one about the time after the source's end counts when the
    source goes on. Outcomes without dates take none."""
    told = told_outcomes(source, outcome)
    if told.empty:
        return found
    if found.snapshot is not None:
        return replace(found, notes=(*found.notes, f"{_count(told)}: not counted, the outcomes have no dates."))
    return replace(found.with_told(told), notes=(*found.notes, f"{_count(told)}: added to what {found.origin} tells."))


def told_outcomes(source: Source, outcome: Outcome) -> pd.DataFrame:
    """entity_id, time_us and known_us of each note that the outcome happened, sorted; a note that it did not adds no row."""
    words = [word for word, happened in outcome.told_as.items() if happened]
    rows = []
    if source.told_outcomes and words:
        listed = ", ".join(f"'{word}'" for word in words)
        rows = source.query(
            f"SELECT entity_id, event_us, min(known_us) FROM {TOLD} WHERE entity = '{outcome.entity}' AND word IN ({listed}) "
            f"AND known_us <= {source.now_us} AND event_us BETWEEN {source.observed.first_us} AND {source.now_us} "
            "GROUP BY 1, 2 ORDER BY 1, 2"
        )
    frame = pd.DataFrame(rows, columns=["entity_id", "time_us", "known_us"])
    return frame.astype({"time_us": np.int64, "known_us": np.int64})


def _count(told: pd.DataFrame) -> str:
    return f"{len(told):,} outcomes were told by notes" if len(told) > 1 else "One outcome was told by a note"
