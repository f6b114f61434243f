"""Parses DuckDB's errors: kind, message, position in the statement, similar names."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

_VALUE = re.compile(
    r"""(?:string|value|format:) ?(["'])(.*?)\1(?= |,|$)|with value (\S+)|field(?: value)? out of range: "(.*?)\""""
)


@dataclass(frozen=True)
class Told:
    """One error of DuckDB, parsed."""

    kind: str
    message: str
    position: int | None
    """Byte position in the statement of the offending text, and its length in bytes."""
    length: int
    name: str | None
    candidates: tuple[str, ...]

    @classmethod
    def of(cls, error: Exception) -> Told:
        """Parse an error; one that is not JSON has neither a position nor names."""
        text = str(error)
        try:
            told = json.loads(text[text.index("{") :])
            place = [int(n) for n in re.findall(r"\d+", str(told.get("location", "")))]
            message, kind = str(told["exception_message"]), str(told["exception_type"])
        except (ValueError, KeyError, TypeError, AttributeError):
            kind, _, message = text.partition(": ")
            return cls(kind, message or text, None, 1, None, ())
        position = place[0] if place else int(told["position"]) if str(told.get("position", "")).isdigit() else None
        near = tuple(c for c in str(told.get("candidates") or "").split(",") if c)
        return cls(kind, message, position, place[1] if len(place) > 1 else 1, told.get("name"), near)

    @property
    def line(self) -> str:
        """The first line of the message. DuckDB's own suggestions follow it and are left out."""
        return self.message.strip().split("\n")[0].rstrip("!.")

    @property
    def is_of_csv(self) -> bool:
        """Whether the error comes from the CSV reader, which names the line."""
        return self.message.startswith("CSV Error")

    @property
    def value(self) -> str | None:
        """The value that could not be converted; None when the message names none."""
        if self.is_of_csv:
            found = re.search(r"Could not convert string \"(.*)\" to '", self.message, re.DOTALL)
            return found[1] if found else None
        found = _VALUE.search(self.line)
        return next((v for v in (found[2], found[3], found[4]) if v is not None), None) if found else None


def honest_casts(connection: duckdb.DuckDBPyConnection, on: bool = True) -> None:
    """Make `TRY_CAST` over a CSV file give null for a value that it cannot read. DuckDB 2.0 moves the cast into the reader, which raises."""
    connection.execute(f"SET disabled_optimizers = '{'type_pushdown' if on else ''}'")


@contextlib.contextmanager
def asking() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own that gives errors as JSON."""
    with duckdb.connect() as connection:
        connection.execute(
            "SET errors_as_json = true; SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET temp_directory = ''"
        )
        with contextlib.suppress(duckdb.InvalidInputException):
            connection.execute("SET enable_progress_bar = false")
        honest_casts(connection)
        yield connection


def said_by(connection: duckdb.DuckDBPyConnection, statement: str) -> Told | None:
    """Run a statement and return its error; None when it has none, or runs out of memory."""
    try:
        connection.execute(statement).fetchall()
    except duckdb.OutOfMemoryException:
        return None
    except duckdb.Error as error:
        return Told.of(error)
    return None
