"""Scoring a flat file with a scorer directory: rows in, the same rows with their scores out. No store, no registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from features.errors import BadInput, Fault, UserMistake
from features.files import as_numbers, as_texts, is_parquet, read_table
from models.scorer import Scorer, sigmoid
from serving.batch.columnar import chosen, in_order, lists, plain_leaves, ranks, signal_and_theme

CHUNK_ROWS = 32_768
"""Rows that are read, scored and written at a time."""
BUFFER_BYTES = 2**18
"""Read ahead of each column, so that memory does not hang on the size of the file's row groups. Arrow's own read-ahead is
off: it keeps every byte that it read, on 5 million rows 1 GB."""
ADDED = ("probability", "score", "band")
REASON = pa.struct([("signal", pa.string()), ("theme", pa.string()), ("effect", pa.float64()), ("text", pa.string())])


@dataclass(frozen=True)
class Done:
    """What was written: rows, and per signal how many values were there but no number, and so count as missing."""

    rows: int
    no_numbers: Mapping[str, int]


def score_table(directory: Path, source: Path, out: Path, reasons: int = 0) -> Done:
    """Score every row of a Parquet or CSV file and write its columns with `probability`, `score` (percentile) and `band`.

    `reasons` > 0 adds the strongest reasons: in Parquet `reasons`, a list of {signal, theme, effect, text}; in CSV the texts
    as `reason_1`, `reason_2` ... Columns are read as `fit-table` reads them; a word never seen is a word never seen, and a
    number that is none is missing. Memory holds a chunk of rows (of CSV, the file). The output is whole or not there.

    Raises `BadInput` with every signal that the file lacks, and every column whose name the output needs.
    """
    if not directory.is_dir():
        raise UserMistake(
            f"no scorer folder {str(directory)!r}: write one with python -m training fit-table ... --out DIR"
        )
    scorer = Scorer.load(directory)
    to_parquet = is_parquet(out)
    if out.resolve() == source.resolve():
        raise UserMistake(f"{str(out)!r} is the input itself: give another name to write to")
    if not out.resolve().parent.is_dir():
        raise UserMistake(f"no folder {str(out.resolve().parent)!r} to write {out.name!r} into: make it first")
    schema, batches = _read(source)
    added = _added(reasons, to_parquet)
    _check(scorer, schema, source, [field.name for field in added])
    wanted = pa.schema([*schema, *added])
    rows, lost = 0, dict.fromkeys(scorer.names, 0)

    def work(batch: pa.RecordBatch) -> tuple[pa.Table, dict[str, int]]:
        table = pa.Table.from_batches([batch])
        columns, dropped = _columns(scorer, table)
        scored = _scores(scorer, scorer.encode(columns), reasons, to_parquet)
        return pa.table([*table.columns, *scored], schema=wanted), dropped

    with _writer(out, wanted, to_parquet) as write:
        for table, dropped in in_order(work, batches):
            write(table)
            rows += len(table)
            for name, count in dropped.items():
                lost[name] += count
    return Done(rows, {name: count for name, count in lost.items() if count})


def _read(source: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    if not source.is_file() or not is_parquet(source):
        table = read_table(source)
        return table.schema, iter(table.to_batches(CHUNK_ROWS))
    try:
        opened = pyarrow.parquet.ParquetFile(source, buffer_size=BUFFER_BYTES, pre_buffer=False)
    except pa.ArrowInvalid as error:
        raise UserMistake(f"{str(source)!r} cannot be read as Parquet: {error}; write it again") from None
    return opened.schema_arrow, opened.iter_batches(CHUNK_ROWS)


def _check(scorer: Scorer, schema: pa.Schema, source: Path, added: list[str]) -> None:
    learnt = f"the scorer of {scorer.spec.model} was trained with it"
    faults = [
        Fault(f"column {name}", "it is missing", learnt, "add it; null is allowed")
        for name in scorer.names
        if name not in schema.names
    ]
    for name in scorer.names:
        kind = schema.field(name).type if name in schema.names else pa.null()
        if pa.types.is_nested(kind) or pa.types.is_temporal(kind):
            faults.append(Fault(f"column {name}", f"its type is {kind}", "a number, a flag or a text", "convert it"))
    faults += [
        Fault(f"column {name}", "the input has it", "the output needs the name", "rename it in the input")
        for name in added
        if name in schema.names
    ]
    if faults:
        raise BadInput(f"{source.name} for scoring", faults)


def _columns(scorer: Scorer, table: pa.Table) -> tuple[dict[str, Any], dict[str, int]]:
    """The scorer's signals as it reads them, and how many values of each were no number."""
    found: dict[str, Any] = {}
    lost: dict[str, int] = {}
    for name in scorer.names:
        column = table[name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if scorer.signal(name).vocabulary is not None:
            found[name] = as_texts(column)
            continue
        text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        given = as_texts(column) if text else column
        found[name] = as_numbers(given)
        lost[name] = found[name].null_count - given.null_count
    return found, lost


def _scores(scorer: Scorer, x: np.ndarray, reasons: int, to_parquet: bool) -> list[Any]:
    if not reasons:
        return _standing(scorer, scorer.probability(x))
    log_odds, effects = scorer.explain(x)
    told = scorer.tell(x, effects, reasons)
    arrays = _standing(scorer, sigmoid(log_odds))
    if not to_parquet:
        return [*arrays, *ranks(told, reasons)]
    children = [*signal_and_theme(scorer, told), pa.array(told.effects), chosen(told.texts, told.places)]
    return [*arrays, lists(told.counts, list(REASON), children)]


def _standing(scorer: Scorer, probability: np.ndarray) -> list[Any]:
    percentile = scorer.percentile(probability).astype(np.int64)
    return [pa.array(probability), pa.array(percentile), chosen(scorer.band_names, percentile - 1)]


def _added(reasons: int, to_parquet: bool) -> list[pa.Field]:
    fields = [pa.field(n, t) for n, t in zip(ADDED, (pa.float64(), pa.int64(), pa.string()), strict=True)]
    if not reasons:
        return fields
    if to_parquet:
        return [*fields, pa.field("reasons", pa.list_(REASON))]
    return [*fields, *(pa.field(f"reason_{k + 1}", pa.string()) for k in range(reasons))]


@contextmanager
def _writer(out: Path, schema: pa.Schema, to_parquet: bool) -> Iterator[Any]:
    """What writes tables to a file beside `out`, which takes its place when all is well."""
    partial = out.with_name(f".{out.name}.partial")
    try:
        if to_parquet:
            with pyarrow.parquet.ParquetWriter(partial, schema, use_dictionary=plain_leaves(schema)) as writer:
                yield writer.write_table
        else:
            with pyarrow.csv.CSVWriter(partial, schema) as writer:
                yield writer.write_table
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
