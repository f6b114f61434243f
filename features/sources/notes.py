"""Files of notes: what people and CRMs tell about single accounts and leads, an outcome (won, lost, churned) or an action (a call).

Serving keeps them in the store and publishes them as files `ACCOUNTSCORE_HOME/notes/YYYY-MM.jsonl`, one for each month in
which they were told. Every source that is opened reads these, so training, monitor, star and batch see the same notes
without the store. Notes are added to a source and replace nothing: actions become rows of `actions`, outcomes the table
`told_outcomes`, which `features.outcomes.notes` adds to what the source records. A note is known from the time at which it
was told, whatever time it tells of. Notes about entities that the source does not have, or that are suppressed, are left
out; those about a merged entity go to the one that remains.

A file's first line is a JSON object with `format` and `generation` (the store's counter of changes to that month), each
further line is a `NoteLine`. The free text of a note stays in the store.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

FOLDER = "notes"
FORMAT = 1
TOLD = "told_outcomes"
"""DuckDB table: entity, entity_id, word, event_us, known_us, visible_us."""


class NoteLine(TypedDict):
    """One note in a file. Times are microseconds since 1970 UTC."""

    id: str
    kind: str
    """outcome or action"""
    entity: str
    entity_id: str
    word: str
    """Of an outcome: won, lost or churned (`Outcome.told_as`); of an action its kind."""
    event_us: int
    known_us: int


def files_of(home: Path) -> list[Path]:
    """The files with notes, sorted by month."""
    return sorted((home / FOLDER).glob("*.jsonl"))
