"""Scores a flat file with a scorer directory: the same rows come out with their scores. No store, no registry."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from features.kit import atomic_files
from features.kit.errors import BadInput, Fault, UserMistake
from features.kit.flat_files import reading
from features.kit.flat_files.reading import is_parquet
from features.kit.flat_files.values import as_numbers, as_words, holds_no_value, is_text, mark_evidence, plain, present
from features.kit.writable import require_place
from models.population import OUTSIDE
from models.scorer.scorer import Scorer
from models.scorer.sigmoid import sigmoid
from models.scorer.verdict import MARK, NEVER_JUDGED, mark, require_not_refused
from serving.batch import csv_lines
from serving.scoring.arrow import MEMBERS, chosen, in_order, lists, members, plain_leaves, ranks, signal_and_theme

ADDED = ("probability", "score", "band")
REASON = pa.struct(
    [
        ("signal", pa.string()),
        ("theme", pa.string()),
        ("effect", pa.float64()),
        ("text", pa.string()),
        ("members", MEMBERS),
    ]
)


@dataclass(frozen=True)
class ScoredFile:
    """What was written: rows, and how many values per signal were not numbers and count as missing."""

    rows: int
    no_numbers: Mapping[str, int]
    read: str
    """How the input was read, in a line for people."""
    guarded: int
    """Cells of a CSV that got a `'` before them, so that no spreadsheet runs them."""
    verdict: str
    """The scorer's own verdict, in words."""
    marked: bool
    """Whether the column `verdict` says so on every row."""
    outside: int = 0
    """Rows outside the scorer's population, which have no score."""
    either_way: Mapping[str, str] = field(default_factory=dict)
    """Columns with numbers such as 1.234 that mean something else with a decimal comma, when the file seems to use
    another mark than the scorer learnt; each with an example.
    """


def score_table(
    directory: Path,
    source: Path,
    out: Path,
    reasons: int = 0,
    *,
    prefix: str = "",
    encoding: str | None = None,
    anyway: bool = False,
) -> ScoredFile:
    """Score every row of a Parquet or CSV file and write its columns with `probability`, `score` (percentile) and `band`.

    `reasons` > 0 adds the strongest reasons: in Parquet `reasons`, a list of {signal, theme, effect, text, members}; in CSV
    the texts as `reason_1`, `reason_2` ... `prefix` is put before the names that are added. Only the scorer decides
    how a column is read, never the file's other rows: the same row has the same score in every file. An unknown word stays
    unknown, and what is not a number is missing. The file's own columns come out as they went in, those of a CSV letter for letter; only a text that
    a spreadsheet would run as a formula gets a `'` before it in a CSV. Memory holds a chunk of rows. The output is whole or
    not there.

    A scorer that its gates refused is not used, nor one without a verdict (format 1 kept none), unless `anyway`; every
    row then says so in the column `verdict`. Of a scorer with a population the rows outside it get no numbers, and say so in the column
    `no_score`; who has no value in a column that the population reads is outside.

    Raises `NotForUse` for a refused scorer, `UserMistake` for one without a verdict, `BadInput` with every signal that the
    file lacks, and every column whose name the output needs.
    """
    if not directory.is_dir():
        raise UserMistake(
            f"no scorer folder {str(directory)!r}: write one with python -m training fit-table ... --out DIR"
        )
    scorer = Scorer.load(directory)
    if not anyway:
        _for_use(scorer, directory)
    marked = mark(scorer.spec)
    to_parquet = is_parquet(out)
    if out.resolve() == source.resolve():
        raise UserMistake(f"{str(out)!r} is the input itself: give another name to write to")
    require_place(out)
    opened = reading.open_file(source, encoding)
    added = [
        field.with_name(prefix + field.name)
        for field in _added(reasons, to_parquet, bool(marked), bool(scorer.spec.narrowed))
    ]
    _check(scorer, opened.schema, source, [field.name for field in added])
    wanted = pa.schema([*opened.schema, *added])
    first = next(opened.batches, None)
    either_way = {} if first is None else _either_way(scorer, first)
    rows, guarded, outside, lost = 0, 0, 0, dict.fromkeys(scorer.names, 0)

    def work(batch: pa.RecordBatch) -> tuple[pa.Table | bytes, int, int, int, dict[str, int]]:
        table = pa.Table.from_batches([batch])
        columns, dropped = _columns(scorer, table)
        scored = _scores(scorer, scorer.encode(columns), reasons, to_parquet)
        left_out = _outside(scorer, table, columns)
        if scorer.spec.narrowed:
            scored = [
                *_without(scored, left_out),
                pa.repeat(OUTSIDE, len(table)).take(pa.array(np.zeros(len(table), np.int64), mask=~left_out)),
            ]
        if marked:
            scored.append(pa.array([marked] * len(table), pa.string()))
        made = pa.table([*table.columns, *scored], schema=wanted)
        body, quotes = (made, 0) if to_parquet else csv_lines.lines(made)
        return body, len(table), quotes, int(left_out.sum()), dropped

    with _writer(out, wanted, to_parquet) as write:
        for body, count, quotes, without, dropped in in_order(
            work, itertools.chain([] if first is None else [first], opened.batches)
        ):
            write(body)
            rows += count
            guarded += quotes
            outside += without
            for name, wrong in dropped.items():
                lost[name] += wrong
    no_numbers = {name: count for name, count in lost.items() if count}
    verdict = scorer.spec.verdict
    said = NEVER_JUDGED if verdict is None else verdict.says
    return ScoredFile(rows, no_numbers, opened.dialect.said(), guarded, said, bool(marked), outside, either_way)


