"""Interface of the places that hold a star: a folder or a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from serving.export.published_run import PublishedRun


@dataclass(frozen=True)
class Added:
    """What an export added: rows per table (empty when the run was there), and how many runs it replaced."""

    rows: dict[str, int]
    replaced: int


@dataclass(frozen=True)
class Waiting:
    """Scores of one model in one run whose outcomes are still missing."""

    run_id: str
    as_of: datetime
    source: str
    model: str
    entity: str
    horizon_days: int


class Destination(Protocol):
    def add(self, run: PublishedRun) -> Added:
        """Adds a run and replaces another one of the same source and moment. A run that is there is left as it is."""
        ...

    def waiting(self) -> Sequence[Waiting]:
        """Scores whose outcomes are missing, the oldest first."""
        ...

    def scored(self, waiting: Waiting) -> list[str]:
        """Entities with a score."""
        ...

    def put_outcomes(self, waiting: Waiting, outcomes: pa.Table) -> None: ...
