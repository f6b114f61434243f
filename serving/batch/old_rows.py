"""What the rows that were known before the previous run give: at the moment of this run, and, restated, at its own.

A chunk of the new panel differs from that of the old rows for those alone about whom something became known since, and the
previous run's signals are still what its rows give unless those rows were changed in place, taken out or given to another: only
what differs is computed and kept, beside the chunks of a run that is under way (`serving.batch.checkpoint`).
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
"""Entities whose rows are read apart from the others, and held in memory: of more, everybody's are read, out of core."""
Parts = Callable[[Sequence[str] | None], Iterator[pa.Table]]
"""A panel in parts, of some entities or of all."""


def of_touched(names: Sequence[str], parts: Parts) -> Iterator[pa.Table]:
    """The panel of the old rows for some entities; one whose rows were not known yet has nulls alone."""
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
    """What the rows that were known before a moment add up to, table by table: equal as long as none of them was restated."""
    found = {table: list(contents_of(source).known_before(table, at_us)) for table in source.tables}
    return {"tables": found, "gone": source.suppression.digest}


@dataclass(frozen=True)
class OldRows:
    """Of m entities of a chunk: their signals before, as their rows read now, and what those give at the new moment."""

    before: pa.Table
    restated: pa.Table
    aged: pa.Table
    now: pa.Table

    def way(self, names: Sequence[str], read: Callable[[pa.Table, str], Any]) -> list[dict[str, Any]]:
        """The four as columns by name; `read` gives a column of one of them. What is the same table is the same dict."""
        made: dict[int, dict[str, Any]] = {}
        for table in (self.before, self.restated, self.aged, self.now):
            if id(table) not in made:
                made[id(table)] = {name: read(table, name) for name in names}
        return [made[id(table)] for table in (self.before, self.restated, self.aged, self.now)]

    def differences(self, names: Sequence[str]) -> list[Old]:
        """What is stored of each: where the old rows give other signals, now and then."""
        rows = self.now.num_rows
        aged = differences(self.aged, self.now, names, rows)
        restated = differences(self.restated, self.before, names, rows)
        return [Old(aged.get(i, {}), restated.get(i, {})) for i in range(rows)]


def differences(one: pa.Table, other: pa.Table, names: Sequence[str], rows: int) -> Mapping[int, dict[str, Any]]:
    """By row the signals of `one` that are others than in `other`; a missing number is None."""
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
    """NaN is missing."""
    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], column.type)
    return pc.if_else(pc.is_nan(whole), None, whole) if pa.types.is_floating(whole.type) else whole
