"""Decides what each column of a flat file holds when no scorer says it: numbers, flags, words or times.

One unreadable value never decides about its column: it is counted, reported, and taken as missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from features.kit.flat_files import moments, values
from features.kit.flat_files.values import DecimalMark

Kind = Literal["nothing", "flag", "integer", "number", "time", "words", "other"]
READABLE_SHARE = 0.95
"""A text column holds numbers (or flags, or times) when at least this share of its values are; the rest is taken as missing."""
_CODE = r"^[+-]?0[0-9]+$"
"""Digits after a leading zero are a code (postcode, product, account number), never a number."""
_GROUP = r"^[+-]?[1-9][0-9]{0,2}"
_THOUSANDS: Mapping[DecimalMark, str] = {
    ".": rf"{_GROUP}(?:[, '][0-9]{{3}}(?:[^0-9]|$)|\.[0-9]{{3}}[.,])",
    ",": rf"{_GROUP}(?:[. '][0-9]{{3}}(?:[^0-9]|$)|,[0-9]{{3}}[.,])",
}


@dataclass(frozen=True)
class Settled:
    """What a column holds, and its values in the matching type."""

    kind: Kind
    values: Any
    """Arrow: flag and number float64, integer int64, time int64 microseconds since 1970 in UTC, words string; null where missing."""
    unreadable: int = 0
    """Number of values that are not of this kind; they are null."""
    example: str | None = None
    """One of the unreadable values: for messages to the owner of the file, never for reports."""
    decimal: DecimalMark = "."
    """The decimal mark by which ambiguous texts were read."""
    why: str = ""
    """For kind `other`: why the column is none of the other kinds."""
    written: tuple[str, ...] = ()
    """How numbers in texts are written, where it is unusual: "a decimal comma", "a currency", ..."""

    def said(self) -> str | None:
        """What a person should know about how the column was read; None when there is nothing to say."""
        parts = []
        if self.written:
            parts.append(f"read as numbers written with {', '.join(self.written)}")
        if self.unreadable:
            noun = {"flag": "flag", "time": "time"}.get(self.kind, "number")
            count = f"{self.unreadable:,} values are" if self.unreadable > 1 else "1 value is"
            counts = "count" if self.unreadable > 1 else "counts"
            parts.append(f"{count} no {noun} and {counts} as missing")
        return "; ".join(parts) or None


def settle_table(table: pa.Table, delimiter: str = ",") -> dict[str, Settled]:
    """Settle every column, by name. A column that does not show its decimal mark follows the others of the file, then its delimiter."""
    columns = {name: values.plain(table[name]) for name in table.column_names}
    default = file_mark(columns.values(), delimiter)
    return {name: settle(column, default) for name, column in columns.items()}


def file_mark(columns: Iterable[Any], delimiter: str) -> DecimalMark:
    """The decimal mark of most columns that show one, else a point.

    When no column shows one and the delimiter is a semicolon, the mark is a comma: such files use semicolons because their
    numbers have decimal commas.
    """
    votes = {".": 0, ",": 0}
    open_commas = False
    for column in columns:
        if not values.is_text(column.type):
            continue
        point, comma, either = values.mark_evidence(column)
        if point != comma and max(point, comma) + either >= READABLE_SHARE * values.present(column, of_words=False):
            votes["." if point > comma else ","] += 1
        open_commas = open_commas or (either > 0 and delimiter == ";")
    if votes["."] == votes[","]:
        return "," if open_commas and not votes["."] else "."
    return "." if votes["."] > votes[","] else ","


def settle(column: Any, default: DecimalMark = ".") -> Settled:
    """Settle one Arrow column. `default` is the decimal mark where its texts do not show one."""
    column = values.plain(column)
    kind = column.type
    if pa.types.is_null(kind) or not values.present(column, of_words=True):
        return Settled("nothing", column)
    if pa.types.is_boolean(kind):
        return Settled("flag", values.as_numbers(column))
    if pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0):
        return _whole(column)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        read = values.as_numbers(column)
        return Settled("number", read, values.present(column, of_words=False) - _held(read))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return Settled("time", moments.as_moments(column))
    why = values.holds_no_value(kind)
    if why:
        return Settled("other", column, why=why)
    return _texts(column, default)


def _whole(column: Any) -> Settled:
    read = values.as_numbers(column)
    lost = _held(column) - _held(read)
    if lost > (1 - READABLE_SHARE) * _held(column):
        kept = pc.cast(column, pa.string()) if pa.types.is_decimal(column.type) else column
        return Settled("other", kept, why=_too_large(lost))
    return Settled("integer", _as_integers(read), lost)


def _too_large(count: int) -> str:
    return f"{count:,} whole numbers are beyond 2^53: an identifier, not a quantity"


def _as_integers(read: Any) -> Any:
    return pc.cast(read, pa.int64())


def _held(column: Any) -> int:
    return len(column) - int(column.null_count)


def _texts(column: Any, default: DecimalMark) -> Settled:
    there = values.present(column, of_words=False)
    words = Settled("words", values.as_words(column))
    if not there:
        return words
    flags = values.flags(column)
    says = pc.is_in(pc.utf8_lower(values.trimmed(column)), value_set=pa.array(["true", "false"], column.type))
    # Only true and false make a flag, as programs write it; yes and no stay words, as people wrote them.
    if values.count(says) >= READABLE_SHARE * there:
        return Settled("flag", flags, there - _held(flags), _lost(column, flags))
    if not values.count(pc.match_substring_regex(values.trimmed(column), _CODE)):
        mark = _mark(column, default)
        read = values.numbers(column, mark)
        if _held(read) + values.count(values.beyond_exact(column)) >= READABLE_SHARE * there:
            return _numbers(column, read, there, mark)
    when = moments.as_moments(column)
    if _held(when) >= READABLE_SHARE * there:
        return Settled("time", when, there - _held(when), _lost(column, when))
    return words


def _lost(column: Any, read: Any) -> str | None:
    wrong = pc.and_(pc.is_null(read), pc.is_valid(values.without_missing(column, of_words=False)))
    found = column.filter(wrong)
    return str(found[0].as_py()) if len(found) else None


def _mark(column: Any, default: DecimalMark) -> DecimalMark:
    point, comma, _ = values.mark_evidence(column)
    if point == comma:
        return default
    return "." if point > comma else ","


def _numbers(column: Any, read: Any, there: int, mark: DecimalMark) -> Settled:
    lost = there - _held(read)
    written = _written(column, mark)
    beyond = values.count(values.beyond_exact(column))
    if beyond > (1 - READABLE_SHARE) * there:
        return Settled("other", column, why=_too_large(beyond))
    if values.count(pc.match_substring_regex(values.bare(column), "^[+-]?[0-9]+$")) == there:
        return Settled("integer", _as_integers(read), lost, _lost(column, read), mark, written=written)
    return Settled("number", read, lost, _lost(column, read), mark, written=written)


def _written(column: Any, mark: DecimalMark) -> tuple[str, ...]:
    texts = values.trimmed(column)
    point, comma, _ = values.mark_evidence(column)
    signs = (
        ("a decimal comma", comma > point),
        ("a currency", values.count(pc.match_substring_regex(texts, values.CURRENCY)) > 0),
        ("a percent sign", values.count(pc.match_substring(texts, "%")) > 0),
        ("brackets for what is negative", values.count(pc.match_substring_regex(texts, r"^\(.*\)$")) > 0),
        ("thousands apart", values.count(pc.match_substring_regex(values.bare(column), _THOUSANDS[mark])) > 0),
    )
    return tuple(said for said, there in signs if there)
