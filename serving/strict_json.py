"""JSON as its standard means it: no NaN, no Infinity, no key twice (`json.loads` accepts all three)."""

from __future__ import annotations

import json
import math
from typing import Any


class NotStrict(ValueError):
    """Raised for a text that is not strict JSON; says what, and repeats no value of it."""


class DuplicateKey(NotStrict):
    """Raised when an object names a key twice: which value was meant cannot be known."""


MOST_DIGITS = 100


def loads(body: bytes, *, tolerant: bool = False) -> Any:
    """The value of a strict JSON text in UTF-8; raises `NotStrict`.

    `tolerant` is for lists of which one item must not lose the others: a number that nothing holds stays the text that it is,
    and half a surrogate pair stays in its text. Whoever reads the item refuses it.

    >>> loads(b'[1e999, 7]', tolerant=True)
    ['1e999', 7]

    >>> loads(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    serving.strict_json.DuplicateKey: the key 'a' occurs twice in one object
    >>> loads(b'[NaN]')
    Traceback (most recent call last):
    serving.strict_json.NotStrict: NaN is not a JSON number
    """
    if not body.strip():
        raise NotStrict("it is empty")
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_pairs,
            parse_constant=_no_constant,
            parse_float=_finite_or_text if tolerant else _finite,
            parse_int=_short_or_text if tolerant else int,
        )
        if not tolerant and b"\\ud" in body.lower():
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        return value
    except NotStrict:
        raise
    except UnicodeDecodeError:
        raise NotStrict("the text is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise NotStrict(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except UnicodeEncodeError:
        raise NotStrict("half a surrogate pair is not a character") from None
    except RecursionError:
        raise NotStrict("the text is nested too deeply") from None
    except ValueError:
        raise NotStrict("a whole number has too many digits") from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise DuplicateKey(f"the key {twice[:60]!r} occurs twice in one object")
    return found


def _no_constant(name: str) -> float:
    raise NotStrict(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NotStrict("a number is beyond the range of float64")
    return number


def _finite_or_text(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _short_or_text(text: str) -> int | str:
    return int(text) if len(text) <= MOST_DIGITS else text
