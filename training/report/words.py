"""The report in sentences: what a sales director reads first, and what each technical name means."""

from __future__ import annotations

from typing import Any

from features.outcomes.catalog import OUTCOMES
from features.sources.schema import ENTITIES
from models import card
from models.definition import Model
from models.population import OUTSIDE
from training.verdicts import Verdict

Report = dict[str, Any]

LEFT_OUT = {
    "not known yet": "their window is not over, so that nobody knows the outcome",
    **{each.code: each.words for outcome in OUTCOMES.values() for each in outcome.not_eligible},
    OUTSIDE: "eligible, and not of those whom the model is for",
    "without a label": "no outcome in the data",
    "too_little_history": "too new to be judged",
}
"""Keys of the report's `rows` that say who was left out, and why."""

METRICS = {
    "auc": ("ROC AUC", "chance that one with the outcome ranks above one without; 0.5 is a coin, 1 is perfect"),
    "pr_auc": ("PR AUC", "precision averaged over the whole list; a coin has the base rate"),
    "precision_at_capacity": ("precision at capacity", "of those acted upon, the share with the outcome"),
    "lift_at_capacity": ("lift at capacity", "precision at capacity, in multiples of the base rate"),
    "brier": ("Brier score", "mean squared error of the probabilities; lower is better"),
    "log_loss": ("log loss", "surprise at the outcomes; lower is better"),
    "calibration_error": (
        "calibration error",
        "mean distance of promised and observed share, ten groups of equal count",
    ),
    "empa": ("EMPA", "expected maximum profit of acquisition, per lead, in the source's currency"),
    "empb": ("EMPB", "expected maximum profit of B2B churn prevention, per account, in the source's currency"),
    "value_found_top_decile": (
        "value in the top tenth",
        "share of the value of all with the outcome in the best tenth",
    ),
}
"""Metric -> the name that people use, and what it means."""


headline = card.headline
"""The answer in one sentence."""
_percent = card.percent


def badge(report: Report) -> str:
    """The verdict in a word or three."""
    return {
        Verdict.READY: "ready",
        Verdict.READY_IF_NO_OVERLAP: "ready, with a condition",
        Verdict.RULE_IS_ENOUGH: "a rule is enough",
        Verdict.NO_SIGNAL: "no signal",
        Verdict.REFUSED: "refused",
    }[Verdict(report["verdict_code"])]


def standing(report: Report) -> str:
    """Whether it is live."""
    if report.get("promoted"):
        return f"Version {report['version']} is live: all its gates held."
    failed = [gate["name"] for gate in report["gates"] if not gate["passed"]]
    if report.get("version"):
        return f"Version {report['version']} is not live: {', '.join(failed) or report['verdict']}."
    if report["verdict_code"] == Verdict.READY_IF_NO_OVERLAP:
        return (
            "All its gates held, if no two rows overlap: nobody said how long the outcome takes, so that there is no gap between "
            "the rows that it learnt from and those that judge. python -m serving score-table reads its folder."
        )
    if report["verdict_code"] == Verdict.READY:
        return "All its gates held. It is a folder, live nowhere by itself: python -m serving score-table reads it."
    return f"It must not be used: {', '.join(failed)} failed."


def against_a_draw(report: Report) -> tuple[str, str]:
    """Lift at capacity, and what it is a multiple of; noise is not called better."""
    lift = report["metrics"]["lift_at_capacity"]
    acted_upon = f"among the {_percent(report['capacity_share'])} acted upon"
    if lift["low"] <= 1 <= lift["high"]:
        spread = f"{lift['low']:.1f} to {lift['high']:.1f}"
        return f"{lift['value']:.1f}×", f"what a random draw finds {acted_upon}: no better, within noise ({spread})"
    return f"{lift['value']:.1f}×", f"what a random draw finds, {acted_upon}"


def reads(definition: Model, report: Report) -> str:
    """What it reads: how many signals, of which themes."""
    count = report["signals"]
    if definition.themes == ("custom",):  # a flat table, whose columns are nobody's themes
        return f"It reads {count} column{'s' if count != 1 else ''} of the table."
    themes = report.get("themes") or []
    return f"It reads {count} signal{'s' if count != 1 else ''}{': ' if themes else ''}{', '.join(themes)}."


def worth(report: Report) -> str | None:
    """What acting on the list gained in the test period; None when no value is known."""
    value = report.get("value")
    if not value:
        return None
    gain, turned = value["gain_at_capacity"], ""
    if value["accept_rate"] < 1:  # of leads all who are called are reached; who stays after a call is a share of them
        turned = f", of whom {_percent(value['accept_rate'])} are turned in time,"
    return (
        f"Acting on them at a cost of {value['contact_cost']:,.0f} each{turned} would have "
        f"gained about {_round(gain['value'])} ({_round(gain['low'])} to {_round(gain['high'])}) in the test period; the probabilities "
        f"had promised {_round(value['expected_gain_at_capacity'])}. They held {_percent(value['share_found_at_capacity'])} of the value "
        f"of all with the outcome."
    )


def beyond_rule(report: Report) -> str:
    """Against the best rule that reads one signal."""
    rule = report["one_column_rule"]
    d = rule["difference"]
    verb = "beats" if d["low"] > 0 else "is not reliably better than" if d["high"] > 0 else "is worse than"
    return (
        f"It {verb} the best rule with one column ({rule['rule']}; AUC {rule['auc']:.3f}): "
        f"{d['value']:+.3f} AUC ({d['low']:+.3f} to {d['high']:+.3f})."
    )


def cautions(definition: Model, report: Report) -> list[str]:
    """What it must not be used for, and where it is weak."""
    people = ENTITIES[definition.entity]
    found = [
        f"Decisions with legal or similarly significant effects on a person: it ranks {people} for attention, no more.",
        f"Causes: a reason says what goes with the outcome, not what would change it. It predicts who {definition.verb}, not "
        "whom a call would turn.",
        "Those who were left out of the rows below: for them it says nothing, and answers no_score.",
    ]
    if definition.horizon_days:
        found.append(f"Any other horizon than {definition.horizon_days} days from the date of the score.")
    auc = report["metrics"]["auc"]
    weak = [
        s for s in report.get("by_segment") or [] if s.get("auc") and s["auc"]["high"] < auc["value"]
    ]  # worse beyond its own noise
    if weak:
        found.append(
            "It ranks worse than elsewhere in "
            + "; ".join(f"{s['segment']} (AUC {s['auc']['value']:.2f}, {s['rows']:,} rows)" for s in weak[:5])
            + "."
        )
    if not report.get("periods", {}).get("test"):
        found.append("A promise about the future: the data have no time, so that the figures are optimistic.")
    return found


def left_out(report: Report) -> list[tuple[str, int, str]]:
    """Who was left out: name, rows, why."""
    return [(k.replace("_", " "), n, LEFT_OUT[k]) for k, n in report["rows"].items() if k in LEFT_OUT and n]


def _round(amount: float) -> str:
    """Two digits that count, as people say sums.

    >>> _round(129662.8), _round(-85.4), _round(0)
    ('130,000', '-85', '0')
    """
    if not amount:
        return "0"
    import math

    digits = 1 - math.floor(math.log10(abs(amount)))
    return f"{round(amount, digits):,.0f}"
