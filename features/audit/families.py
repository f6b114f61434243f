"""Columns related to a proven leak: with the same beginning of the name, filled in on the same rows, or computed from
it.

A leak rarely comes alone. Closing a case fills in a form, and the export has a column for each field: `churn_reason`
beside `churn_category`, an amount beside a date on the same rows, a ratio beside its two lengths. One of them may be
proven while the next looks innocent; all were written at the same moment.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from features.audit import names
from features.audit.finding import MIN_ROWS, AuditedTable, Finding, is_date
from features.audit.leaks import BEYOND_DOUBT_AUC, is_key
from features.audit.named import Facts, filled_in, is_constant

PROVING = (
    "copy_of_outcome",
    "presence_gives_outcome",
    "filled_for_one_outcome",
    "named_as_later",
    "known_together",
    "length_knows",
)
SAME_ROWS = 0.95
"""Correlation of being filled in from which on two columns were filled in together."""
SAME_ORDER = 0.99
"""Rank correlation from which on one column is computed from others; below `NOT_ALONE` with each of them."""
NOT_ALONE = 0.97
MOST_NUMBERS, COMPARED_ROWS = 40, 400
WIDEST = 6
"""A first word that more columns share is the table's subject, not a family."""


def along_with(table: AuditedTable, facts: Mapping[str, Facts], findings: Sequence[Finding]) -> list[Finding]:
    """Columns that share rows, a name or a computation with a column that is proven already, and are not themselves."""
    graves = {
        column: f
        for f in reversed(findings)
        if f.severity == "high" and proves(f)
        for column in f.columns
        if column in facts
    }
    found: dict[str, Finding] = {}
    # What is raised by its rows or its computation proves others in turn; a second round is enough for a chain of two.
    for _ in range(2):
        proven = [
            *graves,
            *(name for name, f in found.items() if f.severity == "high" and f.numbers.get("by_name") != 1.0),
        ]
        for finding in itertools.chain(
            _same_rows(table, facts, proven), _computed(table, facts, proven), _same_name(table, facts, proven)
        ):
            name = finding.columns[0]
            if name not in graves and (name not in found or found[name].severity == "medium" != finding.severity):
                found[name] = finding
    return list(found.values())


def proves(finding: Finding) -> bool:
    """Whether a finding of high severity is sure enough to accuse others: one that is good alone may be honest."""
    return finding.code in PROVING or (finding.code == "too_good" and finding.numbers["auc"] >= BEYOND_DOUBT_AUC)


def _same_rows(table: AuditedTable, facts: Mapping[str, Facts], proven: Iterable[str]) -> list[Finding]:
    """Columns that hold something on (nearly) the same rows as a proven one, where those rows tell the outcome."""
    there = {n: filled_in(table.inputs[n]) for n in table.names}
    there = {n: rows for n, rows in there.items() if MIN_ROWS <= rows.sum() <= len(rows) - MIN_ROWS}
    found = []
    for leak in (n for n in proven if n in there):
        for name, rows in there.items():
            if name == leak or name in proven or facts[leak].one_sided < 2:
                continue
            alike = float(np.corrcoef(rows, there[leak])[0, 1])
            if alike >= SAME_ROWS:
                evidence = f"filled in on the same rows as {leak} (correlation {alike:.2f}), which knows the outcome"
                found.append(_finding(name, "high", evidence, leak, alike))
    return found


def _same_name(table: AuditedTable, facts: Mapping[str, Facts], proven: Iterable[str]) -> list[Finding]:
    """Columns whose names begin as those of proven ones do, when the beginning is no word that every table has."""
    proven, found = set(proven), []
    for members in by_stem(table.names, fewest=2):
        leaks = [n for n in members if n in proven]
        if leaks:
            many = len(leaks) >= 2 and 2 * len(leaks) >= len(members)
            for name in members:
                reading = facts[name].reading
                if name in proven or is_constant(table.inputs[name]) or (reading is None and names.says_before(name)):
                    continue
                evidence = f"its name begins as that of {', '.join(leaks[:3])}, which know{'s' * (len(leaks) == 1)} the outcome"
                grave = many and facts[name].depends
                found.append(_finding(name, "high" if grave else "medium", evidence, leaks[0], by_name=True))
    return found


