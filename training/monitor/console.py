"""Prints the report of `monitor` on stderr, the verdict and the path of the report last."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from training.console import add, console, say, table, whole

MOST_SIGNALS = 12


def watched(report: dict[str, Any]) -> None:
    """Expected against observed, the signals that moved most, the checks, and whether someone should look and why."""
    out = console()
    _expected_and_observed(report, out)
    for name, part in report["by_action"].items():
        if part["rows"]:
            together = part["bands"][0]
            say(
                out,
                f"{name.replace('_', ' ')}: {together['observed']} outcomes in {part['rows']:,} ripe rows, "
                f"{together['expected']['value']:.0f} expected",
            )
    _signals(report, out)
    now = report["estimated_now"]
    say(
        out,
        f"Estimated of the present {report['rows']['now']:,} rows, before anything came true: AUC {whole(now['auc'])}, "
        f"precision at capacity {whole(now['precision_at_capacity'])}, Brier {whole(now['brier'])}.",
    )
    for note in report["notes"]:
        say(out, f"Note: {note}")
    checks = table("check", "state", "found", "limit")
    for check in report["checks"]:
        colour = {"look": "bold red", "too early": "dim", "fine": "green"}[check["state"]]
        add(checks, check["name"], Text(check["state"], colour), check["found"], check["limit"])
    out.print(checks)
    version = "" if report["version"] is None else f" version {report['version']}"
    say(out, f"{report['model']}{version} as of {report['as_of'][:10]}: {report['verdict']}.", "bold")
    for why in report["why"]:
        say(out, f"  - {why}")
    say(out, f"Report: {report['file']}")


def _signals(report: dict[str, Any], out: Console) -> None:
    shares = ("missing", "in training", "new words", "outside")
    moved = table(
        "signal", "weight", "index", *shares, right=("weight", "index"), title="Signals, the most moved first"
    )
    for s in report["signals"][:MOST_SIGNALS]:
        index = "" if s["psi"] is None else f"{s['psi']:.3f}"
        found = [f"{s[name]:.1%}" for name in ("missing", "missing_then", "new_words", "outside")]
        add(moved, s["signal"], f"{s['weight']:.1%}", index, *found)
    out.print(moved)


def _expected_and_observed(report: dict[str, Any], out: Console) -> None:
    made = table("rows", "band", "how many", "expected (95 %)", "observed", title="Expected and observed outcomes")
    for band in report["ripe"].get("bands", []):
        told = band["expected"]
        add(
            made,
            "ripe",
            band["band"],
            f"{band['rows']:,}",
            f"{told['value']:.0f} ({told['low']:.0f} to {told['high']:.0f})",
            f"{band['observed']}{' beyond chance' if band['beyond_chance'] else ''}",
        )
    made.add_section()
    for band in report["pending"].get("bands", []):
        add(
            made,
            "pending",
            band["band"],
            f"{band['rows']:,}",
            f"{band['expected']:.0f}",
            f"{band['observed_so_far']} so far",
        )
    out.print(made)
