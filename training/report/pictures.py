"""The pictures of a report, each a function of its JSON values; drawn without any global state of matplotlib."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

INK, MUTED, ACCENT, WARM, PALE = "#1f2933", "#8a97a6", "#0b6e99", "#c2410c", "#dbe7ee"
MOST_SEGMENTS = 14
MOST_CHARACTERS = 40
FEWEST_BARS = 6
"""Room for this many: two bars are no fatter than eight."""
Report = dict[str, Any]


def draw(report: Report) -> dict[str, bytes]:
    """PNG by name; a picture whose values are not in the report is left out."""
    found = {name: picture(report) for name, picture in PICTURES.items()}
    return {name: data for name, data in found.items() if data is not None}


def lift(report: Report) -> bytes | None:
    """How much of the outcome the best part of the list holds."""
    points = report.get("by_capacity") or []
    if not points:
        return None
    figure, axes = _figure(1)
    share = [0.0, *(p["share"] for p in points)]
    for name, end in (("low", "high"),):
        axes[0].fill_between(
            share, [0, *(p["found"][name] for p in points)], [0, *(p["found"][end] for p in points)], color=PALE
        )
    axes[0].plot(share, [0, *(p["found"]["value"] for p in points)], color=ACCENT, lw=2.2, label="this model")
    axes[0].plot([0, 1], [0, 1], color=MUTED, ls="--", lw=1.2, label="picked at random")
    _capacity_line(axes[0], report)
    axes[0].set(
        xlabel="share of the list acted upon",
        ylabel=f"share of all who {_outcome(report)}",
        xlim=(0, 1),
        ylim=(0, 1.01),
    )
    _percent(axes[0], x=True, y=True)
    _legend(axes[0], 3)
    return _png(figure)


def precision(report: Report) -> bytes | None:
    """Of those acted upon, how many have the outcome: as it came, and as promised."""
    points = report.get("by_capacity") or []
    if not points:
        return None
    figure, axes = _figure(1)
    share = [p["share"] for p in points]
    axes[0].fill_between(
        share, [p["precision"]["low"] for p in points], [p["precision"]["high"] for p in points], color=PALE
    )
    axes[0].plot(
        share, [p["precision"]["value"] for p in points], color=ACCENT, lw=2.2, marker="o", ms=3.5, label="as it came"
    )
    axes[0].plot(
        share, [p["expected"] for p in points], color=WARM, lw=1.4, ls=":", label="as the probabilities promised"
    )
    axes[0].axhline(report["base_rate"], color=MUTED, ls="--", lw=1.2, label="picked at random")
    _capacity_line(axes[0], report)
    axes[0].set(xlabel="share of the list acted upon", ylabel=f"of these, {_outcome(report)}", xlim=(0, 1))
    axes[0].set_ylim(bottom=0)
    _percent(axes[0], x=True, y=True)
    _legend(axes[0], 2)
    return _png(figure)


def calibration(report: Report) -> bytes | None:
    """Promised against observed, in ten groups of equal count."""
    points = report.get("calibration_curve") or []
    if not points:
        return None
    figure, axes = _figure(1)
    x, y = [p["predicted"] for p in points], [p["observed"] for p in points]
    below = [max(0.0, p["observed"] - p["low"]) for p in points]
    above = [max(0.0, p["high"] - p["observed"]) for p in points]
    top = max([*x, *(p["high"] for p in points)]) * 1.06 or 1.0
    axes[0].plot([0, top], [0, top], color=MUTED, ls="--", lw=1.2, label="a perfect promise")
    axes[0].errorbar(
        x, y, yerr=[below, above], color=ACCENT, fmt="o", ms=5, lw=1.3, capsize=2.5, label="a tenth of the list each"
    )
    axes[0].set(xlabel="probability promised", ylabel="share observed", xlim=(0, top), ylim=(0, top))
    _percent(axes[0], x=True, y=True)
    _legend(axes[0], 2)
    return _png(figure)


def distribution(report: Report) -> bytes | None:
    """How many got which probability, and what became of them."""
    bins = report.get("distribution") or []
    if not bins:
        return None
    figure, axes = _figure(1)
    left, width = [b["from"] for b in bins], bins[0]["to"] - bins[0]["from"]
    for kind, color, label in (("without", ACCENT, "the others"), ("with", WARM, _outcome(report))):
        total = sum(b[kind] for b in bins)
        shares = [b[kind] / max(total, 1) for b in bins]
        axes[0].bar(
            left, shares, width, align="edge", color=color, alpha=0.55, edgecolor="white", label=f"{label} ({total:,})"
        )
    axes[0].set(xlabel="probability", ylabel="share of each group")
    _percent(axes[0], x=True, y=True)
    _legend(axes[0], 2)
    return _png(figure)


def stability(report: Report) -> bytes | None:
    """Ranking and level, period by period of the test time."""
    periods = [p for p in report.get("by_period") or [] if p.get("auc")]
    if not periods:
        return None
    figure, axes = _figure(2, height=2.9)
    at = list(range(len(periods)))
    value = [p["auc"]["value"] for p in periods]
    errors = [
        [v - p["auc"]["low"] for v, p in zip(value, periods, strict=True)],
        [p["auc"]["high"] - v for v, p in zip(value, periods, strict=True)],
    ]
    axes[0].errorbar(at, value, yerr=errors, color=ACCENT, fmt="o-", lw=1.6, ms=5, capsize=2.5)
    axes[0].axhline(0.5, color=MUTED, ls="--", lw=1.2)
    axes[0].set_ylim(min(0.4, *(p["auc"]["low"] for p in periods)), 1.0)
    _title(axes[0], "ranking (ROC AUC; 0.5 is chance)")
    axes[1].plot(at, [p["base_rate"] for p in periods], "o-", color=WARM, lw=1.6, ms=5, label=_outcome(report))
    axes[1].plot(at, [p["predicted"] for p in periods], "o:", color=ACCENT, lw=1.6, ms=5, label="promised on average")
    _title(axes[1], "how many, as it came and as promised", above_legend=True)
    axes[1].set_ylim(0, 1.2 * max(max(p["base_rate"], p["predicted"]) for p in periods) or 1.0)
    _percent(axes[1], x=False, y=True)
    _legend(axes[1], 2)
    for ax in axes:
        step = max(1, len(at) // 6)
        ax.set_xticks(at[::step], [str(p["period"]) for p in periods][::step], rotation=20, ha="right")
        ax.set_xlim(-0.5, len(at) - 0.5)
    return _png(figure)


def segments(report: Report) -> bytes | None:
    """Ranking in each large segment, and the error of its level."""
    found = [s for s in report.get("by_segment") or [] if s.get("auc")][:MOST_SEGMENTS]
    if not found:
        return None
    figure, axes = _figure(2, height=1.4 + 0.3 * len(found), sharey=True)
    at = list(range(len(found)))[::-1]
    value = [s["auc"]["value"] for s in found]
    errors = [
        [v - s["auc"]["low"] for v, s in zip(value, found, strict=True)],
        [s["auc"]["high"] - v for v, s in zip(value, found, strict=True)],
    ]
    axes[0].errorbar(value, at, xerr=errors, color=ACCENT, fmt="o", ms=5, lw=1.4, capsize=2.5)
    axes[0].axvline(report["metrics"]["auc"]["value"], color=MUTED, ls="--", lw=1.2)
    _title(axes[0], "ranking (ROC AUC; dashed: all)")
    axes[0].set_yticks(at, [_short(f"{s['segment']} ({s['rows']:,})") for s in found])
    axes[1].plot([s["base_rate"] for s in found], at, "o", color=WARM, ms=6, label=_outcome(report))
    axes[1].plot([s["predicted"] for s in found], at, "|", color=ACCENT, ms=13, mew=2.2, label="promised")
    _title(axes[1], "how many, as it came and as promised", above_legend=True)
    axes[1].set_xlim(0, 1.15 * max(max(s["base_rate"], s["predicted"]) for s in found) or 1.0)
    _percent(axes[1], x=True, y=False)
    _legend(axes[1], 2)
    return _png(figure)


def signals(report: Report) -> bytes | None:
    """The shape of the strongest signals: what each value adds to the log-odds."""
    found = report.get("top_signals") or []
    if not found:
        return None
    rows = (len(found) + 1) // 2
    figure = Figure(figsize=(8.2, 2.15 * rows), layout="constrained")
    reach = max(abs(end) for s in found for p in s["points"] for end in (p["low"], p["high"])) * 1.08 or 1.0
    for place, signal in enumerate(found):
        axes = figure.add_subplot(rows, 2, place + 1)
        _plain(axes)
        _shape(axes, signal)
        axes.axvline(0, color=MUTED, lw=1)
        axes.set_xlim(-reach, reach)
        _title(axes, _short(signal["label"]))
        axes.tick_params(labelsize=7.5)
        if place >= len(found) - 2:
            axes.set_xlabel("lowers the score          raises the score", fontsize=8, color=MUTED)
    return _png(figure)


def _shape(axes: Axes, signal: dict[str, Any]) -> None:
    points = signal["points"]
    at = list(range(len(points)))[::-1]
    colors = [WARM if p["effect"] > 0 else ACCENT for p in points]
    axes.barh(at, [p["effect"] for p in points], color=colors, height=0.62, alpha=0.85)
    axes.hlines(at, [p["low"] for p in points], [p["high"] for p in points], color=INK, lw=0.8)
    axes.set_yticks(at, [_value(p, signal["unit"]) for p in points])
    axes.set_ylim(len(points) - 0.5 - max(len(points), FEWEST_BARS), len(points) - 0.5)


def _value(point: dict[str, Any], unit: str) -> str:
    from models.scorer.reason_texts import amount

    if point.get("missing"):
        return "not known"
    if "word" in point:
        return _short(str(point["word"]), 18)
    low, high = amount(point["from"], unit), amount(point["to"], unit)
    return low if low == high else f"{low} to {high}"


PICTURES: dict[str, Callable[[Report], bytes | None]] = {
    "lift": lift,
    "precision": precision,
    "calibration": calibration,
    "distribution": distribution,
    "stability": stability,
    "segments": segments,
    "signals": signals,
}


def _figure(columns: int, height: float = 3.3, sharey: bool = False) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(5.4 if columns == 1 else 8.2, height), layout="constrained")
    axes = figure.subplots(1, columns, sharey=sharey, squeeze=False)[0]
    for ax in axes:
        _plain(ax)
    return figure, list(axes)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(colors=INK, labelsize=8.5)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)


def _title(axes: Axes, text: str, above_legend: bool = False) -> None:
    axes.set_title(text, fontsize=9, loc="left", color=INK, pad=20 if above_legend else 6)


def _legend(axes: Axes, columns: int) -> None:
    """Draw the legend above the axes: inside it would cover bars or points."""
    axes.legend(
        frameon=False,
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=columns,
        fontsize=8,
        borderaxespad=0.1,
        handlelength=1.8,
        columnspacing=1.4,
    )


def _percent(axes: Axes, *, x: bool, y: bool) -> None:
    for wanted, axis in ((x, axes.xaxis), (y, axes.yaxis)):
        if wanted:
            axis.set_major_locator(MaxNLocator(6))
            axis.set_major_formatter(FuncFormatter(lambda share, _place: f"{100 * share:.4g} %"))


def _capacity_line(axes: Axes, report: Report) -> None:
    axes.axvline(report["capacity_share"], color=INK, lw=1, ls=(0, (1, 2)), label="capacity")


def _outcome(report: Report) -> str:
    """What happened, in the past tense. Raises `TypeError` for anything but a text: an object would be drawn as its code."""
    verb = report.get("outcome") or "had the outcome"
    if not isinstance(verb, str):
        raise TypeError(f"the outcome of a picture is {verb!r}; a text is needed, such as the verb of the model")
    return _short(verb, 30)


def _short(text: str, most: int = MOST_CHARACTERS) -> str:
    """Cut to a length that fits, and without the dollar that starts matplotlib's formulas."""
    text = text.replace("$", "\\$")
    return text if len(text) <= most else text[: most - 1] + "…"


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.set_dpi(144)
    # Figure.savefig lays it out twice. No date and no version in the file: the same report gives the same bytes.
    FigureCanvasAgg(figure).print_png(out, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return out.getvalue()
