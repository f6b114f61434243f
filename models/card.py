"""The card of a model's version: what people are shown of it, `runs/MODEL/vN/card.json` in the home.

A small projection of the report that `fit` writes beside it, which stays readable when the report grows. It names no account and no
lead. Training writes it, the API reads it and nothing else of training.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct, to_builtins

from models import card_file
from models.definition import Model

NAME = "card.json"
REPORT = "report.json"
"""What `fit` writes beside it; of a version by 0.2 or earlier it is all that there is."""
AGAIN = "python -m training fit MODEL --source ... makes a new version with one"


class CardMeasure(Struct, frozen=True, kw_only=True):
    """A figure with its 95 % interval. Null: it could not be computed."""

    value: Annotated[float | None, Meta(description="as measured", examples=[0.848])] = None
    low: Annotated[float | None, Meta(description="lower end of the 95 % interval", examples=[0.823])] = None
    high: Annotated[float | None, Meta(description="upper end of the 95 % interval", examples=[0.872])] = None


class CardGate(Struct, frozen=True, kw_only=True):
    """A condition that the version had to meet before it may serve."""

    name: Annotated[str, Meta(description="what is asked", examples=["calibration"])]
    passed: Annotated[bool, Meta(description="whether it held", examples=[True])]
    found: Annotated[
        str, Meta(description="the value that was found", examples=["calibration error 0.015 at a rate of 0.091"])
    ] = ""
    needed: Annotated[
        str, Meta(description="the limit", examples=["at most 0.027, or what a perfect model may show"])
    ] = ""


class CardRule(Struct, frozen=True, kw_only=True):
    """The best rule that reads one column, on the same rows."""

    rule: Annotated[str, Meta(description="in words", examples=["days_to_renewal, lowest first"])]
    auc: Annotated[CardMeasure, Meta(description="ROC AUC of the rule", examples=[{"value": 0.728}])]
    difference: Annotated[
        CardMeasure, Meta(description="AUC of the version minus that of the rule, paired", examples=[{"value": 0.12}])
    ]


class CardRival(Struct, frozen=True, kw_only=True):
    """The champion of then, on the same rows."""

    version: Annotated[int | None, Meta(description="its version", examples=[6])]
    difference: Annotated[
        CardMeasure,
        Meta(description="AUC of this version minus that of the champion, paired", examples=[{"value": 0.01}]),
    ]
    note: Annotated[str, Meta(description="what favours one of the two; mostly empty", examples=[""])] = ""


class CardCalibration(Struct, frozen=True, kw_only=True):
    """One of ten groups of equal count, by probability."""

    predicted: Annotated[float | None, Meta(description="mean probability", examples=[0.05])] = None
    observed: Annotated[float | None, Meta(description="share with the outcome", examples=[0.053])] = None
    low: Annotated[float | None, Meta(description="lower end of its 95 % interval", examples=[0.031])] = None
    high: Annotated[float | None, Meta(description="upper end of its 95 % interval", examples=[0.076])] = None
    n: Annotated[int, Meta(description="rows", examples=[429])] = 0


class CardCapacity(Struct, frozen=True, kw_only=True):
    """What the best part of the list holds."""

    share: Annotated[float, Meta(description="part of the list, 0 to 1", examples=[0.1])]
    rows: Annotated[int, Meta(description="rows in it", examples=[429])] = 0
    precision: Annotated[CardMeasure, Meta(description="share with the outcome", examples=[{"value": 0.42}])] = (
        CardMeasure()
    )
    lift: Annotated[CardMeasure, Meta(description="precision over the base rate", examples=[{"value": 4.6}])] = (
        CardMeasure()
    )
    found: Annotated[
        CardMeasure, Meta(description="share of all outcomes that lie in it", examples=[{"value": 0.46}])
    ] = CardMeasure()


class CardBand(Struct, frozen=True, kw_only=True):
    """How often the outcome came in a band, on rows that the version did not learn from."""

    band: Annotated[str, Meta(description="the band", examples=["high"])]
    rows: Annotated[int, Meta(description="rows in it", examples=[430])]
    with_outcome: Annotated[int, Meta(description="those with the outcome", examples=[180])]
    observed: Annotated[CardMeasure, Meta(description="share with the outcome", examples=[{"value": 0.42}])]
    expected: Annotated[float | None, Meta(description="mean probability", examples=[0.4])] = None


class CardSegment(Struct, frozen=True, kw_only=True):
    """Quality in one segment that is large enough to be judged by itself."""

    segment: Annotated[str, Meta(description="a signal and its word", examples=["region = emea"])]
    rows: Annotated[int, Meta(description="rows in it", examples=[1804])]
    with_outcome: Annotated[int, Meta(description="those with the outcome", examples=[160])] = 0
    base_rate: Annotated[float | None, Meta(description="share with the outcome", examples=[0.087])] = None
    predicted: Annotated[float | None, Meta(description="mean probability", examples=[0.081])] = None
    auc: Annotated[CardMeasure | None, Meta(description="ROC AUC; null with one class", examples=[{"value": 0.85}])] = (
        None
    )
    precision_at_capacity: Annotated[
        float | None, Meta(description="of those acted upon, the share with the outcome", examples=[0.37])
    ] = None
    calibration_error: Annotated[
        float | None, Meta(description="mean distance of promised and observed share", examples=[0.017])
    ] = None
    selected: Annotated[
        float | None, Meta(description="share of its rows among the best of all, at capacity", examples=[0.093])
    ] = None


class CardPeriod(Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """Rows of one part of time: train, calibrate or test."""

    part: Annotated[str, Meta(description="train, calibrate or test", examples=["test"])]
    from_: Annotated[str | None, Meta(description="first date; null without time", examples=["2026-06-04"])] = None
    to: Annotated[str | None, Meta(description="last date; null without time", examples=["2026-07-30"])] = None
    rows: Annotated[int, Meta(description="rows", examples=[4293])] = 0
    with_outcome: Annotated[int, Meta(description="those with the outcome", examples=[389])] = 0


class CardFinding(Struct, frozen=True, kw_only=True):
    """What the audit has against an input."""

    columns: Annotated[list[str], Meta(description="the inputs that it is about", examples=[["closed_reason"]])]
    evidence: Annotated[str, Meta(description="what was seen", examples=["gives the outcome away by being missing"])]
    advice: Annotated[str, Meta(description="the next step", examples=["leave it out"])] = ""
    accepted: Annotated[
        str | None,
        Meta(description="why it is not a leak, as the model's file says; null: open", examples=["set at creation"]),
    ] = None


class CardSignal(Struct, frozen=True, kw_only=True):
    """One of the strongest signals."""

    signal: Annotated[str, Meta(description="its name", examples=["days_to_renewal"])]
    label: Annotated[str, Meta(description="in words", examples=["days to the next renewal"])]
    theme: Annotated[str, Meta(description="its theme", examples=["commercial"])]
    share: Annotated[float | None, Meta(description="its share of the effects of all, 0 to 1", examples=[0.38])] = None


class CardValue(Struct, frozen=True, kw_only=True):
    """What acting at capacity was worth in the test period, in the currency of the source."""

    gain: Annotated[CardMeasure, Meta(description="gained by acting", examples=[{"value": 165396.2}])]
    expected_gain: Annotated[float | None, Meta(description="as the probabilities promised", examples=[127017.2])] = (
        None
    )
    share_found: Annotated[
        float | None, Meta(description="share of the value of all with the outcome", examples=[0.384])
    ] = None
    contact_cost: Annotated[float | None, Meta(description="cost of acting upon one", examples=[100.0])] = None


class CardPopulation(Struct, frozen=True, kw_only=True):
    """The part of the eligible that it is for."""

    filter: Annotated[str, Meta(description="in words", examples=["plan is enterprise"])]
    inside: Annotated[int | None, Meta(description="eligible rows inside", examples=[812])] = None
    eligible: Annotated[int | None, Meta(description="eligible rows in all", examples=[4293])] = None


class ModelCard(Struct, frozen=True, kw_only=True):
    """What people are shown of one version."""

    model: Annotated[str, Meta(description="the model's name", examples=["churn-risk"])]
    title: Annotated[str, Meta(description="its name for people", examples=["Churn risk"])]
    version: Annotated[int | None, Meta(description="number in the registry", examples=[7])]
    entity: Annotated[str, Meta(description="account or lead", examples=["account"])]
    outcome: Annotated[str, Meta(description="the question", examples=["churn"])]
    horizon_days: Annotated[int, Meta(description="days within which the outcome counts", examples=[90])]
    sentence: Annotated[
        str, Meta(description="the verdict in one sentence", examples=["Refused by its gates (drift). Of the 10 % ..."])
    ]
    verdict: Annotated[str, Meta(description="the verdict in a few words", examples=["ready"])]
    verdict_code: Annotated[
        str, Meta(description="ready, rule_is_enough, no_signal or refused; for programs", examples=["ready"])
    ]
    ready: Annotated[bool, Meta(description="whether every gate held", examples=[True])]
    why: Annotated[
        list[str], Meta(description="why it was refused, a sentence each", examples=[["drift: the odds are 2.1 times"]])
    ]
    gates: Annotated[list[CardGate], Meta(description="the gates with limit and value", examples=[[]])]
    made_at: Annotated[
        str | None, Meta(description="when it was fitted, UTC; null: not kept", examples=["2026-11-23T06:00:00Z"])
    ] = None
    scorer: Annotated[str | None, Meta(description="checksum of the scorer", examples=["sha256:9c1f..."])] = None
    source: Annotated[str | None, Meta(description="where it learnt", examples=["sample"])] = None
    trained_from: Annotated[
        str | None, Meta(description="first date that it learnt from; null without time", examples=["2025-03-13"])
    ] = None
    trained_to: Annotated[
        str | None, Meta(description="last date that it learnt from; null without time", examples=["2026-02-12"])
    ] = None
    periods: Annotated[list[CardPeriod], Meta(description="rows by part", examples=[[]])] = []
    population: Annotated[
        CardPopulation | None,
        Meta(description="null: everybody eligible", examples=[{"filter": "plan is enterprise"}]),
    ] = None
    themes: Annotated[list[str], Meta(description="themes of its signals", examples=[["usage", "billing"]])] = []
    signals: Annotated[int | None, Meta(description="how many it reads", examples=[119])] = None
    excluded: Annotated[list[str], Meta(description="signals left out on purpose", examples=[["plan"]])] = []
    base_rate: Annotated[
        float | None, Meta(description="share with the outcome in the rows that judge", examples=[0.0906])
    ] = None
    capacity_share: Annotated[
        float | None, Meta(description="share that people can act upon, 0 to 1", examples=[0.1])
    ] = None
    metrics: Annotated[
        dict[str, CardMeasure],
        Meta(
            description="auc, pr_auc, precision_at_capacity, lift_at_capacity, brier, log_loss, calibration_error, and what acting is worth",
            examples=[{"auc": {"value": 0.848, "low": 0.823, "high": 0.872}}],
        ),
    ] = {}
    rule: Annotated[
        CardRule | None,
        Meta(description="the best one-column rule", examples=[{"rule": "age", "auc": {}, "difference": {}}]),
    ] = None
    champion: Annotated[
        CardRival | None,
        Meta(description="the champion that it was compared with", examples=[{"version": 6, "difference": {}}]),
    ] = None
    calibration: Annotated[list[CardCalibration], Meta(description="the calibration curve", examples=[[]])] = []
    by_capacity: Annotated[list[CardCapacity], Meta(description="what the list finds", examples=[[]])] = []
    by_band: Annotated[
        list[CardBand],
        Meta(description="observed by band, the highest first; empty before version 0.3", examples=[[]]),
    ] = []
    by_segment: Annotated[list[CardSegment], Meta(description="large segments, the largest first", examples=[[]])] = []
    value: Annotated[
        CardValue | None,
        Meta(description="what acting was worth; null: not known", examples=[{"gain": {"value": 1.0}}]),
    ] = None
    top_signals: Annotated[list[CardSignal], Meta(description="the strongest signals", examples=[[]])] = []
    audit: Annotated[
        list[CardFinding], Meta(description="findings of high severity, open and accepted", examples=[[]])
    ] = []
    notes: Annotated[
        list[str], Meta(description="what a reader of the figures should know", examples=[["Judged on later dates."]])
    ] = []


def place(home: Path, model: str, version: int) -> Path:
    """The folder of a version's report and card."""
    return home / "runs" / model / f"v{version}"


