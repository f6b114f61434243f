"""Estimates how much memory the footer of a Parquet file takes once decoded, without decoding it (Thrift's compact protocol).

In a hostile footer the description of one column of one row group takes 3 bytes, and 700 bytes of memory: 32 MB became 7.5 GB.
The estimate adds up the lengths that lists announce, so that a hostile footer is recognised by its first bytes.

Source: Apache Thrift, "Thrift Compact protocol encoding"; Apache Parquet, parquet.thrift.
"""

from __future__ import annotations

import contextlib

CHUNK_BYTES, STRUCT_BYTES, TEXT_BYTES, OTHER_BYTES = 1_000, 120, 40, 8
"""Estimated memory of one element of a list: the description of a column of a row group, another struct, a text, a number."""
_ROW_GROUPS, _COLUMNS = 4, 1
"""Numbers of the fields that hold the row groups of a file, and the columns of a row group."""
_LEVELS = 40
"""Deepest nesting of structs that is followed; a real footer has fewer than ten."""
_BINARY, _LISTS, _MAP, _STRUCT = 8, (9, 10), 11, 12
_FIXED = {1: 0, 2: 0, 3: 1, 7: 8, 13: 16}
"""Bytes of the types of fixed length: two booleans, a byte, a double, a UUID."""


def decoded_bytes(footer: bytes, most: int) -> int:
    """Estimated bytes of memory of the decoded footer; the count stops above `most`.

    A damaged footer gives the count up to the damage, which is where a reader stops too.
    """
    counting = _Counting(footer, most)
    with contextlib.suppress(_Enough, IndexError):
        counting.struct(0, 0, 0)
    return counting.taken


class _Enough(Exception):
    """Raised when the bound is passed, or the rest cannot be a footer."""


class _Counting:
    def __init__(self, footer: bytes, most: int) -> None:
        self._footer, self._most = footer, most
        self.taken = 0

    def struct(self, at: int, place: int, level: int) -> int:
        """Count one struct; returns the position after it. `place` is 0 in the file's description, 1 in a row group, 2 elsewhere."""
        footer, field = self._footer, 0
        if level > _LEVELS:  # a reader would go on and run out of stack
            self._take(self._most + 1)
        while True:
            head = footer[at]
            at += 1
            if head == 0:
                return at
            if head >> 4:
                field += head >> 4
            else:
                number, at = self._number(at)
                field = (number >> 1) ^ -(number & 1)
            kind = head & 15
            if 4 <= kind <= 6:  # an integer: most fields are one
                while footer[at] > 0x7F:
                    at += 1
                at += 1
            else:
                at = self._value(kind, at, field, place, level)

    def _value(self, kind: int, at: int, field: int, place: int, level: int) -> int:
        if kind == _STRUCT:
            return self.struct(at, 2, level + 1)
        if kind == _BINARY:
            length, at = self._number(at)
            return self._text(at, length)
        if kind in _LISTS:
            return self._list(at, field, place, level)
        if kind in _FIXED:
            return at + _FIXED[kind]
        if kind == _MAP:
            return self._map(at, level)
        raise _Enough  # no such type: a reader stops here too

    def _list(self, at: int, field: int, place: int, level: int) -> int:
        count, kind = self._footer[at] >> 4, self._footer[at] & 15
        at += 1
        if count == 15:
            count, at = self._number(at)
        of_groups, of_columns = (place, field) == (0, _ROW_GROUPS), (place, field) == (1, _COLUMNS)
        each = STRUCT_BYTES if kind == _STRUCT else TEXT_BYTES if kind == _BINARY else OTHER_BYTES
        self._take(count * (CHUNK_BYTES if of_columns else each))
        if kind in _FIXED:
            return at + count * (_FIXED[kind] or 1)  # a boolean takes a byte here
        inside = 1 if of_groups else 2
        for _ in range(count):
            at = self.struct(at, inside, level + 1) if kind == _STRUCT else self._element(kind, at, level)
        return at

    def _map(self, at: int, level: int) -> int:
        """Parquet's format has no map, but a reader skips over one in a field that it does not know."""
        count, at = self._number(at)
        if count == 0:
            return at
        kinds = self._footer[at]
        at += 1
        self._take(count * STRUCT_BYTES)
        for _ in range(count):
            at = self._element(kinds & 15, self._element(kinds >> 4, at, level), level)
        return at

    def _element(self, kind: int, at: int, level: int) -> int:
        if 4 <= kind <= 6:
            return self._number(at)[1]
        if kind in (1, 2):
            return at + 1
        if kind in (*_LISTS, _MAP) and level > _LEVELS:
            self._take(self._most + 1)
        return self._value(kind, at, 0, 2, level + 1)

    def _text(self, at: int, length: int) -> int:
        self._take(length)
        if at + length > len(self._footer):
            raise _Enough
        return at + length

    def _number(self, at: int) -> tuple[int, int]:
        found = shift = 0
        while True:
            byte = self._footer[at]
            at += 1
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return found, at
            shift += 7
            if shift > 63:
                raise _Enough

    def _take(self, size: int) -> None:
        self.taken += size
        if self.taken > self._most:
            raise _Enough
