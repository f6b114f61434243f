"""Finds the column names of a CSV: its first record, if the rows after it have as many values."""

from __future__ import annotations

import csv
import io
from collections import Counter

from features.kit.errors import UserMistake

LOOKED_AT = 50
"""Number of records from which the usual width of a row is taken."""
ALIKE_SHARE = 0.9
"""At least this share of the rows must have that width before the first record is blamed."""


def column_names(shown: str, text: str, delimiter: str) -> list[str]:
    """The first record that is not empty. `shown` names the file in messages.

    Raises `UserMistake` when nearly all records after it have another number of values: a report has titles above its column
    names, or one name is missing. A few such rows are reported one by one when they are read.
    """
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    records = []
    for row in rows:
        if row:
            records.append((rows.line_num, row))
        if len(records) > LOOKED_AT:
            break
    if not records:
        return []
    names = records[0][1]
    widths = Counter(len(row) for _, row in records[1:])
    width, alike = max(widths.items(), key=lambda item: item[1], default=(len(names), 0))
    begin = next((n for n, (_, row) in enumerate(records) if len(row) == width), 0)
    # After the titles; a row of another width may be among them.
    if width == len(names) or width < 2 or alike < max(2, ALIKE_SHARE * (len(records) - begin)):
        return names
    has = f"{shown}: its first line has {len(names):,} value{'s' * (len(names) != 1)}, the rows have {width:,}"
    if begin > 1 or width > len(names) + 1:
        raise UserMistake(
            f"{has} from line {records[begin][0]:,} on: the first line has the column names, so delete the lines above them, "
            f"or write the {width:,} names as the first line"
        )
    raise UserMistake(
        f"{has}: the first line has a name for each column, so add the name that lacks, or delete what stands too much in each row"
        if width > len(names)
        else f"{has}: delete the names of which the rows have no value, or give each row all of its values"
    )
