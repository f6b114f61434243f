"""Flat files that people bring: one way of reading them, for learning and for scoring alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from features.errors import UserMistake

NULLS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]
"""Texts that are missing values in a CSV file."""
PARQUET = (".parquet", ".pq")


def is_parquet(path: Path) -> bool:
    """Parquet by its name, else CSV. Raises `UserMistake` for a name that is neither."""
    if path.suffix.lower() in PARQUET:
        return True
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if not {".csv", ".tsv"} & set(suffixes):
        raise UserMistake(f"{str(path)!r} is neither .parquet nor .csv")
    return False


def read_table(path: Path) -> pa.Table:
    """Parquet, or CSV with a header (comma, semicolon or tab); empty text is missing."""
    if not path.is_file():
        raise UserMistake(f"no file {str(path)!r}: give a .parquet or .csv file with one row per lead or account")
    if is_parquet(path):
        try:
            return pyarrow.parquet.read_table(path)
        except pa.ArrowInvalid as error:
            raise UserMistake(f"{str(path)!r} cannot be read as Parquet: {error}; write it again") from None
    with pa.input_stream(path, compression="detect") as stream:
        head = stream.read(65_536).split(b"\n", 1)[0]
    delimiter = max((",", ";", "\t"), key=lambda d: head.count(d.encode()))
    try:
        return pyarrow.csv.read_csv(
            path,
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True, null_values=NULLS),
        )
    except pa.ArrowInvalid as error:
        raise UserMistake(f"{str(path)!r} cannot be read as CSV: {error}; check the line that it names") from None


def as_texts(column: Any) -> Any:
    """An Arrow column as texts: trimmed, the empty one missing; numbers as they are written."""
    texts = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def as_numbers(column: Any) -> Any:
    """An Arrow column as float64: flags as 0 and 1, texts by what they say; what is no finite number is missing."""
    kind = column.type
    if pa.types.is_boolean(kind):
        return pc.cast(pc.cast(column, pa.int8()), pa.float64())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        found = pd.to_numeric(pd.Series(column.to_pandas(), dtype=object), errors="coerce").to_numpy(dtype=np.float64)
        column = pa.chunked_array([pa.array(found, from_pandas=True)])
    values = pc.cast(column, pa.float64())
    return pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64()))
