"""Columns and rows that no model should see as they are: identifiers, constants, placeholders, copies."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from features.audit.finding import MIN_ROWS, AuditedTable, Finding, codes, is_date

DEFAULTS = {
    "select",
    "unknown",
    "n/a",
    "na",
    "none",
    "null",
    "-",
    "?",
    "not specified",
    "undefined",
    "tbd",
    "choose",
    "please select",
}
"""Texts that forms put where nothing was chosen."""


def identifiers(table: AuditedTable) -> list[Finding]:
    found = []
    for name in table.names:
        column = table.inputs[name].dropna()
        whole = not pd.api.types.is_float_dtype(column) or bool((column % 1 == 0).all())
        if len(column) >= MIN_ROWS and column.nunique() > 0.95 * len(column) and whole and not is_date(column):
            share = column.nunique() / len(column)
            found.append(
                Finding(
                    "identifier",
                    "low",
                    (name,),
                    f"{share:.0%} of its {len(column):,} values are different",
                    "leave it out; a number that grows may serve as an order",
                    {"unique_share": share},
                )
            )
    return found


def constants(table: AuditedTable) -> list[Finding]:
    found = []
    for name in table.names:
        counts = table.inputs[name].value_counts(dropna=False, normalize=True)
        if len(counts) == 0 or counts.iloc[0] > 0.999:
            found.append(
                Finding("constant", "low", (name,), f"one value in {counts.iloc[0]:.2%} of the rows", "leave it out")
            )
    return found


def placeholders(table: AuditedTable) -> list[Finding]:
    """Values that stand for missing: a form's default, a number far from all others."""
    found = []
    for name in table.names:
        column = table.inputs[name].dropna()
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            counts = column.value_counts(normalize=True)
            rest = column[column != counts.index[0]] if len(counts) else column
            top = float(counts.index[0]) if len(counts) else 0.0
            if (
                len(rest) >= MIN_ROWS
                and counts.iloc[0] > 0.2
                and abs(top) in (9.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0)
            ):
                found.append(
                    Finding(
                        "placeholder",
                        "low",
                        (name,),
                        f"{top:g} in {counts.iloc[0]:.0%} of the rows, far from the others (to {rest.max():g})",
                        "write it as missing",
                        {"share": float(counts.iloc[0])},
                    )
                )
        elif len(column):
            text = column.astype(str).str.strip().str.lower()
            share = float(text.isin(DEFAULTS).mean())
            blank = float((text == "").mean())
            if share > 0.01:
                found.append(
                    Finding(
                        "placeholder",
                        "low",
                        (name,),
                        f"a form's default in {share:.0%} of the rows",
                        "write it as missing",
                        {"share": share},
                    )
                )
            numbers = pd.to_numeric(text, errors="coerce")
            if blank and numbers.notna().mean() > 0.9:
                found.append(
                    Finding(
                        "number_as_text",
                        "low",
                        (name,),
                        f"numbers as text, {int((text == '').sum())} blanks",
                        "cast it; blank is missing",
                    )
                )
    return found


def copies(table: AuditedTable) -> list[Finding]:
    """Columns that say the same, and rows that do."""
    found = []
    small = {n: codes(table.inputs[n], bins=10_000) for n in table.names if table.inputs[n].nunique() > 1}
    for left, right in itertools.combinations(small, 2):
        a, b = small[left], small[right]
        pairs = len(np.unique(a.astype(np.int64) * (int(b.max()) + 1) + b))
        if pairs == len(np.unique(a)) == len(np.unique(b)) and pairs < 0.95 * len(a):
            found.append(
                Finding(
                    "same_column",
                    "low",
                    (left, right),
                    f"each value of one goes with one of the other ({pairs} values)",
                    "keep one",
                )
            )
    repeated = int(table.inputs.assign(y=table.outcome).duplicated().sum())
    if repeated and repeated / len(table.inputs) > 0.01:
        found.append(
            Finding(
                "repeated_rows",
                "medium",
                (),
                f"{repeated:,} of {len(table.inputs):,} rows are exact copies of another",
                "keep copies on one side of every split, else the score is too good",
                {"rows": repeated},
            )
        )
    return found
