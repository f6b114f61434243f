"""Files of JSON that people are shown, each with the number of its schema: written atomically, read on their own.

A reader takes its own schema and the one before. A file that is missing, half written, broken or of a newer version is an error of
that file alone, so that a list can name it and go on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from features.kit import atomic_files
from features.kit.errors import AccountscoreError

T = TypeVar("T")
SCHEMA = 1
"""Version 0.2 and earlier wrote no number, which is read as 0."""
MOST_BYTES = 8 * 1024 * 1024
"""A larger file is none of ours: reports have about 150 kB, cards about 20."""


class Unreadable(AccountscoreError):
    """Raised for a file that cannot be read: its name in the home, what is wrong, and the next step."""


class Newer(Unreadable):
    """Raised for a file that a newer version wrote. It is left as it is."""


def write(path: Path, content: Mapping[str, Any], schema: int = SCHEMA) -> None:
    """Replace the file by this content and the number of its schema. What is no finite number becomes null."""
    atomic_files.write_bytes(path, encoded(content, schema))


def encoded(content: Mapping[str, Any], schema: int = SCHEMA) -> bytes:
    """The bytes that `write` writes.

    >>> encoded({"auc": float("nan")})
    b'{\\n  "schema": 1,\\n  "auc": null\\n}'
    """
    return json.dumps({"schema": schema, **_finite(dict(content))}, indent=2, allow_nan=False).encode()


def read(path: Path, kind: type[T], mend: str, schema: int = SCHEMA) -> T | None:
    """The content of a file as a msgspec type; None when there is no such file. Raises `Unreadable`, which names `mend` as the
    next step.
    """
    found = read_plain(path, mend, schema)
    return None if found is None else converted(found, kind, path, mend)


def read_plain(path: Path, mend: str, schema: int = SCHEMA) -> dict[str, Any] | None:
    """As `read`, as plain values. NaN, which earlier versions wrote, is read as None."""
    name = shown(path)
    try:
        if not path.is_file():  # reading a pipe would wait for ever
            if path.exists() or path.is_symlink():
                raise Unreadable(f"{name} is not a file: {mend}")
            return None
        if path.stat().st_size > MOST_BYTES:
            raise Unreadable(f"{name} is larger than {MOST_BYTES:,} bytes, which no card is: {mend}")
        found = parsed(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unreadable(f"{name} cannot be read ({error.strerror}): let this process read it") from None
    except (ValueError, RecursionError, OverflowError):  # its message would repeat what stands in the file
        raise Unreadable(f"{name} is not complete JSON: {mend}") from None
    if not isinstance(found, dict):
        raise Unreadable(f"{name} is not a JSON object: {mend}")
    of_file = found.get("schema", 0)
    if type(of_file) is not int or of_file < 0:
        raise Unreadable(f"{name} has no number as its schema: {mend}")
    if of_file > schema:
        raise Newer(
            f"{name} is of a newer version: it has schema {of_file}, and {schema} is the newest that this version reads; run the newer version"
        )
    if of_file < schema - 1:
        raise Unreadable(
            f"{name} is of an older version: it has schema {of_file}, and {schema - 1} is the oldest that this version reads; {mend}"
        )
    return found


def converted(content: Any, kind: type[T], path: Path, mend: str) -> T:
    """Plain values as a msgspec type. Raises `Unreadable` with the place of what is wrong."""
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:  # it names types and the place, and no value
        raise Unreadable(f"{shown(path)} is not as this version writes it ({str(error)[:200]}): {mend}") from None


def names(folder: Path) -> list[str]:
    """Names in a folder, none when there is no such folder. Raises `Unreadable` when it cannot be listed."""
    try:
        return [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise Unreadable(f"{shown(folder)} cannot be listed ({error.strerror}): let this process read it") from None


def shown(path: Path) -> str:
    """The file's name with the two folders above it: `churn-risk/v3/card.json`. The place of the home is nobody's business.

    >>> shown(Path("/srv/home/runs/churn-risk/v3/card.json"))
    'churn-risk/v3/card.json'
    """
    return "/".join(path.parts[-3:])


def parsed(raw: bytes) -> Any:
    """JSON as plain values, NaN as None. Raises `ValueError` for what is none, `RecursionError` when it is nested too deeply."""
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        found = json.loads(raw, parse_constant=lambda _: None)
        msgspec.json.encode(found)  # half a surrogate pair raises here, and not in an answer
        return found


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
