"""Leak rules that use the outcome: columns that rank it too well alone, and gaps or single values that decide it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from features.audit import names
from features.audit.finding import MIN_ROWS, AuditedTable, Finding, codes, is_date, strength

COPY_AUC, BEYOND_DOUBT_AUC, TOO_GOOD_AUC, STRONG_AUC = 0.995, 0.90, 0.80, 0.70
"""What is known beforehand rarely ranks alone as these say; between 0.8 and 0.9 the other columns are the measure."""
STEM = 5
"""Letters in which words of one stem agree."""
MOST_ROWS = 20_000
"""Rows by which a column is compared with all others."""


def strong_columns(table: AuditedTable) -> list[Finding]:
    """Columns that rank the outcome alone: as a copy would, better than all the others together, or just well."""
    found = []
    for name in table.names:
        auc = strength(table.inputs[name], table.outcome)
        numbers = {"auc": auc}
        evidence = f"alone it ranks the outcome with an AUC of {auc:.3f}"
        if auc >= STRONG_AUC and is_key(table.inputs[name]):
            values = table.inputs[name].nunique()
            found.append(
                Finding(
                    "groups_rows",
                    "medium",
                    (name,),
                    f"each of its {values:,} values stands for a few rows that mostly share the outcome (AUC {auc:.3f})",
                    "it names things: leave it out, and keep the rows of one thing on one side of every split",
                    numbers | {"values": values},
                )
            )
        elif auc >= COPY_AUC:
            found.append(
                Finding(
                    "copy_of_outcome",
                    "high",
                    (name,),
                    evidence,
                    "leave it out: it is the outcome in other words",
                    numbers,
                )
            )
        elif auc >= BEYOND_DOUBT_AUC or (auc >= TOO_GOOD_AUC and auc >= (others := _others(table, name))):
            if auc < BEYOND_DOUBT_AUC:
                evidence += f", all other columns together with {others:.3f}"
                numbers["others"] = others
            found.append(
                Finding(
                    "too_good",
                    "high",
                    (name,),
                    evidence,
                    "find out when it is filled in; keep it only if that is before the outcome",
                    numbers,
                )
            )
        elif auc >= STRONG_AUC:
            found.append(Finding("strong_alone", "medium", (name,), evidence, "ask once when it is filled in", numbers))
    return found


def is_key(column: pd.Series[Any]) -> bool:
    """Text or whole numbers, too many different ones for a vocabulary, each in a few rows: it names things."""
    values = column.dropna()
    if len(values) < MIN_ROWS or pd.api.types.is_float_dtype(values) or is_date(values):
        return False
    if pd.api.types.is_numeric_dtype(values) and codes(column).max() < values.nunique():
        return False  # numbers are judged by bins of neighbours, which no name has
    return bool(values.nunique() > max(50, 0.02 * len(values)))


def _others(table: AuditedTable, name: str) -> float:
    """ROC AUC, out of fold, of boosted trees on all columns but this one, and but those that are beyond doubt."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has none

    rows = np.random.default_rng(0).permutation(len(table.outcome))[:MOST_ROWS]
    # A column without two values (a field that nobody filled in) has no place for a split.
    kept = [n for n in table.names if n != name and table.inputs[n].nunique() > 1 and not is_key(table.inputs[n])]
    kept = [n for n in kept if strength(table.inputs[n], table.outcome) < BEYOND_DOUBT_AUC]
    y = table.outcome[rows]
    if not kept or min(y.sum(), len(y) - y.sum()) < 5:
        return 0.5
    x = np.column_stack([_ranked(table.inputs[n]) for n in kept])[rows]
    trees = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, random_state=0)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    # One thread: on a busy machine OpenMP's barriers cost minutes for what takes a second.
    with threadpool_limits(1, "openmp"):
        p = cross_val_predict(trees, x, y, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(y, p))


