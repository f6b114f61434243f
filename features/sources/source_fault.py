"""A fault of a source's file: one sentence for people, and its parts for the report of `check`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from features.kit.errors import Fault


@dataclass(frozen=True, kw_only=True)
class SourceFault(Fault):
    """A fault whose place is also in fields. Made by `source_fault`."""

    table: str
    """The file's name without its ending, even if no table has that name."""
    column: str = ""
    rows: int | None = None
    """Number of rows with the fault; None when rows are not counted."""
    what: str
    """What was found, with its line or file, and without the number of rows."""


def source_fault(
    path: Path,
    *,
    found: str,
    rule: str,
    next_step: str,
    column: str = "",
    line: int | None = None,
    file: str = "",
    rows: int | None = None,
    excerpt: str = "",
) -> SourceFault:
    """A fault of the SELECT or the Python at `path`; `file` is one that it reads.

    >>> fault = source_fault(Path("s/usage.sql"), found="is null", rule="r", next_step="n", column="user_id", rows=3)
    >>> fault.where, fault.found, (fault.table, fault.column, fault.rows, fault.what)
    ('s/usage.sql, table usage, column user_id', '3 rows where it is null', ('usage', 'user_id', 3, 'is null'))
    """
    parts = {"table": path.stem if rows is not None else "", "file": file, "column": column, "line": line}
    return SourceFault(
        where=", ".join([str(path), *(f"{name} {part}" for name, part in parts.items() if part)]),
        found=found if rows is None else f"{rows:,} rows where it {found}",
        rule=rule,
        next_step=next_step,
        excerpt=excerpt,
        table=path.stem,
        column=column,
        rows=rows,
        what=f"file {file}: {found}" if file else f"line {line}: {found}" if line else found,
    )


def of_file(path: Path, file: str, fault: Fault) -> SourceFault:
    """A fault of a file that the SELECT at `path` reads."""
    return source_fault(
        path, file=file, found=fault.found, rule=fault.rule, next_step=fault.next_step, excerpt=fault.excerpt
    )
