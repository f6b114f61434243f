"""The few values that a filter has, for a form: found anew after a minute, so that a page asks the store only for its rows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from models.definition import Model
from serving.lists import repository
from serving.store.connect import Store

MOST = 40
"""Values that a form lists; a column with more is typed."""
FRESH_SECONDS = 60.0


@dataclass(frozen=True)
class Found:
    """By filter its values; None: there are more than `MOST`."""

    owners: list[str] | None
    segments: Mapping[str, list[str] | None]
    """By segment column."""


class Choices:
    """Safe to use from threads."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Found]] = {}

    def of(self, model: Model) -> Found:
        """Raises `StoreAway`."""
        with self._lock:
            kept = self._kept.get(model.name)
        if kept is not None and self._clock() - kept[0] < FRESH_SECONDS:
            return kept[1]
        with self._store.read() as connection:
            columns = repository.segment_columns(connection, model.entity)
            found = Found(
                repository.owners(connection, model.name, MOST),
                {each: repository.segment_values(connection, model.entity, each, MOST) for each in columns},
            )
        with self._lock:
            self._kept[model.name] = self._clock(), found
        return found
