"""Where a star goes to: a folder or a database, and what both can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from serving.export.published_run import PublishedRun


@dataclass(frozen=True)
class Added:
    """What an export brought: rows per table (empty when the run was there), and how many runs it took the place of."""

    rows: dict[str, int]
    replaced: int


@dataclass(frozen=True)
class Waiting:
    """The scores of one model in one run, whose outcomes are not there yet."""

    run_id: str
    as_of: datetime
    source: str
    model: str
    entity: str
    horizon_days: int


class Destination(Protocol):
    def add(self, run: PublishedRun) -> Added:
        """Add a run, in the place of another one of the same source and moment. A run that is there is left as it is."""
        ...

    def waiting(self) -> Sequence[Waiting]:
        """Scores without outcomes, the oldest first."""
        ...

    def scored(self, waiting: Waiting) -> list[str]:
        """The entities that have a score."""
        ...

    def put_outcomes(self, waiting: Waiting, outcomes: pa.Table) -> None: ...
