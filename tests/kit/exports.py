"""Files as a system exports them, in one of the ways in which people save them."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Style:
    """How a file is saved; the defaults are those of the systems themselves."""

    delimiter: str = ","
    encoding: str = "utf-8-sig"
    rename: Callable[[str], str] = lambda name: name
    value: Callable[[str, str], str] = lambda column, value: value
    """Takes the column and the value."""
    file: Callable[[str], str] = lambda name: f"{name}.csv"
    footer: str = ""


def write_files(folder: Path, files: Mapping[str, Rows], style: Style | None = None) -> Path:
    """Write each file into a folder; None is an empty cell."""
    style = style or Style()
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        text = io.StringIO(newline="")
        columns = list(dict.fromkeys(column for row in rows for column in row))
        writer = csv.writer(text, delimiter=style.delimiter, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
        writer.writerow([style.rename(column) for column in columns])
        for row in rows:
            cells = ["" if row.get(c) is None else str(row[c]) for c in columns]
            writer.writerow([style.value(c, cell) if cell else "" for c, cell in zip(columns, cells, strict=True)])
        mark = codecs.BOM_UTF16_BE if style.encoding == "utf-16-be" else b""
        (folder / style.file(name)).write_bytes(mark + (text.getvalue() + style.footer).encode(style.encoding))
    return folder
