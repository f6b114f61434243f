"""Turns pydantic's errors about a TOML file into faults: place, what is there, the rule and the next step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError

from features.kit.errors import Fault


class TomlTable(BaseModel):
    """A table of a TOML file: unknown keys and values of another type are faults."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def fail(found: str, rule: str, next_step: str) -> NoReturn:
    """Called in a validator, this makes the `Fault` of its key. `found` must never be a secret."""
    raise PydanticCustomError("fault", "{found}", {"found": found, "rule": rule, "next_step": next_step})


def says(rule: str, next_step: str, *, secret: bool = False) -> WrapValidator:
    """A validator whose `Fault` says `rule` and `next_step` when the value is of another type. Of a value that may be a
    `secret` only the type is shown."""

    def check(value: Any, handler: Callable[[Any], Any]) -> Any:
        try:
            return handler(value)
        except ValidationError:
            fail(type(value).__name__ if secret else repr(value), rule, next_step)

    return WrapValidator(check)


def faults_of(error: ValidationError, file: str, keys: Callable[[Sequence[str]], Sequence[str]]) -> Iterator[Fault]:
    """The faults of a file, one for each place. `keys` gives the keys that the table at a place may have."""
    seen: set[str] = set()
    for each in error.errors(include_url=False):
        place = [part for part in each["loc"] if isinstance(part, str) and part != "[key]"]
        where = place_of(place)
        if where in seen:  # one fault is enough for a list
            continue
        seen.add(where)
        said = each.get("ctx", {})
        if each["type"] == "extra_forbidden":
            said = {
                "found": "no such key",
                "rule": f"one of {', '.join(keys(place[:-1]))}",
                "next_step": "remove it or mend its name",
            }
        elif each["type"] != "fault":  # a text in the place of a table
            step = f"write {where}" if where.endswith("]") else "write a table"
            said = {"found": type(each["input"]).__name__, "rule": "a table", "next_step": step}
        yield Fault(where=f"{file}, {where}", found=said["found"], rule=said["rule"], next_step=said["next_step"])


def place_of(place: Sequence[str]) -> str:
    """The place of a key or a table in a connection's file, in words.

    >>> [place_of(p.split("/")) for p in ("source", "objects/contact", "objects/contact/key", "objects/contact/columns/city")]
    ['key source', '[objects.contact]', '[objects.contact], key key', '[objects.contact], columns.city']
    >>> [place_of(p.split("/")) for p in ("objects", "writeback/mode", "writeback/models/lead-fit/object", "writeback/models")]
    ['table [objects]', '[writeback], key mode', '[writeback.models.lead-fit], key object', '[writeback], table models']
    """
    if place[0] not in ("objects", "writeback"):
        return f"key {place[0]}"
    if list(place) == ["objects"]:
        return "table [objects]"
    depth = 2 if place[0] == "objects" else 3 if place[1:2] == ["models"] and len(place) > 2 else 1
    table, rest = f"[{'.'.join(place[:depth])}]", place[depth:]
    if not rest:
        return table
    kind = "table" if list(place) == ["writeback", "models"] else "key"
    return f"{table}, {'.'.join(rest)}" if len(rest) > 1 else f"{table}, {kind} {rest[0]}"
