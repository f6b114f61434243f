"""A flat table with one row per lead or account, read as rows that can be learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.audit import as_outcome
from features.errors import Fault
from features.flat_files.kinds import Settled, settle_table
from features.flat_files.values import as_words, plain
from features.signal import UNITS, Phrase, Signal, Unit
from training.errors import TrainingRefused
from training.rows import Rows, make_rows
from training.split import Split, copies, join_groups, split_in_time, split_without_time

MOST_WORDS = 1_000
IDENTIFIER_SHARE = 0.5
"""A text column with more different values than this share of its rows names things one by one."""
FEWEST_FOR_IDENTIFIER = 20
NO_MOMENT = np.iinfo(np.int64).min


@dataclass(frozen=True)
class FlatTable:
    """What a flat table turned out to hold."""

    rows: Rows
    split: Split
    left_out: tuple[tuple[str, str], ...]
    """Columns that are no signals, each with the reason."""
    unlabelled: int
    """Rows without a label; they are not learnt from."""
    read: tuple[tuple[str, str], ...] = ()
    """Columns of which something should be known about how they were read, each with that."""


def flat_rows(
    table: pa.Table,
    label: str,
    time: str | None = None,
    group: str | None = None,
    seed: int = 0,
    delimiter: str = ",",
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
    table = pa.table({name: plain(table[name]) for name in table.column_names})
    known = pc.is_valid(as_words(table[label]))
    unlabelled = len(table) - int(pc.sum(pc.cast(known, pa.int64())).as_py() or 0)
    table = table.filter(known)
    y = as_outcome(as_words(table[label]).to_pandas().rename(label)).astype(np.float64)
    settled = settle_table(table.drop_columns([label]), delimiter)
    order = None if time is None else moments(settled[time], time)
    if order is not None and (order == NO_MOMENT).any():
        raise TrainingRefused(
            "the table",
            [
                Fault(
                    f"column {time}",
                    f"{int((order == NO_MOMENT).sum()):,} rows without a time",
                    "every row has a time",
                    "fill or filter these rows, or leave out --time",
                )
            ],
        )
    signals, columns, left_out = infer(settled, {c for c in (label, time, group) if c})
    read = tuple((name, said) for name, found in settled.items() if (said := found.said()))
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
    named = (
        None
        if group is None
        else pd.factorize(as_words(table[group]).to_pandas(), use_na_sentinel=False)[0].astype(np.int64)
    )
    if order is not None:
        rows = _grouped(rows, everybody if named is None else named)
        assert rows.time is not None
        return FlatTable(
            rows, split_in_time(rows.time, rows.y, 0, rows.group, named), tuple(left_out), unlabelled, read
        )
    own = copies(rows.x)
    rows = _grouped(rows, own if named is None else join_groups(own, named))
    return FlatTable(rows, split_without_time(rows.y, rows.group, seed), tuple(left_out), unlabelled, read)


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


def moments(found: Settled, name: str) -> np.ndarray:
    """(n,) int64 that grow with time: microseconds of a date, or the rank of a number; the least int64 when missing."""
    if found.kind in ("words", "other", "flag") or found.unreadable:
        raise TrainingRefused(
            "the table",
            [
                Fault(
                    f"column {name}",
                    f"{found.example!r} ({found.unreadable:,} such values)"
                    if found.unreadable
                    else f"it holds {found.kind}",
                    "--time holds dates (ISO 8601, 31.12.2026, or 12/31/2026 where one number is above 12) or numbers",
                    "write the dates as 2026-12-31 (with a time: 2026-12-31T17:30)",
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
        case "integer":
            numbers = pc.drop_null(found.values)
            distinct = pc.count_distinct(numbers).as_py()
            span = pc.min_max(numbers).as_py()
            dense = distinct == len(numbers) > FEWEST_FOR_IDENTIFIER and span["max"] - span["min"] < 1.5 * distinct
            return "a running number: it names the row" if dense else "points"
        case "number":
            return "points"
        case "time":
            return "a date: give the days between it and the moment of scoring as a number"
        case "other":
            return found.why
    present = pc.drop_null(found.values)
    distinct = pc.count_distinct(present).as_py()
    if distinct > MOST_WORDS or (len(present) > FEWEST_FOR_IDENTIFIER and distinct > IDENTIFIER_SHARE * len(present)):
        return f"{distinct:,} different texts in {len(present):,} rows: an identifier, not a category"
    return "category"


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
            [Fault(f"column {n}", "missing", "every signal of the model is a column", "add it") for n in missing],
        )