def _for_use(scorer: Scorer, directory: Path) -> None:
    anyway = f"pass --anyway, and every row is marked in the column {MARK}"
    require_not_refused(
        scorer.spec, f"scorer {str(directory)!r}", f"mend what the gates name and learn anew, or {anyway}"
    )
    if scorer.spec.verdict is None:
        raise UserMistake(
            f"scorer {str(directory)!r} has format {scorer.spec.format} and keeps no verdict of its gates; a scorer is used when "
            f"its verdict is that it is ready: learn it anew, or {anyway}"
        )


def _check(scorer: Scorer, schema: pa.Schema, source: Path, added: list[str]) -> None:
    learnt = f"the scorer of {scorer.spec.model} was trained with it"
    faults = [
        Fault(where=f"column {name}", found="it is missing", rule=learnt, next_step=_found_again(name, schema.names))
        for name in scorer.names
        if name not in schema.names
    ]
    narrowed = scorer.spec.narrowed
    faults += [
        Fault(
            where=f"column {name}",
            found="it is missing",
            rule=f"the scorer is for those of whom {narrowed}",
            next_step=_found_again(name, schema.names),
        )
        for name in narrowed.signals
        if name not in schema.names and name not in scorer.names
    ]
    for name in scorer.names:
        kind = schema.field(name).type if name in schema.names else pa.null()
        why = holds_no_value(plain(pa.array([], kind)).type)
        if why:
            faults.append(
                Fault(
                    where=f"column {name}",
                    found=f"its type is {kind}: {why}",
                    rule="a number, a flag or a text",
                    next_step="convert it",
                )
            )
    faults += [
        Fault(
            where=f"column {name}",
            found="the input has it",
            rule="the output needs the name",
            next_step="give another --prefix NAME_, which is put before the columns that are added"
            + ("" if name in scorer.names else ", or rename it in the input"),
        )
        for name in added
        if name in schema.names
    ]
    if faults:
        raise BadInput(f"{source.name} for scoring", faults)


def _found_again(name: str, there: list[str]) -> str:
    """The next step for a missing column: its name may differ only in upper and lower case."""
    alike = [other for other in there if _letters(other) == _letters(name)]
    return f"rename {alike[0]!r} to {name!r}" if len(alike) == 1 else "add it; null is allowed"


