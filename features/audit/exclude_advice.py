"""Adds to a finding's advice the line that excludes its signals from a model."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from features.audit.finding import Finding

LEFT_OUT = frozenset(
    {
        "constant",
        "copy_of_outcome",
        "date",
        "filled_for_one_outcome",
        "filled_with_end",
        "groups_rows",
        "identifier",
        "is_a_length",
        "may_be_filled_later",
        "named_as_later",
        "named_like_outcome",
        "presence_gives_outcome",
        "restates_end",
        "says_closed",
        "set_later",
    }
)
"""Codes of findings whose advice is to leave their columns out."""


def with_exclude(findings: Iterable[Finding], model: str, signals: Collection[str]) -> list[Finding]:
    """The findings, with the line to write where the advice is to leave signals out.

    >>> found = Finding("constant", "low", ("plan",), "one value in 100.00% of the rows", "leave it out")
    >>> with_exclude([found], "churn-risk", {"plan"})[0].advice
    'leave it out: exclude=("plan",) in models/churn_risk.py, or --exclude plan of python -m training fit'
    """
    return [
        _told(each, model) if each.code in LEFT_OUT and set(each.columns) & set(signals) else each for each in findings
    ]


def _told(finding: Finding, model: str) -> Finding:
    names = ", ".join(f'"{name}"' for name in finding.columns) + ("," if len(finding.columns) == 1 else "")
    options = " ".join(f"--exclude {name}" for name in finding.columns)
    how = f"exclude=({names}) in models/{model.replace('-', '_')}.py, or {options} of python -m training fit"
    return replace(finding, advice=f"{finding.advice}: {how}")
