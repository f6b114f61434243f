"""Reads columns as numbers, words and flags: one rule per value, whatever the file's format or its other rows.

A value that cannot be read becomes null; the caller compares null counts to tell how many.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from features.kit.missing import MISSING_NUMBERS, MISSING_WORDS

DecimalMark = Literal[".", ","]
TRUE = frozenset(("true", "t", "yes", "y", "1", "ja", "wahr", "vrai", "oui", "sí", "si"))
FALSE = frozenset(("false", "f", "no", "n", "0", "nein", "falsch", "faux", "non"))
"""Texts that are read as a flag, in upper or lower case."""
LARGEST_EXACT = 2**53
"""A float64 does not hold every whole number beyond it, so these are not read as numbers."""

_CURRENCIES = "USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|NZD|SGD|HKD|SEK|NOK|DKK|PLN|CZK|HUF|RON|BRL|MXN|ZAR|TRY|ILS|KRW"
CURRENCY = rf"(?i)US\$|R\$|C\$|A\$|\p{{Sc}}|\b(?:{_CURRENCIES}|kr|zł|Kč|Fr)\b\.?"
_SPACES = "[\u00a0\u202f\u2009\u2007]"
_FIRST = r"[1-9][0-9]{0,2}"
_EXPONENT = r"(?:[eE][+-]?[0-9]+)?"
_DIGITS = r"^[+-]?[0-9]+$"
_MARKED_PERCENT = r"^[^%]*[0-9)][ ]?%$"


def _shape(decimal: str, thousands: str) -> str:
    """Pattern of a number with this decimal mark, whose thousands are grouped by one sign, or not at all."""
    groups = "|".join(f"{_FIRST}(?:{sign}[0-9]{{3}})+" for sign in (thousands, " ", "'"))
    return rf"^[+-]?(?:(?:[0-9]+|{groups})(?:{decimal}[0-9]*)?|{decimal}[0-9]+){_EXPONENT}$"


_SHAPES: Mapping[DecimalMark, str] = {".": _shape(r"\.", ","), ",": _shape(",", r"\.")}


def plain(column: Any) -> Any:
    """The column without encodings that only concern storage: dictionaries, run lengths, views, extension types."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        storage = [chunk.storage for chunk in column.chunks] if isinstance(column, pa.ChunkedArray) else column.storage
        return plain(pa.chunked_array(storage, kind.storage_type) if isinstance(storage, list) else storage)
    if pa.types.is_dictionary(kind):
        return plain(pc.cast(column, kind.value_type))
    if pa.types.is_run_end_encoded(kind):
        return plain(pc.run_end_decode(column))
    if pa.types.is_string_view(kind) or pa.types.is_large_string(kind):
        return pc.cast(column, pa.string() if column.nbytes < 2**31 else pa.large_string())
    if is_binary(kind):
        try:
            return pc.cast(column, pa.string())
        except pa.ArrowInvalid:
            return column
    return column