def _ranked(column: pd.Series[Any]) -> np.ndarray:
    """Numbers as they are; the values of a vocabulary as small integers in order of frequency."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=float, na_value=np.nan)
    counts = column.astype("object").value_counts()
    return column.astype("object").map({value: n for n, value in enumerate(counts.index)}).to_numpy(dtype=float)


def presence(table: AuditedTable) -> list[Finding]:
    """Missing, or being there, that decides the outcome: a field filled in when a case closes."""
    found = []
    base = table.base_rate
    for name in table.names:
        gone = table.inputs[name].isna().to_numpy()
        for what, rows in (("missing", gone), ("filled in", ~gone)):
            n = int(rows.sum())
            if not MIN_ROWS <= n <= len(rows) - MIN_ROWS:
                continue
            rate = float(table.outcome[rows].mean())
            # As many rows of one outcome would come by chance with less than 1 in 10^9.
            chance = n * np.log10(1 - base if rate == 0 else base) if rate in (0.0, 1.0) else 0.0
            if rate in (0.0, 1.0) and chance < -9:
                found.append(
                    Finding(
                        "presence_gives_outcome",
                        "high",
                        (name,),
                        f"where it is {what} ({n:,} rows) the outcome is always {int(rate)} ({base:.1%} overall)",
                        "leave it out, also as a flag: it is filled in when the outcome is known",
                        {"rows": n, "rate": rate},
                    )
                )
                break
        else:
            if MIN_ROWS <= gone.sum() <= len(gone) - MIN_ROWS:
                auc = float(roc_auc_score(table.outcome, gone))
                if max(auc, 1 - auc) >= 0.60:
                    here, there = table.outcome[~gone].mean(), table.outcome[gone].mean()
                    found.append(
                        Finding(
                            "presence_informs",
                            "medium",
                            (name,),
                            f"outcome in {here:.1%} of the rows where it is filled in, in {there:.1%} where it is missing",
                            "find out who fills it in and when: staff do so for cases that they work on",
                            {"auc": max(auc, 1 - auc)},
                        )
                    )
    return found


def deciding_values(table: AuditedTable) -> list[Finding]:
    """Single values after which the outcome is settled: notes that say how the story ended."""
    found = []
    for name in table.names:
        column = table.inputs[name]
        if pd.api.types.is_numeric_dtype(column) or not 3 <= column.nunique() <= 200:
            continue
        rates = pd.DataFrame({"value": column, "y": table.outcome}).dropna().groupby("value")["y"].agg(["mean", "size"])
        sure = rates[(rates["size"] >= 30) & ((rates["mean"] >= 0.95) | (rates["mean"] <= 0.02))]
        unlikely = sure[
            (sure["mean"] >= 0.95) & (table.base_rate < 0.8) | (sure["mean"] <= 0.02) & (table.base_rate > 0.1)
        ]
        if len(unlikely) >= 2:
            share = float(unlikely["size"].sum() / len(column))
            found.append(
                Finding(
                    "values_decide",
                    "medium",
                    (name,),
                    f"{len(unlikely)} of its values ({share:.0%} of the rows) come with one outcome almost always",
                    "read those values: they may tell how it ended",
                    {"values": len(unlikely), "share": share},
                )
            )
    return found


def arrive_together(table: AuditedTable) -> list[Finding]:
    """Columns missing on exactly the same rows come from one later step or one other party."""
    groups: dict[bytes, list[str]] = {}
    for name in table.names:
        gone = table.inputs[name].isna().to_numpy()
        if 0.05 <= gone.mean() <= 0.95:
            groups.setdefault(np.packbits(gone).tobytes(), []).append(name)
    return [
        Finding(
            "arrive_together",
            "medium",
            tuple(names),
            f"missing on exactly the same {table.inputs[names[0]].isna().mean():.1%} of the rows",
            "they come from one step or one other party: leave them out unless that step is before the outcome",
        )
        for names in groups.values()
        if len(names) >= 2
    ]


def twin_vocabularies(table: AuditedTable) -> list[Finding]:
    """Two columns that speak the same words are states of one thing; the last state may follow the outcome."""
    words = {}
    for name in table.names:
        column = table.inputs[name]
        if not pd.api.types.is_numeric_dtype(column) and 5 <= column.nunique() <= 200:
            words[name] = set(column.dropna().astype(str).str.lower())
    found = []
    for left, right in itertools.combinations(words, 2):
        shared = len(words[left] & words[right]) / min(len(words[left]), len(words[right]))
        if shared >= 0.6:
            found.append(
                Finding(
                    "last_state",
                    "medium",
                    (left, right),
                    f"they share {shared:.0%} of their words",
                    "both tell the state of one thing; leave them out unless they are as of the row's time",
                    {"shared": shared},
                )
            )
    return found


def named_like_outcome(table: AuditedTable) -> list[Finding]:
    """Columns whose name shares a word with that of the outcome: another record of the same thing, dated or not."""
    asked = {word[:STEM] for word in _telling(table.label)}
    found = []
    for name in table.names:
        shared = [word for word in _telling(name) if word[:STEM] in asked]
        if shared and not names.says_before(name):
            evidence = f"its name shares the word {shared[0]!r} with the outcome {table.label!r}"
            advice = (
                "it may record the same thing: leave it out unless it is known before the outcome, as an earlier one is"
            )
            found.append(Finding("named_like_outcome", "medium", (name,), evidence, advice))
    return found


def _telling(name: str) -> list[str]:
    """Words of five letters or more but those that every table has (flag, customer, month); "churn" and "churned" are one.

    >>> _telling("customer_churn_flag"), _telling("IsChurned"), _telling("churn-risk")
    (['churn'], ['churned'], ['churn'])
    """
    return [w for w in names.words_of(name) if len(w) >= STEM and w not in names.COMMON | names.UNIT]
