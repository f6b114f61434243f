"""Reasons of many rows as Arrow lists, and chunks processed in parallel in their order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import pyarrow as pa

from models.scorer.reasons import Told
from models.scorer.scorer import Scorer

Item = TypeVar("Item")
Made = TypeVar("Made")
MOST_WORKERS = 4
"""Most threads: more would wait for the interpreter lock, and each holds a chunk in memory."""


def workers() -> int:
    """Number of scoring threads: one per processor that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST_WORKERS)


def in_order(work: Callable[[Item], Made], items: Iterable[Item], threads: int | None = None) -> Iterator[Made]:
    """Yields `work(item)` of each item in order. `threads` run at a time, and one more result may wait. The first
    error ends it.

    The first error ends it.
    """
    threads = threads or workers()
    pool = ThreadPoolExecutor(threads, "batch")
    waiting: deque[Future[Made]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def chosen(texts: Sequence[str], places: np.ndarray) -> pa.Array:
    """(m,) the text at each place."""
    return pa.array(texts, pa.string()).take(pa.array(places))


def lists(counts: np.ndarray, fields: Sequence[pa.Field], children: Sequence[pa.Array]) -> pa.ListArray:
    """Turns flat columns into one list of structs per row; `counts` are the lengths of the lists."""
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(children, fields=list(fields)))


def signal_and_theme(scorer: Scorer, told: Told) -> tuple[pa.Array, pa.Array]:
    """(m,) names and themes of the reasons' signals."""
    return chosen(scorer.names, told.signals), chosen(scorer.themes, scorer.theme_of[told.signals])


MEMBERS = pa.list_(pa.struct([("signal", pa.string()), ("effect", pa.float64())]))
"""Of a reason of several signals, each signal with its effect, in the order in which they sum to the reason's effect;
empty for one signal.
"""


def members(scorer: Scorer, told: Told) -> pa.ListArray:
    """(m,) `MEMBERS` of the reasons."""
    return lists(told.sizes, list(MEMBERS.value_type), [chosen(scorer.names, told.members), pa.array(told.parts)])


def ranks(told: Told, k: int) -> Iterator[pa.Array]:
    """Columns of sentences: the first reason of every row, the second, up to the k-th; null where a row has fewer."""
    ends = np.cumsum(told.counts)
    for place in range(k):
        there = told.counts > place
        at = np.where(there, ends - told.counts + place, 0)
        yield pa.array(told.texts, pa.string()).take(pa.array(told.places[at] if len(told.places) else at, mask=~there))


def plain_leaves(schema: pa.Schema) -> list[str]:
    """Parquet names of all columns without floating-point numbers, which get a dictionary; floats gain nothing by one
    and take twice the time.
    """
    found: list[str] = []

    def walk(name: str, kind: pa.DataType) -> None:
        if pa.types.is_list(kind):
            walk(f"{name}.list.element", kind.value_type)
        elif pa.types.is_struct(kind):
            for field in kind:
                walk(f"{name}.{field.name}", field.type)
        elif not pa.types.is_floating(kind):
            found.append(name)

    for field in schema:
        walk(field.name, field.type)
    return found
