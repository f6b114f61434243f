"""The audit's findings as text for a terminal: the worst first, one paragraph per column, then the next steps."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Sequence

from features.audit.finding import Finding, Severity

WIDTH = 80
HEADS: dict[Severity, str] = {
    "high": "HIGH: known with the outcome, or after it, unless you can show otherwise",
    "medium": "MEDIUM: ask once when it is filled in",
    "low": "LOW: no leak; worth cleaning up",
}
MOST_NAMED = 12


def report(
    said: str, findings: Sequence[Finding], inputs: Collection[str], flat: bool = True, verbose: bool = False
) -> str:
    """The report as text of at most `WIDTH` columns (but for names that are longer).

    `said` is what was audited, a `flat` table or a source; `inputs` are the names that can be left out of it, or of a model.
    Findings of low severity are counted, and shown when `verbose`.
    """
    counts = {severity: [f for f in findings if f.severity == severity] for severity in HEADS}
    lines = [*_wrapped(f"{said}: " + ", ".join(f"{len(counts[s])} {s}" for s in HEADS))]
    for severity, head in HEADS.items():
        if severity == "low" and not verbose:
            continue
        groups = _by_columns(counts[severity])
        if groups:
            lines += ["", head]
        for group in groups:
            lines += ["", *_paragraph(group)]
    if counts["low"] and not verbose:
        kinds = ", ".join(f"{code.replace('_', ' ')} ({n})" for code, n in _counted(f.code for f in counts["low"]))
        lines += ["", *_wrapped(f"low, shown with --verbose: {kinds}")]
    return "\n".join(lines + _next(counts["high"], counts["medium"], inputs, flat))


def _by_columns(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings grouped by their columns, in the order of the first finding of each group."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.columns, []).append(finding)
    return list(groups.values())


def _paragraph(group: Sequence[Finding]) -> list[str]:
    columns = group[0].columns
    named = ", ".join(columns[:MOST_NAMED]) or "the table"
    if len(columns) > MOST_NAMED:
        named += f" and {len(columns) - MOST_NAMED} more"
    lines = _wrapped(named, indent="  ")
    for finding in group:
        proof = ", proof" if finding.is_proof else ""
        lines += _wrapped(f"{finding.evidence} ({finding.code}{proof})", indent="      ", first="    - ")
    return lines + _wrapped(group[0].advice, indent="      ", first="    > ")


def _next(high: Sequence[Finding], medium: Sequence[Finding], inputs: Collection[str], flat: bool) -> list[str]:
    """The next steps, with lines to copy."""
    worst = [c for c in dict.fromkeys(c for f in high for c in f.columns) if c in inputs]
    asked = [c for c in dict.fromkeys(c for f in medium for c in f.columns) if c in inputs and c not in worst]
    if not high and not asked:
        return []
    lines = ["", "Next"]
    if worst and flat:
        lines += _wrapped(f"leave these columns out of the table: {', '.join(worst)}", indent="  ")
    elif worst:
        listed = ", ".join(f'"{name}"' for name in worst) + "," * (len(worst) == 1)
        lines += _wrapped(f"leave these out in the model's file: exclude=({listed})", indent="  ")
    if asked:
        lines += _wrapped(f"ask who fills in, and when: {', '.join(asked)}", indent="  ")
    if high:
        known = "fit-table is told with --known-before" if flat else "the model's file says with accepted_findings"
        lines += _wrapped(
            f"what has severity high blocks promotion, unless {known} that it is filled in before the outcome",
            indent="  ",
        )
    return lines


def _counted(codes: Iterable[str]) -> list[tuple[str, int]]:
    found: dict[str, int] = {}
    for code in codes:
        found[code] = found.get(code, 0) + 1
    return sorted(found.items())


def _wrapped(text: str, indent: str = "", first: str | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
