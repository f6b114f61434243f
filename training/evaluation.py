"""Judges a learnt model: measures with intervals, comparisons with champion, rule and base rate, and gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.audit.finding import AuditedTable, Finding
from features.audit.leaks import presence, strong_columns
from features.audit.source import known_by_the_clock
from features.audit.table import findings_about, findings_of
from models.definition import Model
from training import gates, metrics, profit, rules
from training.calibrate import fit_level, sigmoid
from training.dataset import Rows
from training.learn import DRIFT_LEVEL_SD, Learnt, probabilities
from training.report import curves
from training.verdicts import Verdict, verdict_of, words_of

MOST_ROWS_TO_AUDIT = 20_000
RULES = (strong_columns, presence)
FLAT = "table"
"""Name of the model of a flat table (`training.fit_table`)."""
WORST = 5


@dataclass(frozen=True)
class Judgement:
    """The figures as JSON-ready values, and the gates."""

    figures: dict[str, object]
    gates: tuple[gates.Gate, ...]
    verdict: Verdict
    words: str
    """The verdict for people; where a rule is enough it names the rule."""

    @property
    def passed(self) -> bool:
        """Whether every gate held."""
        return self.verdict is Verdict.READY


@dataclass(frozen=True)
class Rival:
    """The present champion on the judged rows, or why it cannot be compared with."""

    log_odds: np.ndarray | None
    version: int | None = None
    note: str = ""


NO_RIVAL = Rival(None)


def judge(
    definition: Model,
    everything: Rows,
    learnt: Learnt,
    rival: Rival = NO_RIVAL,
    capacity_share: float | None = None,
    seed: int = 0,
    grave: Sequence[Finding] = (),
) -> Judgement:
    """Judge a learnt model on the rows that it did not see, beside the champion, the best one-column rule and the base rate.

    `everything` has the rows of `learnt` with all signals, also those left out. `grave` are findings of high severity about
    the source.
    """
    capacity = definition.capacity_share if capacity_share is None else capacity_share
    seen = learnt.judged
    y, p, group, value = everything.y[seen], probabilities(learnt), everything.group[seen], everything.value[seen]

    def measured(q: np.ndarray) -> dict[str, metrics.Estimate]:
        return metrics.judge(y, q, group, capacity, seed) | profit.measures(definition, y, q, group, value, seed)

    judged = measured(p)
    rule, ranking, rates = _rule(everything, learnt)
    over_rule = metrics.auc_difference(y, p, ranking, group, seed)
    rule_auc = metrics.auc_estimate(y, ranking, group, seed)
    theirs = None if rival.log_odds is None else sigmoid(rival.log_odds)
    over_champion = None if theirs is None else metrics.auc_difference(y, p, theirs, group, seed)
    shift = fit_level(learnt.judged_log_odds, y, DRIFT_LEVEL_SD) if learnt.split.in_time else 0.0
    fitted = everything.y[learnt.split.before_test]
    told = rule.words([signal.name for signal in everything.signals])
    # Of a flat table nothing is known but the names of its columns: they count, as in the audit of the table.
    label = definition.title if definition.name == FLAT else None
    found = [*grave, *findings(everything.take(learnt.split.before_test), seed, label)]
    masks = segments(everything, definition.segments, seen)
    selection = gates.selection_rates(masks, p, group, capacity, definition.gates.min_segment_rows, seed)
    band = gates.perfect_band(p, group, seed)
    checked = gates.check(
        definition.gates,
        gates.Judged(
            y=y,
            p=p,
            group=group,
            metrics=judged,
            fitted_positives=int(fitted.sum()),
            fitted_negatives=int(len(fitted) - fitted.sum()),
            held_back_auc=_held_back_auc(everything, learnt, seed),
            rule=told,
            rule_auc=rule_auc.value,
            over_rule=over_rule,
            over_champion=over_champion,
            no_champion=rival.note or "no champion to compare with",
            level_shift=shift,
            segments=masks,
            findings=tuple(found),
            selection=selection,
        ),
    )
    base = float(everything.y[learnt.rule_fitted].mean())
    beside = {"rule": measured(rates), "base_rate": measured(np.full(len(y), base))}
    if theirs is not None:
        beside["champion"] = measured(theirs)
    figures: dict[str, object] = {
        "metrics": as_dicts(judged),
        "beside": {name: as_dicts(theirs) for name, theirs in beside.items()},
        "base_rate": round(float(y.mean()), 6),
        "capacity_share": capacity,
        "perfect_calibration_band": round(band, 6),
        "level_shift": round(shift, 4),
        "one_column_rule": {
            "signal": everything.signals[rule.place].name,
            "rule": told,
            "turned_round": rule.turned,
            "auc": round(rule_auc.value, 6),
            "auc_low": round(rule_auc.low, 6),
            "auc_high": round(rule_auc.high, 6),
            "difference": over_rule.as_dict(),
        },
        "champion": None
        if over_champion is None
        else {"version": rival.version, "difference": over_champion.as_dict(), "note": rival.note},
        "random": {"auc": 0.5, "lift_at_capacity": 1.0},
        "calibration_curve": curves.calibration(y, p, group, seed),
        "by_capacity": curves.by_capacity(y, p, group, seed),
        "distribution": curves.distribution(y, p),
        "by_period": curves.by_period(
            y, p, group, None if everything.time is None else everything.time[seen], capacity, seed
        ),
        "by_segment": curves.by_segment(y, p, group, masks, capacity, definition.gates.min_segment_rows, seed),
        "selection": selection,
        "audit_findings": [
            {
                "columns": list(f.columns),
                "evidence": f.evidence,
                "advice": f.advice,
                "accepted": gates.accepted_reason(definition.gates, f),
            }
            for f in found
        ],
        "audit": [f"{', '.join(f.columns)}: {f.evidence}" for f in found if f.is_proof],
        "audit_advice": [f"{', '.join(f.columns)}: {f.evidence}; {f.advice}" for f in found if not f.is_proof],
        "value": profit.at_capacity(definition, y, p, group, value, capacity, seed),
    }
    doubt = _doubted_rule(found, everything.signals[rule.place].name, definition.gates.accepted_findings)
    verdict = verdict_of([gate.name for gate in checked if not gate.passed], rule_auc.low > 0.5, doubt)
    return Judgement(figures, tuple(checked), verdict, words_of(verdict, told, doubt))


def _doubted_rule(found: Sequence[Finding], column: str, accepted: Mapping[str, str]) -> str | None:
    """The rule's column when all that the audit has against these rows is that this column is very good alone."""
    still_open = [f for f in found if not all(accepted.get(c) for c in f.columns)]
    doubts = [f.code == "too_good" and f.columns == (column,) for f in still_open]
    return column if doubts and all(doubts) else None


