"""`python -m features query`: shows rows of a table after our casts, as a table, CSV or JSON."""

from __future__ import annotations

import csv
import datetime as dt
import json
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from features.kit.clock import iso


def query_command(
    source: Annotated[str, typer.Argument(help="A shipped source or a folder of <table>.sql.", show_default=False)],
    table: Annotated[str, typer.Argument(help="A canonical table, such as accounts.", show_default=False)],
    where: Annotated[
        str | None, typer.Option(help="A condition over the columns, such as \"status = 'ended'\".", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows at most.")] = 20,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="The folder of the source's files; ${data} in its SELECTs is this path."),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV for machines.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for machines.")] = False,
) -> None:
    """Show rows of a table as we read them: after the casts, in UTC, without erased people.

    Rows go to the standard output alone. A row that is too wide for the terminal is shown in a block of its own.
    """
    from features.kit.cli import width
    from features.kit.errors import UserMistake
    from features.sources.loader import open_source
    from features.sources.table_query import table_rows

    if as_csv and as_json:
        raise UserMistake("--csv and --json: one of them at a time")
    found = table_rows(open_source(source, data, keep_going=True), table, where, limit)
    names, rows = list(found.types), found.rows.to_pylist()
    if as_json:
        told = {"table": table, "columns": found.types, "rows": [_plain(row) for row in rows], "more": found.more}
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([[_csv_cell(value) for value in _plain(row).values()] for row in rows])
    elif rows:
        cells = [[shown(value) for value in row.values()] for row in rows]
        typer.echo(as_table(names, list(found.types.values()), cells, width()))
    more = f" of more: --limit {10 * limit} shows the next" if found.more else ""
    typer.echo(f"{len(rows):,} row{'' if len(rows) == 1 else 's'}{more}", err=True)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Values as JSON has them: times as ISO 8601 in UTC."""
    return {n: iso(v) if isinstance(v, dt.datetime) else v for n, v in row.items()}


def _csv_cell(value: Any) -> Any:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value


def shown(value: Any) -> str:
    """A value as text for a terminal; control characters are escaped.

    >>> shown(1.50), shown(None), shown(True), shown("a" + chr(27) + "[2J")
    ('1.5', '-', 'true', 'a\\\\x1b[2J')
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return iso(value).replace("T", " ").removesuffix("Z").removesuffix(" 00:00:00")
    text = repr(value) if isinstance(value, float) else str(value)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def as_table(names: Sequence[str], kinds: Sequence[str], rows: Sequence[Sequence[str]], columns: int) -> str:
    """Rows under their column names and types if the terminal is wide enough, else one block per row and one line per value.

    >>> print(as_table(["id", "mrr"], ["text", "money"], [["a1", "49.5"]], 80))
    id    mrr
    text  money
    a1    49.5
    """
    from rich.cells import cell_len

    table = [names, kinds, *rows]
    widths = [max(cell_len(line[n]) for line in table) for n in range(len(names))]
    if sum(widths) + 2 * (len(widths) - 1) <= columns:
        return "\n".join(
            "  ".join(cell + " " * (wide - cell_len(cell)) for cell, wide in zip(line, widths, strict=True)).rstrip()
            for line in table
        )
    name_wide, kind_wide = max(map(len, names)), max(map(len, kinds))
    indent = name_wide + kind_wide + 4
    blocks = []
    for number, row in enumerate(rows, 1):
        lines = [f"row {number:,}"]
        for name, kind, cell in zip(names, kinds, row, strict=True):
            text = f"{name:<{name_wide}}  {kind:<{kind_wide}}  {cell}"
            lines.append(
                text
                if cell_len(text) <= columns
                else textwrap.fill(
                    text,
                    max(columns, indent + 20),
                    subsequent_indent=" " * indent,
                    break_on_hyphens=False,
                    drop_whitespace=False,
                )
            )
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)
