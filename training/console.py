"""Prints reports for people on stderr, the verdict and the path of the report last. stdout is for `--json`."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.report.words import METRICS

Report = dict[str, Any]
PIPE_COLUMNS = 80
"""Width of a table where there is no terminal to fill."""
FORMATS = ((100.0, "{:,.0f}"), (10.0, "{:.1f}"), (0.0, "{:.3f}"))
"""Least size of a figure -> how it is written; large ones are money."""


def console() -> Console:
    """stderr, at the width of the terminal."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else PIPE_COLUMNS, highlight=False)


def say(out: Console, text: str, style: str = "") -> None:
    """A sentence: whole on one line in a pipe, where it is searched for, and wrapped on a terminal."""
    out.print(Text(text, style=style), soft_wrap=not out.is_terminal)


def table(*columns: str, title: str = "", right: Iterable[str] = ()) -> Table:
    """A table that fits into 80 columns; columns of figures in `right` end at one line and are never broken."""
    made = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False, padding=(0, 1))
    for name in columns:
        if name in right:
            made.add_column(name, justify="right", no_wrap=True)
        else:
            made.add_column(name, overflow="fold")
    return made


def add(to: Table, *cells: str | Text) -> None:
    """A row whose texts are shown as they are: what comes from data is no markup."""
    to.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in cells))


def figure(number: float | None) -> str:
    """A figure with the digits that count.

    >>> figure(0.70712), figure(-1234.5), figure(None), figure(float("nan"))
    ('0.707', '-1,234', '-', '-')
    """
    if number is None or math.isnan(number):
        return "-"
    return next(form for least, form in FORMATS if abs(number) >= least).format(number)


def spread(estimate: Mapping[str, float] | None) -> str:
    """The 95 % interval of an estimate, as `0.680 to 0.744`."""
    return "-" if estimate is None else f"{figure(estimate.get('low'))} to {figure(estimate.get('high'))}"


def whole(estimate: Mapping[str, float] | None) -> str:
    """An estimate with its interval, as `0.707 (0.680 to 0.744)`."""
    return "-" if estimate is None else f"{figure(estimate['value'])} ({spread(estimate)})"


# fit, tune, fit-table


def learnt(report: Report) -> None:
    """Figures with intervals, gates, notes, and last the verdict in one sentence with the path of the report."""
    out = console()
    beside = report.get("beside", {}).get("rule", {})
    rule = report["one_column_rule"]["rule"]
    figures = table("figure", "value", "95 % interval", "best rule", right=("value", "95 % interval", "best rule"))
    for name, estimate in report["metrics"].items():
        known = METRICS.get(name, (name.replace("_", " "), ""))[0]
        add(figures, known, figure(estimate["value"]), spread(estimate), figure(beside.get(name, {}).get("value")))
    out.print(figures)
    say(out, f"Chosen: {report['chosen']}; judged on {report['rows']['judged by']:,} rows.")
    say(out, f"Best rule with one column: {rule}.")
    gates = table("gate", "", "found")
    for gate in report["gates"]:
        mark = Text("passed", "green") if gate["passed"] else Text("failed", "bold red")
        add(
            gates,
            gate["name"],
            mark,
            gate["found"] if gate["passed"] else f"{gate['found']} (needed: {gate['needed']})",
        )
    out.print(gates)
    read = report.get("read")
    if read:
        say(out, f"The file was {read['file']}.")
        for name, said in read["columns"].items():
            say(out, f"Column {name}: {said}.")
    for note in report["notes"]:
        say(out, f"Note: {note}")
    say(out, f"{report['model']}: {sentence(report)}", "bold")
    say(out, f"Report: {report['page']}")


def learnt_in_brief(report: Report) -> None:
    """What a person asks first: the verdict, how good it is beside the simplest rule, where the rest stands."""
    out = console()
    auc, precision = report["metrics"]["auc"], report["metrics"]["precision_at_capacity"]
    beside = report.get("beside", {}).get("rule", {})
    say(out, f"{report['model']}: {sentence(report)}", "bold")
    say(
        out,
        f"ROC AUC {figure(auc['value'])} ({spread(auc)}), best rule with one column "
        f"{figure(beside.get('auc', {}).get('value'))}; of 100 on its list, {100 * precision['value']:.0f} had the "
        f"outcome; of 100 picked at random, {100 * report['base_rate']:.0f}.",
    )
    say(out, f"Report: {report['page']}")


