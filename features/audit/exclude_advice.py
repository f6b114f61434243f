"""How a signal of a source is left out of a model: its name goes into `exclude` of the model's file."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from features.audit.finding import Finding

LEAVE_OUT = "leave it out"


def with_exclude(findings: Iterable[Finding], model: str, signals: Collection[str]) -> list[Finding]:
    """The findings, with the line to write where the advice is to leave signals out.

    >>> found = Finding("constant", "low", ("plan",), "one value in 100.00% of the rows", "leave it out")
    >>> with_exclude([found], "churn-risk", {"plan"})[0].advice
    'leave it out: exclude=("plan",) in models/churn_risk.py, or --exclude plan of python -m training fit'
    """
    return [_told(each, model) if set(each.columns) & set(signals) else each for each in findings]


def _told(finding: Finding, model: str) -> Finding:
    if LEAVE_OUT not in finding.advice:
        return finding
    names = ", ".join(f'"{name}"' for name in finding.columns) + ("," if len(finding.columns) == 1 else "")
    options = " ".join(f"--exclude {name}" for name in finding.columns)
    how = f"exclude=({names}) in models/{model.replace('-', '_')}.py, or {options} of python -m training fit"
    before, _, after = finding.advice.partition(LEAVE_OUT)
    rest = after.removeprefix(":").strip()
    return replace(finding, advice=f"{before}{LEAVE_OUT}: {how}" + (f" ({rest.lstrip(', ')})" if rest else ""))