def read_card(home: Path, definition: Model, version: int) -> ModelCard | None:
    """The card of a version; where it has none it is made of the report. None when there is neither. Raises `Unreadable`."""
    folder = place(home, definition.name, version)
    card = card_file.read(folder / NAME, ModelCard, AGAIN)
    if card is not None:
        return card
    report = card_file.read_plain(folder / REPORT, AGAIN)
    return None if report is None else _of_report(report, definition, folder / REPORT)


def card_of(report: Mapping[str, Any], definition: Model, made_at: str | None = None) -> dict[str, Any]:
    """The projection of a report of `fit`, as plain values. What the report lacks is left out.

    >>> from models.catalog import get_model
    >>> card = card_of({"verdict": "ready", "verdict_code": "ready", "ready": True}, get_model("churn-risk"))
    >>> card["sentence"], card["horizon_days"]
    ('Ready.', 90)
    """
    get = report.get
    periods = get("periods") or {}
    learnt = [periods[part] for part in ("train", "calibrate") if part in periods] or [{}]
    population = get("population")
    return {
        "model": definition.name,
        "title": definition.title,
        "version": get("version"),
        "entity": definition.entity,
        "outcome": definition.outcome.name,
        "horizon_days": definition.horizon_days,
        "sentence": sentence(definition, report),
        "verdict": get("verdict", ""),
        "verdict_code": get("verdict_code", ""),
        "ready": get("ready", False),
        "why": get("why") or [],
        "gates": get("gates") or [],
        "made_at": made_at,
        "scorer": get("scorer"),
        "source": get("source"),
        "trained_from": learnt[0].get("from"),
        "trained_to": learnt[-1].get("to"),
        "periods": [{"part": part, **described} for part, described in periods.items()],
        "population": population and {**population, "filter": population.get("is")},
        "themes": get("themes") or [],
        "signals": get("signals"),
        "excluded": get("excluded") or [],
        "base_rate": get("base_rate"),
        "capacity_share": get("capacity_share"),
        "metrics": get("metrics") or {},
        "rule": _rule(get("one_column_rule")),
        "champion": get("champion"),
        "calibration": get("calibration_curve") or [],
        "by_capacity": get("by_capacity") or [],
        "by_band": get("by_band") or [],
        "by_segment": get("by_segment") or [],
        "value": _value(get("value")),
        "top_signals": get("top_signals") or [],
        "audit": _audit(report),
        "notes": get("notes") or [],
    }