def sentence(report: Report) -> str:
    """The verdict, and what follows from it."""
    verdict = report["verdict"]
    if report["version"] is None:
        return f"{verdict}; the scorer in {report['files']} {'is for use' if report['ready'] else 'is not for use'}."
    if report["promoted"]:
        return f"{verdict}; version {report['version']} is champion."
    if not report["why"]:
        return f"{verdict}; version {report['version']} is not put live."
    failed = [gate["name"] for gate in report["gates"] if not gate["passed"]]
    why = f"failed: {', '.join(failed)}" if failed else "; ".join(report["why"])
    return f"{verdict}; version {report['version']} is not put live ({why})."


# compare


def comparison(report: Report) -> None:
    """Two versions side by side, with the paired differences."""
    one, other = report["version"], report["against"]
    names = (f"version {one['version']}", f"version {other['version']}")
    made = table(
        "measure",
        *names,
        "difference (95 %)",
        "verdict",
        right=(*names, "difference (95 %)"),
        title=f"{report['model']} on {report['rows']:,} rows that neither learnt from",
    )
    for name, found in report["differences"].items():
        mine, theirs = (report["metrics"][side][name]["value"] for side in ("version", "against"))
        known = METRICS.get(name, (name.replace("_", " "), ""))[0]
        difference = f"{found['value']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"
        add(made, known, f"{mine:.3f}", f"{theirs:.3f}", difference, found["verdict"])
    out = console()
    out.print(made)
    for side in (one, other):
        say(out, f"version {side['version']} ({', '.join(side['aliases']) or 'no alias'}): gates {side['gates']}")
    say(
        out,
        f"{report['same_list']:.0%} of the list at capacity is the same, rank correlation {report['rank_correlation']:.3f}, "
        f"{report['band_moved']:.0%} change their band.",
    )
    for note in report["notes"]:
        say(out, f"Note: {note}")
    ranked = report["differences"]["auc"]
    said = {"level": "as good as"}.get(ranked["verdict"], str(ranked["verdict"]).replace("noise", "noise than"))
    say(
        out,
        f"{report['model']}: by ROC AUC version {one['version']} is {said} version {other['version']}: "
        f"{ranked['value']:+.3f} ({ranked['low']:+.3f} to {ranked['high']:+.3f}).",
        "bold",
    )
    say(out, f"Report: {report['file']}")


# backtest


def replayed(report: Report) -> None:
    """One line per moment, and all together."""
    right = ("observed", "listed", "caught", "by rule", "of all", "precision", "value caught")
    made = table(
        "as of",
        *right,
        right=right,
        title=f"{report['model']}: what the list would have caught within {report['horizon_days']} days",
    )
    for m in report["moments"]:
        add(
            made,
            m["as_of"],
            f"{m['observed']:,}",
            f"{m['listed']:.0f}",
            f"{m['caught']:.0f} of {m['with_outcome']}",
            f"{m['caught_by_rule']:.0f}",
            _percent(m["share_caught"]),
            _percent(m["precision"]),
            _share_of(m),
        )
    total = report["total"]
    made.add_section()
    share, precision = total.get("share_caught"), total.get("precision")
    add(
        made,
        "all",
        f"{total['observed']:,}",
        f"{total['listed']:.0f}",
        f"{total['caught']:.0f} of {total['with_outcome']}",
        f"{total['caught_by_rule']:.0f}",
        _percent(share and share["value"]),
        _percent(precision and precision["value"]),
        _share_of(total),
    )
    out = console()
    out.print(made)
    for note in report["notes"]:
        say(out, f"Note: {note}")
    over = total["over_rule"]
    say(
        out,
        f"{report['model']}: the lists would have caught {total['caught']:.0f} of {total['with_outcome']} "
        f"({_interval(share)}), {total['caught_by_chance']:.0f} by chance, {total['caught_by_rule']:.0f} by the best one-column rule "
        f"(over it {over['value']:+.0%}, {over['low']:+.0%} to {over['high']:+.0%}); {_interval(precision)} of the listed had the outcome.",
        "bold",
    )
    say(out, f"Report: {report['file']}")


def _share_of(part: Mapping[str, Any]) -> str:
    """The value that was caught, as a share of all that there was to catch."""
    money = part["value_with_outcome"]
    return f"{part['value_caught'] / money:.0%} of {money:,.0f}" if money else "-"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _interval(estimate: Mapping[str, float] | None) -> str:
    if estimate is None:
        return "-"
    return f"{estimate['value']:.0%}, {estimate['low']:.0%} to {estimate['high']:.0%}"
