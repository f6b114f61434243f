"""Reads a flat table, one row per lead or account, into rows to learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.audit.table import outcome_of, without_open
from features.kit.errors import Fault
from features.kit.flat_files.kinds import Settled, settle_table
from features.kit.flat_files.values import as_words, is_binary, plain
from features.readiness.labelled_rows import too_few
from features.signals.signal import UNITS, Phrase, Signal, Unit
from training.dataset import Rows, make_rows
from training.entity_column import Entities, codes_of, find_entities
from training.errors import TrainingRefused
from training.horizon import gap_notes, horizon_over, split_by_horizon
from training.splits import Split, copies, join_groups, split_without_time

MOST_WORDS = 1_000
IDENTIFIER_SHARE = 0.5
"""A text column with more different values than this share of its rows names things one by one."""
FEWEST_FOR_IDENTIFIER = 20
MOST_SHOWN = 5
NO_MOMENT = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Ask:
    """The options for a flat table: which column is what, and which value of the label is the outcome."""

    label: str
    outcome: str | None = None
    """The value of the label that is the outcome; the one that says yes, else the rarer one, when None."""
    time: str | None = None
    horizon_days: int | None = None
    """Days within which the outcome counts; None when not given."""
    group: str | None = None
    """A column whose equal values stay on one side of every split."""
    id_column: str | None = None
    """The column of the entity; found when None."""
    now_us: int | None = None
    """The clock, microseconds since 1970: a row whose horizon is not over by then has no outcome yet. None: all are over."""


@dataclass(frozen=True)
class FlatTable:
    """The rows of a flat table, with what was found in it and what was left out."""

    rows: Rows
    split: Split
    left_out: tuple[tuple[str, str], ...]
    """Columns that are no signals, each with the reason."""
    unlabelled: int
    """Rows without a label, whose label says that they are still open, or whose horizon is not over; they are not learnt from."""
    outcome: dict[str, object]
    """The label's `column`, the `value` that is the outcome, the `other` one, and the `rows` with it."""
    entities: Entities
    dated: bool
    """Whether `rows.time` is microseconds since 1970, not an order."""
    notes: tuple[str, ...]
    read: tuple[tuple[str, str], ...] = ()
    """Columns of which something should be known about how they were read, each with that."""


def flat_rows(table: pa.Table, ask: Ask, seed: int = 0, delimiter: str = ",") -> FlatTable:
    """Signals out of every usable column, the outcome out of the label, and the split that time, horizon and groups allow.

    Rows of one entity, where it comes again, count as one in intervals. Without a horizon there is no gap between the periods;
    what can be done then is done: an entity stays on one side. Raises `TrainingRefused` with every missing column at once, for
    a horizon that the times do not allow, or when there is too little to learn from.
    """
    _columns_are_there(table, ask, delimiter)
    table = pa.table({name: plain(table[name]) for name in table.column_names})
    written = as_words(table[ask.label]).to_pandas().rename(ask.label)
    closed = without_open(written)
    value, other = outcome_of(closed, ask.outcome)
    known = closed.notna()
    unlabelled, still_open = int(written.isna().sum()), written[written.notna() & ~known]
    table = table.filter(pa.array(known.to_numpy()))
    y = (closed[known] == value).to_numpy().astype(np.float64)
    settled = settle_table(table.drop_columns([ask.label]), delimiter)
    order = None if ask.time is None else moments(settled[ask.time], ask.time)
    dated = ask.time is not None and settled[ask.time].kind == "time"
    if ask.time is not None and order is not None:
        _every_row_has_a_time(order, ask.time)
        _dates_for_a_horizon(dated, ask)
    over = None if order is None else horizon_over(order, y, ask.horizon_days, ask.now_us)
    not_over = 0 if over is None else int((~over).sum())
    if over is not None and order is not None and not_over:
        table, y, order = table.filter(pa.array(over)), y[over], order[over]
        settled = settle_table(table.drop_columns([ask.label]), delimiter)
    entities = find_entities(
        settled, _some_time(settled) if order is None else order, {ask.time} if ask.time else set(), ask.id_column
    )
    taken = {c for c in (ask.label, ask.time, ask.group) if c}
    signals, columns, left_out = infer(settled, {*taken, *entities.ids})
    left_out += [
        (name, f"an identifier ({how}): it names, and measures nothing")
        for name, how in entities.ids.items()
        if name not in taken
    ]
    read = tuple((name, said) for name, found in settled.items() if (said := found.said()))
    too_few(y, "the table")
    rows = make_rows(signals, columns, y, time=order, group=np.arange(len(y)))
    if not rows.signals:
        raise TrainingRefused(
            "the table",
            [
                Fault(
                    where="its columns",
                    found="none is a signal",
                    rule="at least one column that differs between rows",
                    next_step="; ".join(f"{name}: {why}" for name, why in left_out) or "add columns",
                )
            ],
        )
    named = None if ask.group is None else codes_of(as_words(table[ask.group]).to_pandas())
    together = _joined(entities.code, named)
    notes = [
        _outcome_note(ask, value, other, y),
        *_left_out_notes(ask, unlabelled, still_open, not_over),
        *_entity_notes(entities, len(y)),
    ]
    if order is None:
        own = copies(rows.x)
        rows = _grouped(rows, own if together is None else join_groups(own, together))
        split = split_without_time(rows.y, rows.group, seed)
        notes.append("There is no gap without --time and --horizon: the verdict holds if no two rows overlap.")
    else:
        rows = _grouped(rows, np.arange(len(y)) if together is None else together)
        split = split_by_horizon(rows, ask.horizon_days, named if ask.horizon_days else together)
        notes += gap_notes(ask.horizon_days, entities)
    told: dict[str, object] = {"column": ask.label, "value": str(value), "other": str(other), "rows": int(y.sum())}
    return FlatTable(
        rows,
        split,
        tuple(left_out),
        unlabelled + len(still_open) + not_over,
        told,
        entities,
        dated,
        (split.note, *notes),
        read,
    )


