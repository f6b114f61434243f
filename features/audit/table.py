"""The audit of one flat table with a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.audit import families, leaks, lifecycle, moments, named, shape, together
from features.audit.finding import MIN_ROWS, AuditedTable, Finding, Rule
from features.kit.errors import UserMistake
from features.kit.flat_files.kinds import Settled, settle_table
from features.kit.flat_files.moments import as_moments
from features.kit.flat_files.reading import read_file
from features.kit.flat_files.values import as_words, holds_no_value, plain


def audit_table(
    frame: pd.DataFrame,
    label: str,
    time: str | None = None,
    group: str | None = None,
    outcome: str | None = None,
    written: Mapping[str, str] = MappingProxyType({}),
) -> list[Finding]:
    """Every finding about a flat table, the worst first.

    `frame` has one row per entity, `label` holds two values, of which `outcome` is meant (when None the one that says yes, else the
    rarer one, as `fit-table` takes it), `time` is the moment that the row stands for. Rows without a label are left out. `written` has
    per column a value that could not be read, as the file has it; for messages. Raises `UserMistake` for a column that is not there, a
    label without two values, an outcome that is none of them, or a time that holds none.
    """
    unknown = [c for c in (label, time, group) if c is not None and c not in frame.columns]
    if unknown:
        raise UserMistake(f"no column {', '.join(map(repr, unknown))}: one of {', '.join(map(str, frame.columns))}")
    label_column = without_open(frame[label])
    still_open = _says_closed(frame.drop(columns=[c for c in (label, time, group) if c]), frame[label], label_column)
    labelled = frame.assign(**{label: label_column})[label_column.notna()].reset_index(drop=True)
    y = as_outcome(labelled[label], outcome)
    moment = _moment(labelled[time], written.get(time)) if time else None
    order = np.arange(len(labelled)) if moment is None else moment.to_numpy().astype("int64")
    inputs = labelled.drop(columns=[c for c in (label, time, group) if c])
    inputs.columns = inputs.columns.map(str)
    table = AuditedTable(inputs, y, order, time is not None, str(label), moment)
    return by_gravity([*still_open, *findings_about(table)])


def findings_about(table: AuditedTable, rules: Sequence[Rule] | None = None, pairs: bool = True) -> list[Finding]:
    """Findings of the rules (all by default), then of names with values, and of columns related to what is proven by
    then.

    `pairs=False` skips pairs of columns, whose trees cost most.
    """
    facts = named.facts_of(table)
    found = findings_of(table, rules)
    proved = {c for f in found if f.is_proof for c in f.columns}
    unproved = {name: fact for name, fact in facts.items() if name not in proved}
    found += [*named.named_and_telling(table, unproved), *named.filled_for_one(table, unproved)]
    if pairs:
        found += together.known_together(table, facts, {c for f in found if f.severity == "high" for c in f.columns})
    return by_gravity([*found, *families.along_with(table, facts, found)])


def findings_of(table: AuditedTable, rules: Sequence[Rule] | None = None) -> list[Finding]:
    """What the rules (all by default) find, the worst first, proofs before heuristics."""
    return by_gravity([f for rule in rules or RULES for f in rule(table)])


def by_gravity(findings: Sequence[Finding]) -> list[Finding]:
    rank = {"high": 0, "medium": 1, "low": 2}
    return sorted(findings, key=lambda f: (rank[f.severity], not f.is_proof, f.code, f.columns))


def _moment(column: pd.Series[Any], written: str | None = None) -> pd.Series[Any]:
    if pd.api.types.is_numeric_dtype(column):
        # Months or years as numbers: only their order and their distance count.
        found = pd.Series(pd.to_datetime(column.astype(float), unit="D"))
    elif pd.api.types.is_datetime64_any_dtype(column):
        found = pd.to_datetime(column, utc=True).dt.tz_localize(None)
    else:  # texts, as fit-table reads them
        texts = pa.chunked_array([pa.array(column.astype("str").where(column.notna(), None), pa.string())])
        found = pd.Series(pd.to_datetime(as_moments(texts).to_pandas(), unit="us"), index=column.index)
    if found.isna().any():
        unread = column[found.isna()].dropna()
        example = str(unread.iloc[0]) if len(unread) else written
        said = "empty there" if example is None else f"such as {example!r}"
        raise UserMistake(
            f"column {column.name!r} holds no time in {int(found.isna().sum()):,} rows ({said}): name one that is filled in everywhere, "
            "or leave those rows out"
        )
    return found


@dataclass(frozen=True)
class FlatRows:
    """A flat file as the audit looks at it, and how it was read."""

    frame: pd.DataFrame
    read: str
    columns: Mapping[str, str]
    """Columns of which something should be known about how they were read, each with that."""
    written: Mapping[str, str]
    """Columns with a value that could not be read, each with that value."""


def read_flat(path: Path, encoding: str | None = None, label: str | None = None) -> FlatRows:
    """A flat file with each column as `fit-table` reads it (see `features.kit.flat_files`); times are in UTC, without a zone.

    The `label` is kept in the words of the file, so that its outcome can be chosen as it is written.
    """
    file = read_file(path, encoding)
    settled = settle_table(file.table, file.dialect.delimiter)
    frame = pd.DataFrame({name: _as_pandas(found) for name, found in settled.items()})
    if label in settled:
        frame[label] = as_words(plain(file.table[label])).to_pandas()
    return FlatRows(
        frame,
        file.dialect.said(),
        {name: said for name, found in settled.items() if (said := found.said())},
        {name: found.example for name, found in settled.items() if found.example is not None},
    )


def _as_pandas(found: Settled) -> pd.Series[Any]:
    if found.kind == "time":
        return pd.Series(pd.to_datetime(found.values.to_pandas(), unit="us"))
    if holds_no_value(
        found.values.type
    ):  # lists, structures, bytes: only whether something is there can be looked into
        there = found.values.is_valid().to_pandas()
        return pd.Series(there.map({True: "there", False: None}), dtype="str")
    if found.kind == "flag" and not found.values.null_count:
        return pd.Series(pc.cast(found.values, pa.bool_()).to_pandas())
    return pd.Series(found.values.to_pandas())


MOST_LABELS_SHARE = 0.1
"""A column with more different values than this share of its rows is a date or a measure, no label."""
POSITIVE = {"1", "1.0", "true", "yes", "y", "won", "churned", "converted", "t", "win", "closed won", "left"}
NEGATIVE = {"0", "0.0", "false", "no", "n", "lost", "stayed", "retained", "f", "loss", "closed lost", "not converted"}


def without_open(column: pd.Series[Any]) -> pd.Series[Any]:
    """The label with cases that are still open as missing: other values beside one that says yes and one that says no.

    >>> without_open(pd.Series(["Won", "Prospecting", "Lost"])).tolist()
    ['Won', nan, 'Lost']
    """
    values = [v for v in column.unique() if not pd.isna(v)]
    ends = [v for v in values if str(v).strip().lower() in POSITIVE | NEGATIVE]
    if len(values) <= 2 or len(ends) != 2 or len({str(v).strip().lower() in POSITIVE for v in ends}) != 2:
        return column
    return column.where(column.isin(ends))


def _says_closed(inputs: pd.DataFrame, given: pd.Series[Any], label: pd.Series[Any]) -> list[Finding]:
    """Columns whose gaps occur in open cases alone: being filled in says that the case is closed."""
    is_open = (given.notna() & label.isna()).to_numpy()
    if is_open.sum() < MIN_ROWS:
        return []
    found = []
    for name in inputs.columns:
        gone = inputs[name].isna().to_numpy()
        n, share = int(gone.sum()), float(is_open.mean())
        if n >= MIN_ROWS and bool(is_open[gone].all()) and n * np.log10(share) < -9:
            evidence = f"where it is missing ({n:,} rows) the case is always open ({share:.1%} overall)"
            advice = "it is filled in on the way to the end: leave it out, also as a flag, for cases that are open"
            found.append(Finding("says_closed", "medium", (str(name),), evidence, advice, {"rows": n}))
    return found


def as_outcome(column: pd.Series[Any], chosen: str | None = None) -> np.ndarray:
    """0/1 from a column of two values; see `outcome_of`.

    >>> as_outcome(pd.Series(["No", "Yes", "No"])).tolist()
    [0, 1, 0]
    """
    return (column == outcome_of(column, chosen)[0]).to_numpy().astype(int)


def outcome_of(column: pd.Series[Any], chosen: str | None = None) -> tuple[Any, Any]:
    """The value of a label that is the outcome, and the other one.

    The one `chosen`, as it is written; else the one that says yes (`POSITIVE`), else the rarer one. Raises `UserMistake`
    for a label without two values, and for a choice that is none of them.

    >>> outcome_of(pd.Series([0, 1, 0])), outcome_of(pd.Series([0, 1, 0]), "0"), outcome_of(pd.Series(["a", "b", "a"]))
    ((1, 0), (0, 1), ('b', 'a'))
    """
    values = [v for v in column.unique().tolist() if not pd.isna(v)]
    if len(values) != 2:
        shown = ", ".join(map(str, values[:5])) + (" ..." if len(values) > 5 else "")
        raise UserMistake(
            f"column {column.name!r} holds {len(values)} different values ({shown}): a label has two, one for the outcome and one "
            "for its absence, and is empty where the case is still open; " + _advice(len(values), len(column))
        )
    if chosen is not None:
        meant = [v for v in values if _written(v) == _written(chosen)]
        if len(meant) != 1:
            raise UserMistake(
                f"--outcome {chosen} is not a value of {column.name!r}: choose {' or '.join(str(v) for v in sorted(values, key=str))}"
            )
        return meant[0], next(v for v in values if v is not meant[0])
    yes = [v for v in values if str(v).strip().lower() in POSITIVE]
    found = yes[0] if len(yes) == 1 else min(values, key=lambda v: int((column == v).sum()))
    return found, next(v for v in values if v is not found)


def _advice(values: int, rows: int) -> str:
    if values < 2:
        return "name another column, or write the other value where it is empty and the case is closed"
    if values > rows * MOST_LABELS_SHARE:
        return "name another column, or write yes where this one is filled in and no where it is empty"
    return "write each other value as one of the two, or empty"


def _written(value: object) -> str:
    """A value as people write it: 1 for 1.0, true for True."""
    text = str(value).strip().casefold()
    return text[:-2] if text.endswith(".0") and text[:-2].lstrip("-").isdigit() else text


RULES: Sequence[Rule] = (
    leaks.strong_columns,
    leaks.presence,
    leaks.deciding_values,
    leaks.arrive_together,
    leaks.twin_vocabularies,
    leaks.named_like_outcome,
    moments.dates,
    lifecycle.completed_later,
    lifecycle.measured_lengths,
    moments.lengths,
    moments.order_in_time,
    moments.drift,
    moments.input_drift,
    shape.identifiers,
    shape.constants,
    shape.placeholders,
    shape.copies,
)