def as_dicts(estimates: Mapping[str, metrics.Estimate]) -> dict[str, dict[str, float]]:
    """Estimates as JSON-ready values."""
    return {name: estimate.as_dict() for name, estimate in estimates.items()}


def _rule(everything: Rows, learnt: Learnt) -> tuple[rules.Rule, np.ndarray, np.ndarray]:
    """The best one-column rule, its ranking of the judged rows, and probabilities in that order.

    Without time each fold learns its own rates, as the model did.
    """
    y, fitted, judged = everything.y, learnt.rule_fitted, learnt.judged
    rule = rules.best_rule(everything.x, everything.categories, y, everything.group, fitted)
    column = everything.x[:, rule.place]
    score = np.empty(len(everything))
    if learnt.split.in_time:
        score = rules.ranked(column, rule, y, fitted)
    else:
        for part, held in learnt.split.folds:
            score[held] = rules.ranked(column, rule, y, part)[held]
    rule, ranking = rules.turned_to(rule, y[judged], score[judged])
    return rule, ranking, rules.probabilities(-score if rule.turned else score, y, fitted)[judged]


def _held_back_auc(everything: Rows, learnt: Learnt, seed: int) -> metrics.Estimate:
    """AUC over the rows held back while learning; each period's scores are ranked within it, and count by its size."""
    held = learnt.held
    z, y = held.blend(learnt.choice.tree_share), everything.y[held.index]
    rank = np.empty(len(z))
    for period in np.unique(held.period):
        here = held.period == period
        rank[here] = np.argsort(np.argsort(z[here], kind="stable"), kind="stable") / max(int(here.sum()) - 1, 1)
    ranking = metrics.Ranking(y, rank)
    draws = metrics.resample(everything.group[held.index], seed, {"auc": ranking.auc})
    return metrics.interval(metrics.point(ranking.auc, len(y)), draws["auc"])


def segments(rows: Rows, names: tuple[str, ...], index: np.ndarray) -> dict[str, np.ndarray]:
    """Masks over the judged rows, by the words of the given signals."""
    found: dict[str, np.ndarray] = {}
    for j, signal in enumerate(rows.signals):
        words = rows.vocabularies[j]
        if signal.name in names and words is not None:
            codes = rows.x[index, j]
            found |= {f"{signal.name} = {word}": codes == code for code, word in enumerate(words)}
    return found


def findings(rows: Rows, seed: int = 0, label: str | None = None) -> tuple[Finding, ...]:
    """The audit's findings of high severity on the rows that were learnt from; with the `label` of a flat table by names as well.

    One row per account: its rows at other dates say the same again and are no further evidence.
    """
    shuffled = np.random.default_rng(seed).permutation(len(rows))
    kept = shuffled[np.unique(rows.group[shuffled], return_index=True)[1]]
    rows = rows.take(np.sort(kept[:MOST_ROWS_TO_AUDIT]))
    frame = pd.DataFrame({s.name: rows.x[:, j] for j, s in enumerate(rows.signals)})
    for j in rows.categories:
        name = rows.signals[j].name
        frame[name] = frame[name].map(dict(enumerate((*(rows.vocabularies[j] or ()), "(other)")))).astype(object)
    if len(np.unique(rows.y)) < 2:
        return ()
    table = AuditedTable(
        frame, rows.y.astype(int), np.arange(len(rows)), dated=rows.time is not None, label=label or ""
    )
    found = findings_of(table, RULES) if label is None else findings_about(table, RULES, pairs=False)
    return tuple(f for f in known_by_the_clock(found, rows.signals) if f.severity == "high")


def worst_misses(rows: Rows, learnt: Learnt) -> list[Mapping[str, object]]:
    """The judged rows whose outcome was least expected."""
    y, p = rows.y[learnt.judged], probabilities(learnt)
    order = np.argsort(-np.abs(y - p), kind="stable")[:WORST]
    ids = rows.entity_id[learnt.judged]
    return [{"entity_id": str(ids[i]), "probability": round(float(p[i]), 4), "outcome": int(y[i])} for i in order]
