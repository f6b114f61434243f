"""Labels: did the outcome happen in `[as_of, as_of + horizon)`? Only this package reads facts later than `as_of`.

- A window that is not over at the end of what was observed (`features.sources.observed_period`) has no label: NaN, never 0. Where
  the tables that record the outcome stop long before the others, their end counts: contracts of last year do not say who
  left since. Rows after the end, or known only after the clock, are ignored.
- A ready outcome without dates is a snapshot: one label per entity, whatever the horizon.
- Each outcome defines what counts (`churn.py`, `conversion.py`, `expansion.py`). Most happen at a moment (`Outcomes`);
  one that is judged otherwise has a class of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from features.kit.clock import FOREVER_US
from features.kit.errors import BadInput
from features.signals.signal import Entity

NEVER_US = FOREVER_US + 1


class OutcomesRefused(BadInput):
    """Raised when a source records no outcome, or records it in a way that cannot be true; holds every reason."""

    as_told: Outcomes | None = None
    """The outcomes by their labels, when the only fault is that the source's own events deny them; an audit continues
    with these."""


@dataclass(frozen=True)
class Outcomes:
    """The outcomes of all entities, for an outcome that happens at a moment."""

    entity: Entity
    origin: str
    """The tables that it was read from."""
    events: pd.DataFrame
    """entity_id and time_us of each outcome, sorted; empty for a snapshot."""
    snapshot: pd.Series | None
    """entity_id -> 0.0 or 1.0 when the outcome has no date."""
    known_until_us: int
    """End of what was observed, in the tables that record the outcome; a later outcome would not be in them."""
    settle_us: int
    """How long after an outcome it is certain (churn: nobody came back)."""
    notes: tuple[str, ...] = ()
    """Remarks for reports."""
    once: bool = False
    """Whether it comes once at most: an entity that had it before `as_of`, without our knowing, has no label."""
    told: pd.DataFrame | None = None
    """entity_id, time_us and known_us of what notes added to `events`; None when there are none."""
    untold: Outcomes | None = None
    """The same without notes, where notes added something."""

    def happened(self, ids: pd.Series, as_of_us: np.ndarray, horizon_us: int) -> np.ndarray:
        """(n,) 1.0 or 0.0 by all that is recorded, whether or not the window is over; NaN where it could not happen."""
        y = (self.came_at(ids, as_of_us) < as_of_us + horizon_us).astype(np.float64)
        if self.once:
            y[self.came_at(ids, np.zeros_like(as_of_us)) < as_of_us] = np.nan
        return y

    def came_at(self, ids: pd.Series, as_of_us: np.ndarray) -> np.ndarray:
        """(n,) int64 microseconds: each entity's first outcome at or after `as_of`; `NEVER_US` when there is none."""
        return first_at_or_after(self.events, ids, as_of_us)

    def with_told(self, told: pd.DataFrame) -> Outcomes:
        """With the outcomes of notes (entity_id, time_us, known_us) beside those of the source, which stay as they are."""
        if told.empty:
            return self
        events = pd.concat([self.events, told[["entity_id", "time_us"]]]).drop_duplicates()
        events = events.sort_values(["entity_id", "time_us"]).reset_index(drop=True)
        return replace(self, events=events, told=told, untold=self)

    def until(self, now_us: int) -> Outcomes:
        """The same as it was recorded before a moment. A note counts from the moment at which it was told."""
        if self.untold is not None and self.told is not None:
            known = self.told[(self.told["time_us"] < now_us) & (self.told["known_us"] < now_us)]
            return self.untold.until(now_us).with_told(known)
        events = self.events[self.events["time_us"] < now_us]
        return replace(self, events=events, known_until_us=min(now_us, self.known_until_us))


def label(
    outcomes: Outcomes, entity_id: Sequence[str] | np.ndarray, as_of_us: np.ndarray, horizon_us: int
) -> np.ndarray:
    """(n,) 1.0 it happened in `[as_of, as_of + horizon)`, 0.0 it did not, NaN when that is not known.

    Not known: the window (and the days until an outcome is certain) is not over at the end of the data; the customer had
    left, or the lead's company had bought, before `as_of` without our knowing; a snapshot has no row for the entity.
    """
    ids = pd.Series(entity_id)
    if outcomes.snapshot is not None:
        return ids.map(outcomes.snapshot).to_numpy(dtype=np.float64)
    as_of = np.asarray(as_of_us, dtype=np.int64)
    y = outcomes.happened(ids, as_of, horizon_us)
    y[as_of + horizon_us + outcomes.settle_us > outcomes.known_until_us] = np.nan
    return y


def so_far(
    outcomes: Outcomes, entity_id: Sequence[str] | np.ndarray, as_of_us: np.ndarray, horizon_us: int
) -> np.ndarray:
    """(n,) bool: it has happened as far as recorded, also where the window is not over; it may still be undone."""
    whole = replace(outcomes, known_until_us=FOREVER_US, settle_us=0)
    return label(whole, entity_id, as_of_us, horizon_us) == 1.0


def ripe(outcomes: Outcomes, as_of_us: int, horizon_us: int) -> bool:
    """Whether the labels of `[as_of, as_of + horizon)` are final; never for a snapshot, whose outcomes have no date."""
    return outcomes.snapshot is None and as_of_us + horizon_us + outcomes.settle_us <= outcomes.known_until_us


def came_at(outcomes: Outcomes, entity_id: Sequence[str] | np.ndarray, as_of_us: np.ndarray) -> np.ndarray:
    """(n,) int64 microseconds: each entity's first outcome at or after `as_of`; `NEVER_US` when there is none."""
    return outcomes.came_at(pd.Series(entity_id), np.asarray(as_of_us, dtype=np.int64))


def first_at_or_after(events: pd.DataFrame, ids: pd.Series, moments: np.ndarray) -> np.ndarray:
    """Time of each entity's first event at or after a moment; NEVER_US when there is none."""
    if events.empty:
        return np.full(len(ids), NEVER_US)
    owner, names = pd.factorize(events["entity_id"])
    times = events["time_us"].to_numpy(dtype=np.int64)
    clock = np.unique(np.concatenate([times, moments]))
    keys = owner * len(clock) + np.searchsorted(clock, times)
    order = np.argsort(keys, kind="stable")
    asked = pd.Index(names).get_indexer(pd.Index(ids))
    place = np.searchsorted(keys[order], asked * len(clock) + np.searchsorted(clock, moments))
    inside = np.minimum(place, len(keys) - 1)
    hit = (asked >= 0) & (place < len(keys)) & (owner[order][inside] == asked)
    return np.where(hit, times[order][inside], NEVER_US)