def is_text(kind: pa.DataType) -> bool:
    """Whether a `plain` column holds texts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_binary(kind: pa.DataType) -> bool:
    """Whether a column holds bytes of any kind."""
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def holds_no_value(kind: pa.DataType) -> str | None:
    """Why a `plain` column of this type holds neither numbers nor words; None when it does."""
    if pa.types.is_nested(kind):
        return "it holds lists or structures"
    if is_binary(kind):
        return "it holds bytes that are no UTF-8 text"
    if pa.types.is_temporal(kind):
        return "it holds dates, times or durations"
    return None


def trimmed(column: Any) -> Any:
    """Texts without spaces at both ends."""
    return pc.utf8_trim_whitespace(column)


def without_missing(texts: Any, *, of_words: bool) -> Any:
    """Trimmed texts; null where they mean "not known"."""
    return _without(texts, MISSING_WORDS if of_words else MISSING_NUMBERS)


def _without(texts: Any, missing: frozenset[str]) -> Any:
    """Trimmed texts; those that mean "not known" are null."""
    texts = trimmed(texts)
    gone = pc.is_in(texts, value_set=pa.array(sorted(missing), texts.type))
    return pc.if_else(gone, pa.scalar(None, texts.type), texts)


def as_words(column: Any, vocabulary: Mapping[str, Any] | None = None) -> Any:
    """An Arrow column as texts, trimmed; null where it is missing.

    Numbers are written as in a CSV, whole ones without a fraction (pandas turns a 7 beside a gap into 7.0). `vocabulary` has the
    words that a scorer learnt: such a word stays a word even when it is in the list of missing texts, and booleans become
    its words for true and false (`True`, `yes`).
    """
    column = plain(column)
    kind = column.type
    if pa.types.is_boolean(kind):
        yes, no = (_flag_word(vocabulary or {}, words, word) for words, word in ((TRUE, "true"), (FALSE, "false")))
        return pc.if_else(column, pa.scalar(yes), pa.scalar(no))
    if not is_text(kind):
        if pa.types.is_decimal(kind) or pa.types.is_floating(kind):
            wide = pc.cast(column, pa.float64())
            column = pc.cast(column, pa.string())
            whole = pc.and_kleene(pc.equal(pc.floor(wide), wide), pc.less_equal(pc.abs(wide), LARGEST_EXACT))
            whole_texts = pc.cast(
                pc.cast(pc.if_else(whole, wide, pa.scalar(None, pa.float64())), pa.int64()), pa.string()
            )
            column = pc.coalesce(whole_texts, column)
        else:
            column = pc.cast(column, pa.string())
    texts = trimmed(column)
    missing = MISSING_WORDS - set(vocabulary or ())
    return _without(texts, missing)


def _flag_word(vocabulary: Mapping[str, Any], meant: frozenset[str], default: str) -> str:
    found = [word for word in vocabulary if word.lower() in meant]
    return found[0] if len(found) == 1 else default


def numbers(texts: Any, decimal: DecimalMark = ".") -> Any:
    """Texts as float64; null for what is missing and for what is not a number.

    It reads `612,37` and `612.37` by their own shape, thousands (`6,123.40`, `6.123,40`, `6 123`, `6'123`), a currency before
    or after, a percent sign (12.5 % is 12.5), a trailing minus, and accountants' brackets `(5)`. `decimal` decides what could
    be either: `1,234` is 1234 with a point as the decimal mark, 1.234 with a comma.
    """
    texts = bare(texts)
    readings: dict[DecimalMark, Any] = {mark: pc.match_substring_regex(texts, shape) for mark, shape in _SHAPES.items()}
    other: DecimalMark = "," if decimal == "." else "."
    marks = pc.case_when(pc.make_struct(readings[decimal], readings[other]), pa.scalar(decimal), pa.scalar(other))
    point = pc.replace_substring_regex(texts, "[, ']", "")
    comma = pc.replace_substring(pc.replace_substring_regex(texts, "[. ']", ""), ",", ".")
    written = pc.if_else(pc.equal(marks, "."), point, comma)
    found = pc.cast(pc.utf8_ltrim(written, "+"), pa.float64())
    return finite(pc.if_else(_beyond(texts, found), pa.scalar(None, pa.float64()), found))


def beyond_exact(texts: Any) -> Any:
    """Mask of the texts that are whole numbers which a float64 does not hold exactly."""
    texts = bare(texts)
    digits = pc.match_substring_regex(texts, _DIGITS)
    found = pc.cast(pc.utf8_ltrim(pc.if_else(digits, texts, pa.scalar(None, texts.type)), "+"), pa.float64())
    return pc.fill_null(_beyond(texts, found), False)


def _beyond(texts: Any, found: Any) -> Any:
    largest = float(LARGEST_EXACT)
    size = pc.abs(found)
    if (pc.max(size).as_py() or 0.0) < largest:  # nearly always, and the rules below look at every text
        return pc.greater(size, largest)
    # As a float 2^53 + 1 is 2^53; only the digits differ.
    rounded = pc.and_(pc.equal(size, largest), pc.invert(pc.match_substring_regex(texts, f"^[+-]?0*{LARGEST_EXACT}$")))
    return pc.and_(pc.match_substring_regex(texts, _DIGITS), pc.or_(pc.greater(size, largest), rounded))


def bare(texts: Any) -> Any:
    """Each text without currency, percent sign and brackets, with an ordinary minus; null where it is missing."""
    texts = _without(texts, MISSING_NUMBERS)
    texts = pc.replace_substring_regex(texts, _SPACES, " ")
    texts = pc.replace_substring_regex(texts, "[−–]", "-")
    texts = pc.replace_substring_regex(texts, "[’`´]", "'")
    texts = pc.if_else(pc.match_substring_regex(texts, _MARKED_PERCENT), pc.replace_substring(texts, "%", ""), texts)
    texts = trimmed(pc.replace_substring_regex(texts, CURRENCY, ""))
    texts = pc.replace_substring_regex(texts, r"^([+-])[ ]+", r"\1")
    texts = pc.replace_substring_regex(texts, r"^\((.*)\)$", r"-\1")
    texts = pc.replace_substring_regex(texts, r"^([0-9].*)-$", r"-\1")
    return texts


def mark_evidence(texts: Any) -> tuple[int, int, int]:
    """Number of texts that are numbers only with a point as decimal mark, only with a comma, and with either mark but different
    values."""
    texts = pc.drop_null(bare(texts))
    point, comma = (pc.match_substring_regex(texts, shape) for shape in _SHAPES.values())
    marked = pc.match_substring_regex(texts, "[.,]")
    both = pc.and_(pc.and_(point, comma), marked)
    return count(pc.and_not(point, comma)), count(pc.and_not(comma, point)), count(both)


def count(mask: Any) -> int:
    """Number of true values of a mask."""
    return int(pc.sum(pc.cast(mask, pa.int64())).as_py() or 0)


def finite(values: Any) -> Any:
    """float64 without NaN and infinities."""
    return pc.if_else(pc.fill_null(pc.is_finite(values), False), values, pa.scalar(None, pa.float64()))


def flags(texts: Any) -> Any:
    """Texts as float64: 1 for true, yes, y, t and 1, 0 for their opposites, in any case; null for anything else."""
    lowered = pc.utf8_lower(_without(texts, MISSING_NUMBERS))
    yes = pc.is_in(lowered, value_set=pa.array(sorted(TRUE), lowered.type))
    no = pc.is_in(lowered, value_set=pa.array(sorted(FALSE), lowered.type))
    return pc.if_else(yes, pa.scalar(1.0), pc.if_else(no, pa.scalar(0.0), pa.scalar(None, pa.float64())))


def as_numbers(column: Any, decimal: DecimalMark = ".") -> Any:
    """An Arrow column as float64, null for what is missing or no number.

    Booleans, and texts such as "yes", become 0 and 1; decimals keep their digits; whole numbers beyond 2^53 are null; other
    texts are read by `numbers`.
    """
    column = plain(column)
    kind = column.type
    if pa.types.is_null(kind):
        return pc.cast(column, pa.float64())
    if pa.types.is_boolean(kind):
        return pc.cast(pc.cast(column, pa.int8()), pa.float64())
    if pa.types.is_integer(kind):
        if pa.types.is_uint64(kind):
            column = pc.cast(
                pc.if_else(pc.less_equal(column, pa.scalar(LARGEST_EXACT, kind)), column, None), pa.int64()
            )
        exact = pc.and_(pc.less_equal(column, LARGEST_EXACT), pc.greater_equal(column, -LARGEST_EXACT))
        return pc.if_else(exact, pc.cast(column, pa.float64(), safe=False), pa.scalar(None, pa.float64()))
    if pa.types.is_decimal(kind):
        texts = pc.cast(column, pa.string())
        # Databases write whole numbers as decimals without places: NUMBER(38, 0) of Snowflake and Oracle.
        return numbers(texts) if kind.scale == 0 else finite(pc.cast(texts, pa.float64()))
    if pa.types.is_floating(kind):
        return finite(pc.cast(column, pa.float64()))
    found = numbers(column, decimal)
    return pc.coalesce(found, flags(column))


def present(column: Any, *, of_words: bool) -> int:
    """Number of rows of a column that hold a value: not null, not NaN, and not in the list of missing texts."""
    column = plain(column)
    if is_text(column.type):
        column = without_missing(column, of_words=of_words)
    elif pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return len(column) - int(column.null_count)
