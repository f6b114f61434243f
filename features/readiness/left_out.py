"""Counts the rows that the SELECTs of a source leave out, by its own `_left_out.sql` (`features init` writes it)."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from features.readiness.line import Line
from features.sources.legacy_encodings import readable
from features.sources.query_text import QueryText, UnreadableText
from features.sources.source import Source

NAME = "_left_out.sql"
"""A SELECT with the columns table, reason, next_step and rows. Files that begin with an underscore are no tables."""


def left_out_lines(source: Source) -> Iterable[Line]:
    """One line per reason with rows; one that weakens when the SELECT cannot be run."""
    path = source.folder / NAME
    if not path.is_file():
        return
    try:
        with readable(QueryText.read(path, source.data).alone) as text:
            found = source.query(f'SELECT "table", reason, next_step, rows FROM ({text}) WHERE rows > 0 ORDER BY ALL')
    except duckdb.OutOfMemoryException:
        raise
    except (duckdb.Error, UnreadableText) as error:
        yield Line(
            severity="weakens",
            table="",
            column="",
            rows=None,
            rule=f"{NAME} counts what the other SELECTs leave out",
            found=str(error).split("\n")[0],
            needed="a SELECT with the columns table, reason, next_step and rows",
            what_to_do=f"mend it, or delete {NAME}",
        )
        return
    for table, reason, step, rows in found:
        yield Line(
            severity="info",
            table=table,
            column="",
            rows=int(rows),
            rule="what a SELECT leaves out is counted",
            found=f"left out: {reason}",
            needed="a reason that you agree with",
            what_to_do=step,
        )
