"""A watched model as tables for people; the JSON line after them is for machines."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from training.tell import console

MOST_SIGNALS = 12


def watched(report: dict[str, Any]) -> None:
    """The checks, expected against observed, and the signals that moved most."""
    out = console()
    version = "" if report["version"] is None else f" version {report['version']}"
    table = Table(
        "check", "state", "found", "limit", title=f"{report['model']}{version} as of {report['as_of'][:10]}: {report['verdict']}"
    )  # fmt: skip
    for check in report["checks"]:
        colour = {"look": "bold red", "too early": "dim", "fine": "green"}[check["state"]]
        table.add_row(check["name"], f"[{colour}]{check['state']}[/]", check["found"], check["limit"])
    out.print(table)
    _expected_and_observed(report, out)
    parts = report["by_action"].items()
    for name, part in parts:
        if part["rows"]:
            whole = part["bands"][0]
            out.print(
                f"{name.replace('_', ' ')}: {whole['observed']} outcomes in {part['rows']:,} ripe rows, "
                f"{whole['expected']['value']:.0f} expected"
            )
    table = Table(
        "signal",
        "weight",
        "index",
        "missing",
        "in training",
        "new words",
        "outside",
        title="Signals, the most moved first",
    )
    for s in report["signals"][:MOST_SIGNALS]:
        index = "" if s["psi"] is None else f"{s['psi']:.3f}"
        shares = [f"{s[name]:.1%}" for name in ("missing", "missing_then", "new_words", "outside")]
        table.add_row(s["signal"], f"{s['weight']:.1%}", index, *shares)
    out.print(table)
    now = report["estimated_now"]
    out.print(
        f"Estimated of the present {report['rows']['now']:,} rows, before anything came true: AUC {_of(now['auc'])}, "
        f"precision at capacity {_of(now['precision_at_capacity'])}, Brier {_of(now['brier'])}. {' '.join(report['notes'])}"
    )


def _expected_and_observed(report: dict[str, Any], out: Any) -> None:
    table = Table("rows", "band", "how many", "expected (95 %)", "observed", title="Expected and observed outcomes")
    for band in report["ripe"].get("bands", []):
        told = band["expected"]
        table.add_row(
            "ripe", band["band"], f"{band['rows']:,}", f"{told['value']:.0f} ({told['low']:.0f} to {told['high']:.0f})",
            f"{band['observed']}{' beyond chance' if band['beyond_chance'] else ''}",
        )  # fmt: skip
    table.add_section()
    for band in report["pending"].get("bands", []):
        table.add_row(
            "pending", band["band"], f"{band['rows']:,}", f"{band['expected']:.0f}", f"{band['observed_so_far']} so far"
        )
    out.print(table)


def _of(estimate: dict[str, float | None]) -> str:
    if estimate["value"] is None:
        return "unknown"
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"
