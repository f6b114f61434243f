"""A flat table with one row per lead or account, read as rows that can be learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.audit import as_outcome
from features.errors import Fault
from features.files import as_numbers, as_texts
from features.signal import Phrase, Signal, Unit
from training.errors import TrainingRefused
from training.rows import Rows, make_rows
from training.split import Split, copies, join_groups, split_in_time, split_without_time

MOST_WORDS = 1_000
IDENTIFIER_SHARE = 0.5
"""A text column with more different values than this share of its rows names things one by one."""
FEWEST_FOR_IDENTIFIER = 20
NUMBER_SHARE = 0.95
"""A text column of which so many values are numbers is a number whose rest is missing."""


@dataclass(frozen=True)
class FlatTable:
    """What a flat table turned out to hold."""

    rows: Rows
    split: Split
    left_out: tuple[tuple[str, str], ...]
    """Columns that are no signals, each with the reason."""
    unlabelled: int
    """Rows without a label; they are not learnt from."""


def flat_rows(
    table: pa.Table, label: str, time: str | None = None, group: str | None = None, seed: int = 0
) -> FlatTable:
    """Signals out of every usable column, the outcome out of `label`, and the split that `time` and `group` allow.

    Raises `TrainingRefused` with every missing column at once, or when there is too little to learn from.
    """
    faults = [
        Fault(f"--{option} {name}", "no such column", f"one of {', '.join(table.column_names)}", "correct the name")
        for option, name in (("label", label), ("time", time), ("group", group))
        if name is not None and name not in table.column_names
    ]
    if faults:
        raise TrainingRefused("the table", faults)
    known = pc.is_valid(table[label])
    unlabelled = len(table) - int(pc.sum(pc.cast(known, pa.int64())).as_py() or 0)
    table = table.filter(known)
    y = as_outcome(table[label].to_pandas().rename(label)).astype(np.float64)
    order = None if time is None else moments(table[time], time)
    if order is not None and (order == np.iinfo(np.int64).min).any():
        raise TrainingRefused(
            "the table",
            [
                Fault(
                    f"column {time}",
                    f"{int((order == np.iinfo(np.int64).min).sum()):,} rows without a time",
                    "every row has a time",
                    "fill or filter these rows, or leave out --time",
                )
            ],
        )
    signals, columns, left_out = infer(table, {c for c in (label, time, group) if c})
    too_few(y, "the table")
    everybody = np.arange(len(y))
    rows = make_rows(signals, columns, y, time=order, group=everybody)
    if not rows.signals:
        raise TrainingRefused(
            "the table",
            [
                Fault(
                    "its columns",
                    "none is a signal",
                    "at least one column that differs between rows",
                    "; ".join(f"{name}: {why}" for name, why in left_out) or "add columns",
                )
            ],
        )
    named = None if group is None else pd.factorize(table[group].to_pandas(), use_na_sentinel=False)[0].astype(np.int64)
    if order is not None:
        rows = _grouped(rows, everybody if named is None else named)
        assert rows.time is not None
        return FlatTable(rows, split_in_time(rows.time, rows.y, 0, rows.group, named), tuple(left_out), unlabelled)
    own = copies(rows.x)
    rows = _grouped(rows, own if named is None else join_groups(own, named))
    return FlatTable(rows, split_without_time(rows.y, rows.group, seed), tuple(left_out), unlabelled)


def _grouped(rows: Rows, group: np.ndarray) -> Rows:
    return Rows(**{**rows.__dict__, "group": np.asarray(group, dtype=np.int64)})


def too_few(y: np.ndarray, subject: str, least: int = 20) -> None:
    """Raises `TrainingRefused` when one outcome has fewer than `least` rows."""
    positives, negatives = int(y.sum()), int(len(y) - y.sum())
    faults = []
    for count, kind in ((positives, "with"), (negatives, "without")):
        if count < least:
            faults.append(
                Fault(
                    f"rows {kind} the outcome",
                    f"{count:,} of {len(y):,}",
                    f"at least {least}, or nothing can be held back to judge by",
                    f"deliver about {-(-least // max(count, 1))} times the history"
                    if count
                    else "check that the outcome is recorded",
                )
            )
    if faults:
        raise TrainingRefused(subject, faults)


def moments(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """(n,) int64 that grow with time: microseconds of a date, or the rank of a number; the least int64 when missing."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        parsed = pd.to_datetime(column.to_pandas(), errors="coerce", utc=True, format="ISO8601")
        if parsed.isna().sum() > pc.sum(pc.cast(pc.is_null(column), pa.int64())).as_py():
            wrong = column.to_pandas()[parsed.isna()].dropna().iloc[0]
            raise TrainingRefused(
                "the table",
                [
                    Fault(
                        f"column {name}", repr(wrong), "--time holds dates (ISO 8601) or numbers", "convert the column"
                    )
                ],
            )
        return parsed.dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        stamps = pc.cast(
            pc.cast(column, pa.timestamp("us"))
            if pa.types.is_date(kind)
            else pc.cast(column, pa.timestamp("us", getattr(kind, "tz", None))),
            pa.int64(),
        )
        return np.asarray(pc.fill_null(stamps, np.iinfo(np.int64).min).to_numpy(), dtype=np.int64)
    values = pc.cast(column, pa.float64()).to_numpy()
    ranks = np.full(len(values), np.iinfo(np.int64).min)
    present = ~np.isnan(values)
    ranks[present] = np.unique(values[present], return_inverse=True)[1].reshape(-1)
    return ranks


