"""Reads text files in encodings that DuckDB does not know, through copies in UTF-8.

DuckDB reads UTF-8, UTF-16 in its usual order of bytes, and Latin-1, which lacks the signs that Windows programs write between 0x80 and
0x9f: the euro sign, curly quotes, dashes. A SELECT names the encoding (`read_csv(..., encoding = 'windows-1252')`); it runs on copies,
which are deleted once the rows are read.
"""

from __future__ import annotations

import codecs
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LEGACY = ("windows-1252", "cp1252", "windows-1250", "windows-1251", "utf-16be", "utf-32")
"""The encodings that are read through a copy."""
_BLOCK = 2**22
_ARGUMENT = re.compile(rf",\s*encoding\s*:?=\s*'({'|'.join(LEGACY)})'", re.IGNORECASE)
_LITERAL = re.compile(r"'((?:[^']|'')*)'")


@contextmanager
def readable(query: str) -> Iterator[str]:
    """The same query, with UTF-8 copies in the place of files that it reads in such an encoding; unchanged when there are none.

    A query names one such encoding; files that are UTF-8 already are read as they are.
    """
    found = _ARGUMENT.search(query)
    if found is None:
        yield query
        return
    with tempfile.TemporaryDirectory(prefix="accountscore-utf8-") as folder:
        made = 0

        def copied(literal: re.Match[str]) -> str:
            nonlocal made
            path = Path(literal[1].replace("''", "'"))
            if len(literal[1]) > 1000 or not path.is_file() or _is_utf8(path):
                return literal[0]
            made += 1
            copy = Path(folder) / f"{made}-{path.name}"
            write_utf8(path, copy, found[1])
            return "'" + str(copy).replace("'", "''") + "'"

        yield without_legacy(_LITERAL.sub(copied, query))


def without_legacy(query: str) -> str:
    """The query without the names of such encodings: what is left when its files are copies already."""
    return _ARGUMENT.sub("", query)


def write_utf8(path: Path, copy: Path, encoding: str) -> None:
    """Write the text of a file as UTF-8, in bounded memory. Raises `UnicodeDecodeError` when it is not in that encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as source, copy.open("wb") as target:
        while block := source.read(_BLOCK):
            target.write(decoder.decode(block).encode())
        target.write(decoder.decode(b"", final=True).encode())


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
