"""Can this input know the outcome? The report that a careful colleague would write about one table with a label.

Every finding has a code, a severity, the columns, the evidence in numbers, and what to do. Two kinds: *proofs*
(`copy_of_outcome`, `presence_gives_outcome`, and of a source `signal_leaks`) are facts about the data and gate promotion;
the others are heuristics and advise. No rule knows a column by its name.

The strength of one column alone is its ROC AUC when its values are replaced by the mean outcome of the same value
(quantile bins for numbers, missing as a value of its own), computed out of fold, so that an identifier scores 0.5.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

Severity = Literal["high", "medium", "low"]
PROOFS = ("copy_of_outcome", "presence_gives_outcome", "signal_leaks")
"""Codes that gate promotion."""

COPY_AUC, TOO_GOOD_AUC, STRONG_AUC = 0.995, 0.80, 0.70
MIN_ROWS = 50
"""Fewer rows than this prove nothing about a value or a gap."""
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


@dataclass(frozen=True)
class Finding:
    code: str
    severity: Severity
    columns: tuple[str, ...]
    evidence: str
    advice: str
    numbers: dict[str, float] = field(default_factory=dict)

    @property
    def is_proof(self) -> bool:
        return self.code in PROOFS

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Table:
    """A table with its outcome: `outcome` is 0/1 per row; `order` is the time or the row number."""

    inputs: pd.DataFrame
    outcome: np.ndarray
    order: np.ndarray
    dated: bool

    @property
    def names(self) -> list[str]:
        return [str(name) for name in self.inputs.columns]

    @property
    def base_rate(self) -> float:
        return float(self.outcome.mean())


def audit_table(frame: pd.DataFrame, label: str, time: str | None = None, group: str | None = None) -> list[Finding]:
    """Every finding about a flat table, the gravest first.

    `frame` has one row per entity, `label` holds two values (the rarer is the outcome when they are not 0/1, true/false
    or yes/no), `time` the moment that the row stands for. Rows without a label are left out.
    """
    labelled = frame[frame[label].notna()].reset_index(drop=True)
    outcome = as_outcome(labelled[label])
    order = pd.to_datetime(labelled[time]).to_numpy().astype("int64") if time else np.arange(len(labelled))
    inputs = labelled.drop(columns=[c for c in (label, time, group) if c])
    inputs.columns = inputs.columns.map(str)
    table = Table(inputs, outcome, order, time is not None)
    findings = [f for rule in RULES for f in rule(table)]
    rank = {"high": 0, "medium": 1, "low": 2}
    return sorted(findings, key=lambda f: (rank[f.severity], not f.is_proof, f.code, f.columns))


def as_outcome(column: pd.Series[Any]) -> np.ndarray:
    """0/1 from a column of two values.

    >>> as_outcome(pd.Series(["No", "Yes", "No"])).tolist()
    [0, 1, 0]
    """
    from features.errors import UserMistake

    values = [v for v in column.unique() if not pd.isna(v)]
    if len(values) != 2:
        shown = ", ".join(map(str, values[:5])) + (" ..." if len(values) > 5 else "")
        raise UserMistake(f"column {column.name!r} holds {len(values)} different values ({shown}): a label has two")
    positive = {"1", "1.0", "true", "yes", "y", "won", "churned", "converted", "t"}
    yes = [v for v in values if str(v).strip().lower() in positive]
    chosen = yes[0] if len(yes) == 1 else min(values, key=lambda v: int((column == v).sum()))
    return (column == chosen).to_numpy().astype(int)


def codes(column: pd.Series[Any], bins: int = 20) -> np.ndarray:
    """A column as small integers: quantile bins of numbers, one per text, 0 for missing."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column) and column.nunique() > bins:
        values = column.to_numpy(dtype=float)
        edges = np.unique(np.nanquantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
        keys = np.where(np.isnan(values), 0, np.searchsorted(edges, values, side="right") + 1)
        # A value that many rows share (0, a sentinel) is a category of its own, not the edge of a bin.
        common = column.value_counts(normalize=True)
        for number, value in enumerate(common.index[common.to_numpy() > 0.05]):
            keys[values == value] = len(edges) + 2 + number
        return keys
    return pd.factorize(column.astype("object").where(column.notna(), None), use_na_sentinel=True)[0] + 1


def strength(column: pd.Series[Any], outcome: np.ndarray, folds: int = 5) -> float:
    """Out-of-fold ROC AUC of one column alone, in [0, 1]; 0.5 says nothing."""
    keys = codes(column)
    size = int(keys.max()) + 1
    base, prior = outcome.mean(), 10.0
    # Rows are dealt in a fixed scramble, so that an order in the file cannot line up with the folds.
    fold = np.random.default_rng(0).permutation(len(keys)) % folds
    score = np.empty(len(keys))
    for i in range(folds):
        held = fold == i
        hits = np.bincount(keys[~held], outcome[~held], size)
        seen = np.bincount(keys[~held], minlength=size)
        score[held] = ((hits + prior * base) / (seen + prior))[keys[held]]
    return float(roc_auc_score(outcome, score))


Rule = Callable[[Table], list[Finding]]


def identifiers(table: Table) -> list[Finding]:
    found = []
    for name in table.names:
        column = table.inputs[name].dropna()
        whole = not pd.api.types.is_float_dtype(column) or bool((column % 1 == 0).all())
        if len(column) >= MIN_ROWS and column.nunique() > 0.95 * len(column) and whole and not _is_date(column):
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


def constants(table: Table) -> list[Finding]:
    found = []
    for name in table.names:
        counts = table.inputs[name].value_counts(dropna=False, normalize=True)
        if len(counts) == 0 or counts.iloc[0] > 0.999:
            found.append(
                Finding("constant", "low", (name,), f"one value in {counts.iloc[0]:.2%} of the rows", "leave it out")
            )
    return found


def strong_columns(table: Table) -> list[Finding]:
    found = []
    for name in table.names:
        auc = strength(table.inputs[name], table.outcome)
        numbers = {"auc": auc}
        evidence = f"alone it ranks the outcome with an AUC of {auc:.3f}"
        if auc >= COPY_AUC:
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
        elif auc >= TOO_GOOD_AUC:
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


def presence(table: Table) -> list[Finding]:
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


def deciding_values(table: Table) -> list[Finding]:
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


def arrive_together(table: Table) -> list[Finding]:
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


def twin_vocabularies(table: Table) -> list[Finding]:
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


def dates(table: Table) -> list[Finding]:
    """Dates are never inputs; a length between two of them may know the outcome."""
    parsed = {
        name: pd.to_datetime(table.inputs[name], errors="coerce")
        for name in table.names
        if _is_date(table.inputs[name].dropna())
    }
    found = [
        Finding(
            "date",
            "medium",
            (name,),
            f"it is a date, from {values.min():%Y-%m-%d} to {values.max():%Y-%m-%d}",
            "never an input as it is: name it as the time of the row, use an age as of that time, or leave it out",
        )
        for name, values in parsed.items()
    ]
    for left, right in itertools.combinations(parsed, 2):
        length = (parsed[right] - parsed[left]).dt.days
        if length.notna().sum() >= MIN_ROWS and length.nunique() > 5:
            auc = strength(length, table.outcome)
            if auc >= 0.55 + 1 / np.sqrt(length.notna().sum()):
                found.append(
                    Finding(
                        "length_knows",
                        "high" if auc >= TOO_GOOD_AUC else "medium",
                        (left, right),
                        f"the days between them rank the outcome with an AUC of {auc:.3f}",
                        "one of the two is set by the outcome: leave that one and the length out",
                        {"auc": auc},
                    )
                )
    return found


def order_in_time(table: Table) -> list[Finding]:
    """Columns that the order of the rows predicts: they tell the date, and a model learns the season that was."""
    blocks = (
        np.argsort(np.argsort(table.order, kind="stable"), kind="stable") * 50 // max(len(table.order), 1)
    ).astype(int)
    found = []
    for name in table.names:
        column = table.inputs[name]
        if not pd.api.types.is_numeric_dtype(column) or column.nunique() < 3:
            continue
        values = column.rank().fillna(0).to_numpy(dtype=float)
        total = values.var()
        means = pd.Series(values).groupby(blocks).transform("mean").to_numpy()
        explained = float(means.var() / total) if total else 0.0
        if explained >= 0.7:
            found.append(
                Finding(
                    "tells_the_date",
                    "medium",
                    (name,),
                    f"the position of the row explains {explained:.0%} of it",
                    "it stands for the date: a split by time shows what it is worth, a random one flatters it",
                    {"explained": explained},
                )
            )
    return found


def drift(table: Table) -> list[Finding]:
    """The base rate of the newest fifth against the rest."""
    if not table.dated and len(table.order) < 1_000:
        return []
    newest = np.argsort(np.argsort(table.order, kind="stable"), kind="stable") >= 0.8 * len(table.order)
    old, new = float(table.outcome[~newest].mean()), float(table.outcome[newest].mean())
    error = np.sqrt(old * (1 - old) / max((~newest).sum(), 1) + new * (1 - new) / max(newest.sum(), 1))
    if abs(new - old) > 5 * error and not 0.67 <= new / max(old, 1e-9) <= 1.5:
        return [
            Finding(
                "outcome_drifts",
                "medium",
                (),
                f"outcome {old:.1%} in the first 80 % of the rows, {new:.1%} in the last 20 %",
                "split by time, and expect probabilities to be off until the model is trained on the new level",
                {"old": old, "new": new},
            )
        ]
    return []


def placeholders(table: Table) -> list[Finding]:
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


def copies(table: Table) -> list[Finding]:
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


def _is_date(column: pd.Series[Any]) -> bool:
    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    if pd.api.types.is_numeric_dtype(column) or len(column) == 0:
        return False
    sample = column.astype(str).head(200)
    if not sample.str.match(r"^\d{4}-\d{2}-\d{2}|^\d{1,2}[/.]\d{1,2}[/.]\d{4}").mean() > 0.9:
        return False
    return bool(pd.to_datetime(sample, errors="coerce").notna().mean() > 0.9)


RULES: Sequence[Rule] = (
    strong_columns, presence, deciding_values, arrive_together, twin_vocabularies, dates, order_in_time, drift, identifiers,
    constants, placeholders, copies,
)  # fmt: skip
