"""CSV of a list: one line a row, with a header, and no cell that a spreadsheet runs (`serving.csv_injection`)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from serving.csv_injection import harmless
from serving.lists.schemas import ListRow

MEDIA_TYPE = "text/csv; charset=utf-8"
_PLAIN = (
    "entity_id",
    "name",
    "domain",
    "owner",
    "parent_id",
    "target_tier",
    "arr",
    "renewal_at",
    "plan",
    "as_of",
    "version",
    "probability",
    "score",
    "band",
    "change",
    "value",
    "value_at_risk",
    "acted_at",
)
_MADE = ("no_score", "reason_theme", "reason_signal", "reason", "override_band", "override_reason", "override_author")


def header(segments: Sequence[str]) -> str:
    """The first line. `segments`: the columns of their own."""
    return _lines([[*_PLAIN, *_MADE, *(f"segment.{name}" for name in segments)]])


def lines(rows: Iterable[ListRow], segments: Sequence[str]) -> str:
    """The lines of some rows. What is not known is an empty cell."""
    return _lines([*map(_cell, _cells(row, segments))] for row in rows)


def _cells(row: ListRow, segments: Sequence[str]) -> Iterable[object]:
    yield from (getattr(row, name) for name in _PLAIN)
    reason, override = row.reason, row.override
    yield row.no_score.code if row.no_score else None
    yield from (reason.theme, reason.signal, reason.text) if reason else (None, None, None)
    yield from (override.band, override.reason, override.author) if override else (None, None, None)
    yield from (row.segments.get(name) for name in segments)


def _cell(value: object) -> object:
    if isinstance(value, str):
        return harmless(value)
    return "" if value is None else value


def _lines(cells: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(cells)
    return text.getvalue()
