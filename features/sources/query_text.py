"""The text of a source's `<table>.sql`: decodes it, puts the folder in place of `${data}`, and shows a line with a caret under
the position that DuckDB names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import duckdb
from rich.cells import cell_len

DATA = "${data}"
WIDTH = 68
"""Most characters of a line that are shown; the rest of 80 is for indent and line number."""


class UnreadableText(ValueError):
    """Raised when a file holds no text in UTF-8; the message says at which byte."""


@dataclass(frozen=True)
class QueryText:
    """One SELECT: its text in the file, and the text that is run."""

    path: Path
    written: str
    """The whole text of the file."""
    data: Path | None = None

    @classmethod
    def read(cls, path: Path, data: Path | None) -> QueryText:
        """Read a file, without a byte order mark. Raises `UnreadableText` when it is not UTF-8."""
        held = path.read_bytes()
        try:
            text = held.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UnreadableText(f"byte {error.start:,} is no UTF-8") from None
        if "\x00" in text:
            raise UnreadableText(f"byte {held.index(0):,} is NUL: it is not text, or it is UTF-16")
        return cls(path, re.sub(r"\r\n?", "\n", text), data)

    @property
    def _select(self) -> str:
        return self.written.strip().rstrip("; \t\n")

    @property
    def alone(self) -> str:
        """`run` without its semicolon and the comments behind it, so that it can be put into brackets."""
        end = re.search(r";(\s|--[^\n]*(\n|$)|/\*.*?\*/)*$", self.run, re.DOTALL)
        return self.run if end is None or not _is_one(self.run[: end.start()]) else self.run[: end.start()]

    @property
    def _folder(self) -> str:
        return DATA if self.data is None else str(self.data).replace("'", "''")

    @property
    def run(self) -> str:
        """The SELECT that DuckDB runs: with the folder in place of `${data}`."""
        return self._select.replace(DATA, self._folder)

    def excerpt(self, position: int, length: int = 1) -> Excerpt:
        """The line around a position in `run`; position and length are in bytes, as DuckDB counts them."""
        start = self._place(position)
        end = max(self._place(position + length), start + 1)
        line = self.written.count("\n", 0, start) + 1
        begin = self.written.rfind("\n", 0, start) + 1
        text = self.written[begin:].split("\n", 1)[0]
        return Excerpt(line, text, start - begin, min(end - begin, max(len(text), start - begin + 1)))

    def _place(self, position: int) -> int:
        """The character position in `written` of a byte position in `run`."""
        written = len(self.written) - len(self.written.lstrip())
        folder = len(self._folder.encode())
        for number, part in enumerate(self._select.split(DATA)):
            if number:
                if position < folder:
                    return written
                written, position = written + len(DATA), position - folder
            held = part.encode()
            if position <= len(held):
                return written + len(held[:position].decode(errors="ignore"))
            written, position = written + len(part), position - len(held)
        return len(self._select) + len(self.written) - len(self.written.lstrip())


def _is_one(run: str) -> bool:
    try:
        return len(duckdb.extract_statements(run)) == 1
    except duckdb.Error:
        return False


@dataclass(frozen=True)
class Excerpt:
    """One line of a text, and the range of characters in it that a message is about."""

    line: int
    """From 1."""
    text: str
    start: int
    end: int
    """Position after the last character of the range."""

    @property
    def word(self) -> str:
        """The text of the range."""
        return self.text[self.start : self.end]

    @property
    def alias(self) -> str | None:
        """The alias of an expression that ends with the range; None without one."""
        found = re.match(r'\s*(?:AS\s+)?"?([A-Za-z_]\w*)"?\s*(?:,|$|FROM\b)', self.text[self.end :], re.IGNORECASE)
        return found[1] if found and found[1].upper() != "FROM" else None

    @property
    def alias_of_call(self) -> str | None:
        """The alias of a function call whose name is the range; None without one."""
        found = re.match(r'\s*\([^()]*\)\s*(?:::\s*\w+\s*)?AS\s+"?([A-Za-z_]\w*)', self.text[self.end :], re.IGNORECASE)
        return found[1] if found else None

    def __str__(self) -> str:
        """The line with its number, and carets under the range. Of a long line only the part around the range is shown.

        >>> print(Excerpt(3, "SELECT a, at AS b", 13, 15))
        3 | SELECT a, at AS b
          |              ^^
        """
        first = max(0, min(self.start - WIDTH // 2, len(self.text) - WIDTH))
        last = first + WIDTH
        before = ("..." if first else "") + self.text[first + (3 if first else 0) : self.start]
        meant = self.text[self.start : min(self.end, last)]
        after = self.text[self.start + len(meant) : last]
        if last < len(self.text):
            after = after[:-3] + "..."
        before, meant, after = (re.sub(r"[\t\x00-\x1f\x7f]", " ", part) for part in (before, meant, after))
        number = str(self.line)
        carets = " " * cell_len(before) + "^" * max(cell_len(meant), 1)
        return f"{number} | {before}{meant}{after}".rstrip() + f"\n{' ' * len(number)} | {carets}"