def _columns_are_there(table: pa.Table, ask: Ask, delimiter: str) -> None:
    given = (("label", ask.label), ("time", ask.time), ("group", ask.group), ("id", ask.id_column))
    faults = [
        Fault(
            where=f"--{option} {name}",
            found="no such column",
            rule=f"one of {', '.join(table.column_names)}",
            next_step="correct the name",
        )
        for option, name in given
        if name is not None and name not in table.column_names
    ]
    faults += _one_part_each(ask)
    for option, name in (("label", ask.label), ("group", ask.group)):
        kind = plain(table[name]).type if name in table.column_names else pa.null()
        if pa.types.is_nested(kind) or is_binary(kind):
            faults.append(
                Fault(
                    where=f"--{option} {name}",
                    found=f"its type is {kind}",
                    rule="texts, numbers, flags or dates",
                    next_step="convert it",
                )
            )
    if ask.horizon_days is not None and ask.time is None:
        dates = [n for n, found in settle_table(table, delimiter).items() if found.kind == "time"]
        faults.append(
            Fault(
                where=f"--horizon {ask.horizon_days}",
                found="there is no --time",
                rule="the gap of a horizon lies between dates",
                next_step=f"add --time {dates[0]}"
                if dates
                else "add --time with a column of dates, or leave --horizon out",
            )
        )
    if faults:
        raise TrainingRefused("the table", faults)


def _one_part_each(ask: Ask) -> list[Fault]:
    """A column that is given for two things which it cannot both be."""
    parts = [
        (option, name, "label", ask.label)
        for option, name in (("time", ask.time), ("group", ask.group), ("id", ask.id_column))
    ]
    if ask.time != ask.label:
        parts.append(("id", ask.id_column, "time", str(ask.time)))
    return [
        Fault(
            where=f"--{option} {name}",
            found=f"it is given as --{other} too",
            rule=f"a column is --{option} or --{other}",
            next_step=f"give --{option} another column, or leave it out",
        )
        for option, name, other, taken in parts
        if name is not None and name == taken
    ]


def _every_row_has_a_time(order: np.ndarray, name: str) -> None:
    without = int((order == NO_MOMENT).sum())
    if without:
        raise TrainingRefused(
            "the table",
            [
                Fault(
                    where=f"column {name}",
                    found=f"{without:,} rows without a time",
                    rule="every row has a time",
                    next_step="fill or filter these rows, or leave out --time",
                )
            ],
        )


def _dates_for_a_horizon(dated: bool, ask: Ask) -> None:
    if ask.horizon_days is not None and not dated:
        raise TrainingRefused(
            "the table",
            [
                Fault(
                    where=f"--horizon {ask.horizon_days}",
                    found=f"column {ask.time} holds numbers",
                    rule="a horizon is days between dates",
                    next_step="give dates (ISO 8601) in --time, or leave --horizon out",
                )
            ],
        )


def _joined(code: np.ndarray | None, named: np.ndarray | None) -> np.ndarray | None:
    """Rows of one entity, and of one named group, together."""
    if code is None or named is None:
        return named if code is None else code
    return join_groups(code, named)


def _some_time(settled: Mapping[str, Settled]) -> np.ndarray | None:
    """An order by any column of dates, where no --time is given: good enough to see how ids come again."""
    found = (
        moments(column, name) for name, column in settled.items() if column.kind == "time" and not column.unreadable
    )
    return next(found, None)


def _outcome_note(ask: Ask, value: object, other: object, y: np.ndarray) -> str:
    how = "as --outcome says" if ask.outcome is not None else f"--outcome {other} turns it round"
    return f"The outcome is {ask.label} = {value}, in {int(y.sum()):,} of {len(y):,} rows ({y.mean():.1%}); {how}."


def _left_out_notes(ask: Ask, unlabelled: int, still_open: pd.Series[Any], not_over: int) -> list[str]:
    said = []
    if unlabelled:
        said.append(f"{unlabelled:,} without a value in {ask.label}")
    if len(still_open):
        words = ", ".join(sorted(map(str, still_open.unique()))[:MOST_SHOWN])
        said.append(f"{len(still_open):,} that are still open ({words})")
    if not_over:
        said.append(f"{not_over:,} whose {ask.horizon_days} days were not over at the clock")
    return [f"Rows that are not learnt from: {'; '.join(said)}."] if said else []


