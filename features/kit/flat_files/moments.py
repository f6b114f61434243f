"""Reads times of a flat file, of any type or text form, as microseconds since 1970 in UTC."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.kit.flat_files.values import is_text, plain
from features.kit.missing import MISSING_NUMBERS

_UNITS = {"s": 1_000_000, "ms": 1_000}
_DOTTED = r"^(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T](.+))?$"
_SLASHED = r"^(\d{1,2})/(\d{1,2})/(\d{4})(?:[ T](.+))?$"


def as_moments(column: Any) -> Any:
    """int64 microseconds since 1970, UTC where no zone is named; null where the value is missing or no time.

    It reads dates, timestamps of any unit and zone (rounded down to the microsecond), ISO 8601 texts, `31.12.2026 17:30`, and
    `12/31/2026` where the column itself shows which part is the month: a number above 12 in one place, and none in the other.
    """
    column = plain(column)
    kind = column.type
    if pa.types.is_date(kind):
        return pc.cast(pc.cast(column, pa.timestamp("us")), pa.int64())
    if pa.types.is_timestamp(kind):
        whole = pc.cast(column, pa.int64())
        if kind.unit == "ns":
            return _floor(whole)
        return pc.multiply(whole, _UNITS[kind.unit]) if kind.unit in _UNITS else whole
    if not is_text(kind):
        return pa.chunked_array([pa.nulls(len(column), pa.int64())])
    return pa.chunked_array([pa.array(_of_texts(column.to_pandas()), pa.int64(), from_pandas=True)])


def _floor(nanoseconds: Any) -> Any:
    """Whole microseconds, also before 1970; Arrow's own division rounds towards zero."""
    gone = np.asarray(pc.is_null(nanoseconds).to_numpy(zero_copy_only=False))
    filled = pc.fill_null(nanoseconds, 0).to_numpy(zero_copy_only=False)
    return pa.chunked_array([pa.array(np.floor_divide(np.asarray(filled, dtype=np.int64), 1000), mask=gone)])


def _of_texts(texts: pd.Series[Any]) -> pd.Series[Any]:
    cleaned = texts.astype("str").str.strip()
    cleaned = cleaned.where(texts.notna() & ~cleaned.isin(MISSING_NUMBERS))
    found = _parsed(cleaned)
    # ISO 8601 also has 2026 and 20261231: a bare number is a number, not a time.
    found = found.mask(cleaned.str.fullmatch(r"[+-]?\d+(?:\.\d+)?").fillna(False).astype(bool))
    for pattern, order in ((_DOTTED, "dmy"), (_SLASHED, None)):
        parts = cleaned.str.extract(pattern)
        there = parts[0].notna()
        if not there.any():
            continue
        first, second = pd.to_numeric(parts[0][there]), pd.to_numeric(parts[1][there])
        chosen = order or ("dmy" if (first > 12).any() else "mdy" if (second > 12).any() else None)
        if chosen is None or ((first > 12).any() and (second > 12).any()):
            continue
        day, month = (parts[0], parts[1]) if chosen == "dmy" else (parts[1], parts[0])
        iso = parts[2] + "-" + month.str.zfill(2) + "-" + day.str.zfill(2) + ("T" + parts[3]).fillna("")
        found = found.where(~there, _parsed(iso.where(there)))
    return found.astype("Int64")


def _parsed(texts: pd.Series[Any]) -> pd.Series[Any]:
    read = pd.to_datetime(texts, errors="coerce", utc=True, format="ISO8601")
    whole = read.dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64)
    return pd.Series(whole, index=texts.index, dtype="Int64").mask(read.isna())