def infer(table: pa.Table, taken: set[str]) -> tuple[list[Signal], dict[str, pa.ChunkedArray], list[tuple[str, str]]]:
    """One signal per usable column, its values, and the columns left out with the reason."""
    signals: list[Signal] = []
    columns: dict[str, pa.ChunkedArray] = {}
    left_out: list[tuple[str, str]] = []
    for name in table.column_names:
        if name in taken:
            continue
        found = as_signal(table[name])
        if isinstance(found, str):
            left_out.append((name, found))
            continue
        unit, values = found
        signals.append(_signal(name, unit))
        columns[name] = values
    return signals, columns, left_out


def as_signal(column: pa.ChunkedArray) -> tuple[Unit, pa.ChunkedArray] | str:
    """The unit and the values of a column (float64, or text), or why it is no signal."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return as_signal(pc.cast(column, kind.value_type))
    if pa.types.is_null(kind) or column.null_count == len(column):
        return "it has no value in any row"
    if pa.types.is_boolean(kind):
        return "flag", as_numbers(column)
    if pa.types.is_integer(kind):
        numbers = pc.drop_null(column)
        distinct = pc.count_distinct(numbers).as_py()
        span = pc.min_max(numbers).as_py()
        dense = distinct == len(numbers) > FEWEST_FOR_IDENTIFIER and span["max"] - span["min"] < 1.5 * distinct
        return "a running number: it names the row" if dense else ("points", as_numbers(column))
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "points", as_numbers(column)
    if pa.types.is_temporal(kind):
        return "a date: give the days between it and the moment of scoring as a number"
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return f"its type {kind} is neither a number, a flag nor a text"
    texts = as_texts(column)
    present = pc.drop_null(texts)
    if not len(present):
        return "it has no value in any row"
    distinct = pc.count_distinct(present).as_py()
    numbers = as_numbers(texts)
    if distinct > FEWEST_FOR_IDENTIFIER and len(numbers) - numbers.null_count >= NUMBER_SHARE * len(present):
        return "points", numbers
    if distinct > MOST_WORDS or (len(present) > FEWEST_FOR_IDENTIFIER and distinct > IDENTIFIER_SHARE * len(present)):
        return f"{distinct:,} different texts in {len(present):,} rows: an identifier, not a category"
    return "category", texts


def _signal(name: str, unit: Unit) -> Signal:
    label = name.replace("_", " ")
    some = {"category": f"{label}: {{value}}.", "flag": f"{label} is true."}.get(unit, f"{label} is {{value}}.")
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
            [Fault(f"column {n}", "missing", "every signal of the model is a column", "add it") for n in missing],
        )