def _letters(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def _columns(scorer: Scorer, table: pa.Table) -> tuple[dict[str, Any], dict[str, int]]:
    """The scorer's signals as it reads them, and how many values of each were not numbers."""
    found: dict[str, Any] = {}
    lost: dict[str, int] = {}
    for name in scorer.names:
        signal, column = scorer.signal(name), plain(table[name])
        if signal.vocabulary is not None:
            found[name] = as_words(column, scorer.codes[name])
            continue
        found[name] = as_numbers(column, signal.decimal)
        lost[name] = present(column, of_words=False) - (len(table) - found[name].null_count)
    return found, lost


def _outside(scorer: Scorer, table: pa.Table, columns: Mapping[str, Any]) -> np.ndarray:
    """(n,) bool: rows outside the scorer's population, by the file's columns."""
    population = scorer.spec.narrowed
    more = {c.signal: plain(table[c.signal]) for c in population.conditions if c.signal not in columns}
    words = {c.signal for c in population.conditions if c.of_words}
    read = {name: as_words(column) if name in words else as_numbers(column, ".") for name, column in more.items()}
    return ~population.holds_for({**columns, **read}, len(table))


def _without(scored: Sequence[Any], left_out: np.ndarray) -> list[Any]:
    """The columns, with null in rows that are left out."""
    places = pa.array(np.arange(len(left_out)), mask=left_out)
    return [column.take(places) for column in scored]


def _either_way(scorer: Scorer, batch: pa.RecordBatch) -> dict[str, str]:
    """Columns with numbers such as 1.234 whose meaning depends on the decimal mark, when the first rows of the file
    use another mark than the scorer learnt. They are read as the scorer learnt them: a row has one score in every
    file.
    """
    found: dict[str, str] = {}
    as_learnt = otherwise = 0
    for name in scorer.names:
        signal, column = scorer.signal(name), plain(batch[name])
        if signal.vocabulary is not None or not is_text(column.type):
            continue
        point, comma, either = mark_evidence(column)
        as_learnt += point if signal.decimal == "." else comma
        otherwise += comma if signal.decimal == "." else point
        if either:
            meant = column.filter(pc.not_equal(as_numbers(column, "."), as_numbers(column, ",")))
            found[name] = str(meant[0].as_py())
    return found if otherwise > as_learnt else {}


def _scores(scorer: Scorer, x: np.ndarray, reasons: int, to_parquet: bool) -> list[Any]:
    if not reasons:
        return _standing(scorer, scorer.probability(x))
    log_odds, effects = scorer.explain(x)
    told = scorer.tell(x, effects, reasons)
    arrays = _standing(scorer, sigmoid(log_odds))
    if not to_parquet:
        return [*arrays, *ranks(told, reasons)]
    children = [
        *signal_and_theme(scorer, told),
        pa.array(told.effects),
        chosen(told.texts, told.places),
        members(scorer, told),
    ]
    return [*arrays, lists(told.counts, list(REASON), children)]


def _standing(scorer: Scorer, probability: np.ndarray) -> list[Any]:
    percentile = scorer.percentile(probability).astype(np.int64)
    return [pa.array(probability), pa.array(percentile), chosen(scorer.band_names, percentile - 1)]


def _added(reasons: int, to_parquet: bool, marked: bool, narrowed: bool) -> list[pa.Field]:
    fields = [pa.field(n, t) for n, t in zip(ADDED, (pa.float64(), pa.int64(), pa.string()), strict=True)]
    if reasons and to_parquet:
        fields.append(pa.field("reasons", pa.list_(REASON)))
    elif reasons:
        fields += [pa.field(f"reason_{k + 1}", pa.string()) for k in range(reasons)]
    if narrowed:
        fields.append(pa.field("no_score", pa.string()))
    return [*fields, *([pa.field(MARK, pa.string())] if marked else [])]


@contextmanager
def _writer(out: Path, schema: pa.Schema, to_parquet: bool) -> Iterator[Any]:
    """Writes tables to a temporary file, which replaces `out` at the end."""
    with atomic_files.writing(out) as partial:
        if to_parquet:
            with pyarrow.parquet.ParquetWriter(partial, schema, use_dictionary=plain_leaves(schema)) as writer:
                yield writer.write_table
        else:
            with partial.open("wb") as file:
                file.write(csv_lines.header(schema.names))
                yield file.write
