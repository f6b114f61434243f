"""Comparisons and replays as tables for people; the JSON line after them is for machines."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.table import Table


def console() -> Console:
    """Tables go to stderr: stdout is for the JSON line. A pipe has no width."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else 140)


def comparison(report: dict[str, Any]) -> None:
    """Two versions side by side, with the paired differences."""
    one, other = report["version"], report["against"]
    table = Table(
        "measure", f"version {one['version']}", f"version {other['version']}", "difference (95 %)", "verdict",
        title=f"{report['model']} on {report['rows']:,} rows that neither learnt from",
    )  # fmt: skip
    for name, found in report["differences"].items():
        mine, theirs = (report["metrics"][side][name]["value"] for side in ("version", "against"))
        spread = f"{found['value']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})"
        table.add_row(name.replace("_", " "), f"{mine:.4f}", f"{theirs:.4f}", spread, found["verdict"])
    out = console()
    out.print(table)
    for side in (one, other):
        out.print(f"version {side['version']} ({', '.join(side['aliases']) or 'no alias'}): gates {side['gates']}")
    out.print(
        f"{report['same_list']:.0%} of the list at capacity is the same, rank correlation {report['rank_correlation']:.3f}, "
        f"{report['band_moved']:.0%} change their band. {' '.join(report['notes'])}"
    )


def replayed(report: dict[str, Any]) -> None:
    """One line per moment, and all together."""
    table = Table(
        "as of", "learnt from", report["crowd"], "with outcome", "listed", "caught", "share", "precision", "by the rule",
        "value caught", title=f"{report['model']}: what the list would have caught within {report['horizon_days']} days",
    )  # fmt: skip
    for m in report["moments"]:
        table.add_row(
            m["as_of"], f"{m['learnt_from']:,}", f"{m['observed']:,}", str(m["with_outcome"]), f"{m['listed']:.0f}",
            f"{m['caught']:.0f}", _percent(m["share_caught"]), _percent(m["precision"]), f"{m['caught_by_rule']:.0f}",
            f"{m['value_caught']:,.0f} of {m['value_with_outcome']:,.0f}",
        )  # fmt: skip
    whole = report["total"]
    table.add_section()
    table.add_row(
        "all", "", f"{whole['observed']:,}", str(whole["with_outcome"]), f"{whole['listed']:.0f}", f"{whole['caught']:.0f}",
        _interval(whole.get("share_caught")), _interval(whole.get("precision")), f"{whole['caught_by_rule']:.0f}",
        f"{whole['value_caught']:,.0f} of {whole['value_with_outcome']:,.0f}",
    )  # fmt: skip
    out = console()
    out.print(table)
    out.print(f"By chance such lists catch {whole['caught_by_chance']:.0f}. {' '.join(report['notes'])}")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _interval(estimate: dict[str, float] | None) -> str:
    return "" if estimate is None else f"{estimate['value']:.0%} ({estimate['low']:.0%} to {estimate['high']:.0%})"
