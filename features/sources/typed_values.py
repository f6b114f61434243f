"""Converts values as a CRM writes them into the types of the canonical columns."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Any

from features.kit.clock import as_utc, from_us, to_us
from features.sources.schema import Column

MOST_CHARACTERS, MOST_ID_CHARACTERS = 10_000, 256
"""Longest text, and longest id, that is taken from a CRM. An index of Postgres takes at most 2,704 bytes."""
_INT64 = range(-(2**63), 2**63)
_WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
_BOOLEANS = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}


class Unreadable(ValueError):
    """Raised for a value that its column cannot hold; `rule` says why without repeating the value."""

    def __init__(self, value: Any, rule: str) -> None:
        shown = repr(value)
        super().__init__(f"{shown if len(shown) <= 80 else shown[:80] + '...'} is {rule}")
        self.rule = rule


def coerce(column: Column, value: Any) -> Any:
    """Convert a value to the type of its column (money in cents, times in microseconds); None when it is missing.

    Texts are parsed: `"12"`, `"true"`, ISO 8601 times, milliseconds since 1970. An empty text is null. Integers, cents and times
    must fit into int64, numbers must be finite, and times must lie in the years 1 to 9999; else it raises `Unreadable`.

    >>> coerce(Column("employees", "integer", ""), "250")
    250
    >>> coerce(Column("employees", "integer", ""), "99999999999999999999")
    Traceback (most recent call last):
    features.sources.typed_values.Unreadable: '99999999999999999999' is not an integer between -2^63 and 2^63 - 1
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    given = value.strip() if isinstance(value, str) else value
    match column.type:
        case "text":
            return _text(column, given)
        case "integer":
            return _integer(given)
        case "number":
            return _number(given, "a number")
        case "money":
            cents = round(_number(given, "an amount") * 100.0) if _fits(given) else None
            if cents is None or cents not in _INT64:
                raise Unreadable(value, "not an amount whose cents lie between -2^63 and 2^63 - 1")
            return cents
        case "boolean":
            found = given if isinstance(given, bool) else _BOOLEANS.get(str(given).lower())
            if found is None:
                raise Unreadable(value, f"not a boolean: one of {', '.join(_BOOLEANS)}")
            return found
        case "time":
            return time_us(given)


def coerce_custom(column: Column, value: Any) -> Any:
    """As `coerce`, for a custom column: in one of numbers true and false are 1 and 0."""
    if column.type == "number" and str(value).strip().lower() in ("true", "false"):
        return float(str(value).strip().lower() == "true")
    return coerce(column, value)


def _text(column: Column, given: Any) -> str:
    text = str(given)
    most = MOST_ID_CHARACTERS if column.name.endswith("_id") else MOST_CHARACTERS
    if len(text) > most:
        raise Unreadable(text, f"not text of at most {most:,} characters")
    if _NO_TEXT.search(text):
        raise Unreadable(text, "not text that every database keeps: it has a NUL or half a surrogate pair")
    return text


def _integer(given: Any) -> int:
    if isinstance(given, str) and _WHOLE.fullmatch(given):
        number = int(given)  # a float would round it beyond 2^53
    elif type(given) is int:
        number = given
    else:
        read = _number(given, "an integer")
        if not read.is_integer():
            raise Unreadable(given, "not an integer")
        number = int(read)
    if number not in _INT64:
        raise Unreadable(given, "not an integer between -2^63 and 2^63 - 1")
    return number


def _number(given: Any, what: str) -> float:
    if isinstance(given, bool) or (isinstance(given, str) and not _DECIMAL.fullmatch(given)):
        raise Unreadable(given, f"not {what}")
    try:
        number = float(given)
    except (ValueError, TypeError, OverflowError):
        raise Unreadable(given, f"not {what}") from None
    if not math.isfinite(number):
        raise Unreadable(given, "not a finite number")
    return number


def _fits(given: Any) -> bool:
    """Whether a hundred times the amount is still a float."""
    return abs(_number(given, "an amount")) < 1e300


def time_us(value: Any) -> int:
    """Microseconds since 1970 of an ISO 8601 text (UTC where it names no zone), a datetime, or milliseconds since 1970.

    Raises `Unreadable` for anything that is not a time of the years 1 to 9999.
    """
    try:
        if isinstance(value, bool):
            raise ValueError
        if isinstance(value, dt.datetime):
            moment = value
        elif isinstance(value, (int, float)) or re.fullmatch(r"-?[0-9]{1,40}", str(value)):
            moment = from_us(int(value) * 1000)
        else:
            moment = dt.datetime.fromisoformat(str(value))
        return to_us(as_utc(moment))
    except (ValueError, OverflowError):
        raise Unreadable(value, "not a time of the years 1 to 9999: ISO 8601, or milliseconds since 1970") from None