def _entity_notes(entities: Entities, rows: int) -> list[str]:
    if entities.column is None:
        return []
    how = entities.ids.get(entities.column, "")
    return [
        f"{entities.column} tells whom a row is about ({how}): {entities.count:,} in {rows:,} rows. It is no input, intervals are "
        f"by {entities.column}; --id names another column."
    ]


def _grouped(rows: Rows, group: np.ndarray) -> Rows:
    return Rows(**{**rows.__dict__, "group": np.asarray(group, dtype=np.int64)})


def moments(found: Settled, name: str) -> np.ndarray:
    """(n,) int64 that grow with time: microseconds of a date, or the rank of a number; the least int64 when missing."""
    if found.kind in ("words", "other", "flag") or found.unreadable:
        raise TrainingRefused(
            "the table",
            [
                Fault(
                    where=f"column {name}",
                    found=f"{found.example!r} ({found.unreadable:,} such values)"
                    if found.unreadable
                    else f"it holds {found.kind}",
                    rule="--time holds dates (ISO 8601, 31.12.2026, or 12/31/2026 where one number is above 12) or numbers",
                    next_step="write the dates as 2026-12-31 (with a time: 2026-12-31T17:30)",
                )
            ],
        )
    values = pc.fill_null(found.values, NO_MOMENT) if found.kind in ("time", "integer") else found.values
    if found.kind == "time":
        return np.asarray(values.to_numpy(), dtype=np.int64)
    numbers = pc.cast(found.values, pa.float64()).to_numpy(zero_copy_only=False)
    ranks = np.full(len(numbers), NO_MOMENT)
    present = ~np.isnan(numbers)
    ranks[present] = np.unique(numbers[present], return_inverse=True)[1].reshape(-1)
    return ranks


def infer(
    settled: Mapping[str, Settled], taken: set[str]
) -> tuple[list[Signal], dict[str, pa.ChunkedArray], list[tuple[str, str]]]:
    """One signal per usable column, its values, and the columns left out with the reason."""
    signals: list[Signal] = []
    columns: dict[str, pa.ChunkedArray] = {}
    left_out: list[tuple[str, str]] = []
    for name, found in settled.items():
        if name in taken:
            continue
        unit = as_unit(found) if name.strip() else "it has no name"
        if unit not in UNITS:
            left_out.append((name or "(no name)", unit))
            continue
        signals.append(replace(_signal(name, unit), decimal=found.decimal))
        columns[name] = found.values if unit == "category" else pc.cast(found.values, pa.float64())
    return signals, columns, left_out


def as_unit(found: Settled) -> str:
    """The unit of a column's signal, or why it is no signal."""
    match found.kind:
        case "nothing":
            return "it has no value in any row"
        case "flag":
            return "flag"
        case "integer" | "number":
            return "a running number: it names the row" if _is_dense(pc.drop_null(found.values)) else "points"
        case "time":
            return "a date: give the days between it and the moment of scoring as a number"
        case "other":
            return found.why
    present = pc.drop_null(found.values)
    distinct = pc.count_distinct(present).as_py()
    if distinct > MOST_WORDS or (len(present) > FEWEST_FOR_IDENTIFIER and distinct > IDENTIFIER_SHARE * len(present)):
        return f"{distinct:,} different texts in {len(present):,} rows: an identifier, not a category"
    return "category"


def _is_dense(numbers: Any) -> bool:
    """Whole numbers (pandas has them as floats beside a gap), each once, with few left out between them."""
    distinct = pc.count_distinct(numbers).as_py()
    if not distinct == len(numbers) > FEWEST_FOR_IDENTIFIER:
        return False
    span = pc.min_max(numbers).as_py()
    whole = pa.types.is_integer(numbers.type) or pc.all(pc.equal(pc.floor(numbers), numbers)).as_py()
    return bool(whole and span["max"] - span["min"] < 1.5 * distinct)


def _signal(name: str, unit: Unit) -> Signal:
    label = name.replace("_", " ")
    some = {"category": f"{label} is {{value}}.", "flag": f"{label} is true."}.get(unit, f"{label} is {{value}}.")
    zero = f"{label} is not true." if unit == "flag" else None
    return Signal(
        name=name,
        theme="custom",
        unit=unit,
        window="before as_of",
        missing=f"{label} is not recorded",
        label=label,
        phrase=Phrase(some, zero=zero, missing=f"{label} is not known."),
        entities=("account", "lead"),
    )


def check_columns(table: pa.Table, wanted: Sequence[str]) -> None:
    """Raises `TrainingRefused` naming every column that is missing."""
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        raise TrainingRefused(
            "the table",
            [
                Fault(
                    where=f"column {n}",
                    found="missing",
                    rule="every signal of the model is a column",
                    next_step="add it",
                )
                for n in missing
            ],
        )