def by_stem(columns: Sequence[str], fewest: int) -> list[list[str]]:
    """Families of columns whose names begin with the same one or two words, when these are no words that every table has."""
    split = {n: names.words_of(n) for n in columns}
    found = []
    for length in (2, 1):
        families: dict[tuple[str, ...], list[str]] = {}
        for name, words in split.items():
            stem = names.stem_of(words, length)
            if len(stem) == length and len(words) > length:
                families.setdefault(stem, []).append(name)
        most = max(WIDEST, len(split) // 4)
        found += [members for stem, members in families.items() if fewest <= len(members) <= most and _is_special(stem)]
    return found


def _is_special(stem: tuple[str, ...]) -> bool:
    """Whether a beginning is a word of its own, not one that names are made of everywhere."""
    everywhere = (
        names.COMMON
        | names.HISTORY
        | names.UNIT
        | names.BEFORE
        | names.STATE
        | {"is", "has", "the", "hs", "num", "total", "nb", "no"}
    )
    return any(w not in everywhere and len(w) > 2 for w in stem)


def _computed(table: AuditedTable, facts: Mapping[str, Facts], proven: Iterable[str]) -> list[Finding]:
    """Numbers that are a ratio, a sum or a difference with a proven one, its other form, or a part of its length."""
    numbers = {n: _number(table.inputs[n]) for n in table.names if _is_number(table.inputs[n])}
    chosen = sorted(numbers, key=lambda n: (n not in set(proven), facts[n].reading is None))[:MOST_NUMBERS]
    # The rows of one outcome may have all of the values, so the rows with most values are compared.
    rows = _fullest({n: numbers[n] for n in chosen})
    ranks = {n: pd.Series(numbers[n][rows]).rank().to_numpy() for n in chosen}
    flagged, found = set(proven) & set(chosen), []
    for name in chosen:
        if name in flagged:
            continue
        for leak in sorted(flagged):
            alike = _correlation(ranks[name], ranks[leak])
            if abs(alike) >= SAME_ORDER:
                found.append(
                    _finding(
                        name,
                        "high",
                        f"it orders the rows as {leak} does (rank correlation {alike:.3f})",
                        leak,
                        abs(alike),
                    )
                )
    for left, right in itertools.combinations(chosen, 2):
        for sign, made in _made(numbers[left][rows], numbers[right][rows]):
            if made is None:
                continue
            order = pd.Series(made).rank().to_numpy()
            for name in chosen:
                trio = {left, right, name}
                if name in (left, right) or not trio & flagged or trio <= flagged:
                    continue
                if abs(_correlation(order, ranks[name])) < SAME_ORDER:
                    continue
                if max(abs(_correlation(ranks[name], ranks[n])) for n in (left, right)) >= NOT_ALONE:
                    continue
                leak = sorted(trio & flagged)[0]
                for other in sorted(trio - flagged):
                    if name in flagged or other == name or facts[other].depends:
                        evidence = f"{name} is {left} {sign} {right}, and {leak} knows the outcome"
                        found.append(_finding(other, "high" if other == name else "medium", evidence, leak))
    found += [f for leak in sorted(flagged) for f in _parts(numbers, facts, leak, flagged)]
    return found


def _parts(
    numbers: Mapping[str, np.ndarray], facts: Mapping[str, Facts], leak: str, flagged: set[str]
) -> list[Finding]:
    """Lengths that are never longer than a proven one in the same unit."""
    unit = _unit(leak)
    if unit is None:
        return []
    found = []
    for name, values in numbers.items():
        reading = facts[name].reading
        if name in flagged or _unit(name) != unit or reading is None:
            continue
        both = np.isfinite(values) & np.isfinite(numbers[leak])
        if both.sum() >= MIN_ROWS and float((values[both] <= numbers[leak][both]).mean()) >= 0.999:
            found.append(_finding(name, "high", f"it is a part of {leak}: in the same unit, and never more", leak))
    return found


def _unit(name: str) -> str | None:
    said = [w for w in names.words_of(name) if w in names.UNIT]
    return said[0] if said else None


def _made(left: np.ndarray, right: np.ndarray) -> Iterable[tuple[str, np.ndarray | None]]:
    with np.errstate(divide="ignore", invalid="ignore"):
        for sign, made in (
            ("/", left / right),
            ("/ (turned)", right / left),
            ("+", left + right),
            ("-", left - right),
            ("x", left * right),
        ):
            usable = np.isfinite(made)
            yield sign, np.where(usable, made, np.nan) if usable.sum() >= MIN_ROWS else None


def _fullest(numbers: Mapping[str, np.ndarray]) -> np.ndarray:
    if not numbers:
        return np.empty(0, dtype=int)
    filled = np.sum([np.isfinite(v) & (v != 0) for v in numbers.values()], axis=0)
    mixed = np.random.default_rng(0).permutation(len(filled))
    return np.sort(mixed[np.argsort(-filled[mixed], kind="stable")[:COMPARED_ROWS]])


def _correlation(left: np.ndarray, right: np.ndarray) -> float:
    both = np.isfinite(left) & np.isfinite(right)
    if both.sum() < MIN_ROWS:
        return 0.0
    a, b = left[both] - left[both].mean(), right[both] - right[both].mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else 0.0


def _is_number(column: pd.Series[Any]) -> bool:
    return bool(
        pd.api.types.is_numeric_dtype(column)
        and not pd.api.types.is_bool_dtype(column)
        and column.nunique() > 10
        and not is_key(column)
        and not is_date(column)
    )


def _number(column: pd.Series[Any]) -> np.ndarray:
    return np.asarray(column.to_numpy(dtype=float, na_value=np.nan))


def _finding(name: str, severity: Any, evidence: str, leak: str, alike: float = 1.0, by_name: bool = False) -> Finding:
    advice = f"it was written with {leak}: leave both out"
    numbers = {"alike": alike, "by_name": float(by_name)}
    return Finding("goes_with_a_leak", severity, (name,), evidence, advice, numbers)
