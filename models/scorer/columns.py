"""Columns as float64: arrays, sequences or Arrow columns in, one number a row out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from features.kit.errors import BadInput, Fault
from features.kit.missing import is_missing


def numbers(name: str, column: Any) -> np.ndarray:
    """(n,) float64 of a column of numbers or flags; null, NaN and infinity are NaN.

    `column` is an Arrow or NumPy array or a sequence. Raises `BadInput` with the column's name when it holds anything else.
    """
    try:
        if hasattr(column, "to_numpy") and hasattr(column, "null_count"):
            column = column.cast("double") if str(column.type) != "double" else column
            whole = column.combine_chunks() if hasattr(column, "num_chunks") else column
            found = whole.to_numpy(zero_copy_only=False)
        else:
            some = [np.nan if v is None else v for v in column] if isinstance(column, (list, tuple)) else column
            found = np.array(some, dtype=np.float64)
    except (TypeError, ValueError, NotImplementedError):  # Arrow's errors are among these
        raise BadInput(
            "columns to score",
            [Fault(where=f"column {name}", found="it holds texts", rule="numbers or null", next_step="cast it")],
        ) from None
    return np.where(np.isinf(found), np.nan, found)


def code_of(word: str, codes: Mapping[str, float]) -> float:
    """The code of a word: the one that it was learnt under, NaN when it means "not known", else that of a word never seen.

    >>> code_of(" pro ", {"pro": 0.0, "NULL": 1.0}), code_of("NULL", {"pro": 0.0, "NULL": 1.0}), code_of("gold", {"pro": 0.0})
    (0.0, 1.0, 1.0)
    """
    for said in (word, word.strip()):
        if said in codes:
            return codes[said]
    return math.nan if is_missing(word, of_words=True) else float(len(codes))


def words(column: Any, codes: Mapping[str, float]) -> np.ndarray:
    """(n,) float64 codes of a column of texts, by `code_of`; null and NaN are NaN."""
    if hasattr(column, "dictionary_encode"):
        encoded = column.dictionary_encode()
        chunks = encoded.chunks if hasattr(encoded, "chunks") else [encoded]
        parts = []
        for chunk in chunks:
            table = np.array([code_of(str(word), codes) for word in chunk.dictionary.to_pylist()] + [np.nan])
            indices = chunk.indices.fill_null(len(table) - 1).to_numpy(zero_copy_only=False)
            parts.append(table[indices])
        return np.concatenate(parts) if parts else np.empty(0)
    return np.array([np.nan if _absent(word) else code_of(str(word), codes) for word in column], dtype=np.float64)


def _absent(word: Any) -> bool:
    return word is None or word != word  # noqa: PLR0124  NaN, which pandas has for a missing text