def encoded(report: Mapping[str, Any], definition: Model, made_at: str | None = None) -> bytes:
    """The bytes of `card.json`: the fields of `ModelCard` and no others."""
    plain = json.loads(card_file.encoded(card_of(report, definition, made_at)))  # without NaN
    card = card_file.converted(plain, ModelCard, Path(definition.name) / NAME, AGAIN)
    return card_file.encoded(to_builtins(card))


def _of_report(report: Mapping[str, Any], definition: Model, path: Path) -> ModelCard:
    try:
        plain = card_of(report, definition)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise card_file.Unreadable(f"{card_file.shown(path)} is not as any version wrote it: {AGAIN}") from None
    return card_file.converted(plain, ModelCard, path, AGAIN)


def _rule(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not found:
        return None
    auc = {"value": found.get("auc"), "low": found.get("auc_low"), "high": found.get("auc_high")}
    return {"rule": found.get("rule") or found.get("signal"), "auc": auc, "difference": found.get("difference") or {}}


def _value(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not found or not found.get("gain_at_capacity"):
        return None
    return {
        "gain": found["gain_at_capacity"],
        "expected_gain": found.get("expected_gain_at_capacity"),
        "share_found": found.get("share_found_at_capacity"),
        "contact_cost": found.get("contact_cost"),
    }


def _audit(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Reports before 0.3 keep sentences, and do not tell open from accepted: all are accepted where the gate held."""
    kept: list[dict[str, Any]] | None = report.get("audit_findings")
    if kept is not None:
        return kept
    held = {gate.get("name"): gate.get("passed") for gate in report.get("gates") or []}.get("audit")
    said = [*(report.get("audit") or []), *(report.get("audit_advice") or [])]
    accepted = "accepted in the model's file" if held else None
    return [{"columns": [], "evidence": text, "accepted": accepted} for text in said]


def sentence(definition: Model, report: Mapping[str, Any]) -> str:
    """The verdict in one sentence: whether it is for use, and how good it is."""
    code, ready = report.get("verdict_code"), report.get("ready")
    told = headline(definition, report)
    if code in ("no_signal", "rule_is_enough"):
        return told
    failed = [str(gate["name"]) for gate in report.get("gates") or [] if not gate["passed"]]
    verdict = str(report.get("verdict") or "never judged")
    state = f"{verdict[:1].upper()}{verdict[1:]}" + (f" ({', '.join(failed)})" if failed and not ready else "")
    return f"{state}. {told}".strip()


def headline(definition: Model, report: Mapping[str, Any]) -> str:
    """How good it is in one sentence; empty where the report lacks the figures."""
    code = report.get("verdict_code")
    if code == "no_signal":
        return (
            f"No signal found: these data do not tell who {definition.verb}. "
            f"Ranked by this model, the list is not reliably better than a draw."
        )
    if code == "rule_is_enough":
        return f"A single rule is enough: {report['one_column_rule']['rule']}. The model does not beat it beyond noise."
    measured = report.get("metrics") or {}
    precision, lift = (measured.get(f"{name}_at_capacity", {}).get("value") for name in ("precision", "lift"))
    share, base = report.get("capacity_share"), report.get("base_rate")
    if precision is None or lift is None or share is None or base is None:
        return ""
    within = f" within {definition.horizon_days} days" if definition.horizon_days else ""
    return (
        f"Of the {percent(share)} of {definition.crowd} that it puts first, {percent(precision)} {definition.verb}{within}: "
        f"{lift:.1f} times as many as in a random draw ({percent(base)})."
    )


def percent(share: float) -> str:
    """A share as people read it.

    >>> percent(0.0906), percent(0.42)
    ('9.1 %', '42 %')
    """
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.1f} %"
