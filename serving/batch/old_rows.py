"""Panels of the rows that were known before the previous run: at the new moment (aged), and at the previous moment as
they read now (restated).

The aged panel differs from the new one only for entities about which something became known since. The restated panel
differs from the previous one only when rows were edited in place, deleted or moved. Only the differences are computed
and kept, beside the chunks of the unfinished run (`serving.batch.checkpoint`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.signals.signal import is_signal_column
from features.sources.fingerprint import contents_of
from features.sources.source import Source
from serving.decisions.earlier_rows import Old

AGED, RESTATED = "aged", "restated"
FEW = 5_000
"""Up to this many entities are read by id and held in memory; for more, the whole panel is read out of core."""
Parts = Callable[[Sequence[str] | None], Iterator[pa.Table]]
"""A panel in parts, of some entities or of all."""


def of_touched(names: Sequence[str], parts: Parts) -> Iterator[pa.Table]:
    """Panel of the old rows of some entities; an entity without old rows has nulls."""
    wanted, seen, empty = pa.array(names, pa.string()), [], None
    for part in parts(names if len(names) <= FEW else None):
        found = part.filter(pc.is_in(part["entity_id"], value_set=wanted))
        empty = found.slice(0, 0)
        seen += found["entity_id"].to_pylist()
        if found.num_rows:
            yield found
    assert empty is not None
    lacking = sorted(set(names) - set(seen))
    columns = {n: pa.nulls(len(lacking), empty.schema.field(n).type) for n in empty.column_names}
    yield pa.table({**columns, "entity_id": pa.array(lacking, pa.string())}, schema=empty.schema)


def sums(source: Source, at_us: int) -> dict[str, Any]:
    """Checksums of the rows known before a moment, by table; equal unless a row was restated."""
    found = {table: list(contents_of(source).known_before(table, at_us)) for table in source.tables}
    return {"tables": found, "gone": source.suppression.digest}


@dataclass(frozen=True)
class OldRows:
    """Four panels of m entities of a chunk: before, restated, aged and now."""

    before: pa.Table
    restated: pa.Table
    aged: pa.Table
    now: pa.Table

    def way(self, names: Sequence[str], read: Callable[[pa.Table, str], Any]) -> list[dict[str, Any]]:
        """The four panels as columns by name; `read` takes a column of one. The same table gives the same dict."""
        made: dict[int, dict[str, Any]] = {}
        for table in (self.before, self.restated, self.aged, self.now):
            if id(table) not in made:
                made[id(table)] = {name: read(table, name) for name in names}
        return [made[id(table)] for table in (self.before, self.restated, self.aged, self.now)]

    def differences(self, names: Sequence[str]) -> list[Old]:
        """What is stored of each entity: the signals in which the old rows differ, now and then."""
        rows = self.now.num_rows
        aged = differences(self.aged, self.now, names, rows)
        restated = differences(self.restated, self.before, names, rows)
        return [Old(aged.get(i, {}), restated.get(i, {})) for i in range(rows)]


def differences(one: pa.Table, other: pa.Table, names: Sequence[str], rows: int) -> Mapping[int, dict[str, Any]]:
    """Signals of `one` that differ from `other`, by row; a missing number is None."""
    found: dict[int, dict[str, Any]] = {}
    if one is other:
        return found
    for name in names:
        if not is_signal_column(name) or name not in one.column_names or name not in other.column_names:
            continue
        left, right = _plain(one[name]), _plain(other[name])
        differ = pc.fill_null(pc.not_equal(left, right), False).to_numpy(zero_copy_only=False)
        differ = differ | (
            left.is_null().to_numpy(zero_copy_only=False) != right.is_null().to_numpy(zero_copy_only=False)
        )
        at = np.flatnonzero(differ)
        for i, value in zip(at.tolist(), left.take(pa.array(at)).to_pylist(), strict=True):
            found.setdefault(i, {})[name] = value
    return found


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array, with NaN as missing."""
    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], column.type)
    return pc.if_else(pc.is_nan(whole), None, whole) if pa.types.is_floating(whole.type) else whole
