"""Two versions on the same rows: which one is better, by how much beyond noise, and whose scores move."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from features.kit import atomic_files
from features.kit.clock import DAY_US
from features.kit.errors import Fault, UserMistake
from features.kit.progress import Progress
from features.kit.settings import Settings
from features.outcomes.needed_tables import left_out_notes, tables_for
from features.sources.loader import open_source
from models import registry
from models.catalog import get_model
from models.definition import Model
from models.scorer.scorer import Scorer
from training import metrics, profit, rules
from training.calibrate import sigmoid
from training.capacity import share_of
from training.errors import TrainingRefused
from training.evaluation import as_dicts
from training.metrics import Ranking
from training.promote import GATES
from training.report import curves
from training.training_set import Panel, labelled_panel

BETTER, WORSE, LEVEL = "better beyond noise", "worse beyond noise", "level"


def compare(
    settings: Settings,
    model: str,
    source: str,
    data: Path | None = None,
    *,
    version: int | None = None,
    against: int | None = None,
    since: dt.datetime | None = None,
    capacity: str | None = None,
    engine: str = "duckdb",
    seed: int = 0,
    progress: Progress = lambda text, share: None,
) -> dict[str, object]:
    """A version (the challenger, else the newest) beside another (the champion), on rows that neither learnt from.

    The report is also written to `<home>/compare/<model>/<version>-against-<other>.json`. Raises `UserMistake` when there are no two versions, `TrainingRefused` when no labelled row is later than both.
    """
    definition = get_model(model)
    settings.require_home()
    one, other = _versions(settings, definition.name, version, against)
    opened = open_source(source, data, keep_going=True)
    progress("panel and labels", 0.0)
    panel = labelled_panel(opened, definition, since, engine, seed)
    progress("comparing", 0.8)
    with tempfile.TemporaryDirectory() as scratch:
        scorers = [Scorer.load(registry.download(settings, v, Path(scratch) / str(v.version))) for v in (one, other)]
    rows, note = _unseen(definition, panel, scorers)
    part = panel.table.take(rows)
    z = []
    for found, scorer in zip((one, other), scorers, strict=True):
        absent = [name for name in scorer.names if name not in part.column_names]
        if absent:
            raise UserMistake(
                f"version {found.version} needs signals that source {opened.name!r} does not offer: {', '.join(absent)}; "
                "compare on the source that it was trained on"
            )
        z.append(scorer.log_odds(scorer.encode({name: part[name] for name in scorer.names})))
    time = None if panel.rows.time is None or panel.outcomes.snapshot is not None else panel.rows.time[rows]
    share = share_of(capacity, definition, time, dates_apart=definition.lead_days is None)
    y, group, value = panel.rows.y[rows], panel.rows.group[rows], panel.rows.value[rows]
    figures = beside(definition, y, sigmoid(z[0]), sigmoid(z[1]), group, value, share, seed)
    rule = _rule(panel, rows, sigmoid(z[0]), sigmoid(z[1]), seed)
    bands = [scorer.band(sigmoid(own)) for scorer, own in zip(scorers, z, strict=True)]
    report = {
        "model": definition.name,
        "source": opened.name,
        "version": _described(one),
        "against": _described(other),
        "rows": len(rows),
        "with_outcome": int(y.sum()),
        "capacity_share": round(share, 6),
        **figures,
        "one_column_rule": rule,
        "band_moved": round(float(np.mean(np.array(bands[0]) != np.array(bands[1]))), 4),
        "notes": [
            note,
            *_enough(rule),
            *left_out_notes(opened, tables_for(definition.entity, definition.themes, definition.outcome)),
        ],
    }
    file = settings.home / "compare" / definition.name / f"{one.version}-against-{other.version}.json"
    atomic_files.write_text(file, json.dumps(report, indent=2))
    return report | {"file": str(file)}


def beside(
    definition: Model,
    y: np.ndarray,
    p: np.ndarray,
    other: np.ndarray,
    group: np.ndarray,
    value: np.ndarray,
    capacity: float,
    seed: int = 0,
) -> dict[str, object]:
    """Both scores' measures, their paired differences with a verdict each, and how far they agree.

    `same_list` is the share of the one's list at capacity that is on the other's, `rank_correlation` Spearman's.
    """
    from scipy.stats import spearmanr

    mine, theirs = Ranking(y, p), Ranking(y, other)
    pairs = {
        "auc": (mine.auc, theirs.auc, 1),
        "precision_at_capacity": (mine.precision_at(capacity), theirs.precision_at(capacity), 1),
        "log_loss": (mine.log_loss, theirs.log_loss, -1),
        "brier": (mine.brier, theirs.brier, -1),
        "calibration_error": (mine.calibration_error, theirs.calibration_error, -1),
    }
    asked = {f"{side} {name}": pair[n] for name, pair in pairs.items() for n, side in enumerate(("mine", "theirs"))}
    draws = metrics.resample(group, seed, asked)  # type: ignore[arg-type]  # the third of a pair is its sign
    differences = {}
    for name, (a, b, sign) in pairs.items():
        once = metrics.point(a, len(y)) - metrics.point(b, len(y))
        own, their = draws[f"mine {name}"], draws[f"theirs {name}"]
        if name == metrics.BIASED:
            own, their = (metrics.without_bias(metrics.point(m, len(y)), d) for m, d in ((a, own), (b, their)))
        found = metrics.reaching(once, own - their)
        up, down = (found.low > 0, found.high < 0) if sign > 0 else (found.high < 0, found.low > 0)
        differences[name] = {**found.as_dict(), "verdict": BETTER if up else WORSE if down else LEVEL}
    chosen, others = curves.selected(p, capacity), curves.selected(other, capacity)
    return {
        "metrics": {
            side: as_dicts(
                metrics.judge(y, own, group, capacity, seed) | profit.measures(definition, y, own, group, value, seed)
            )
            for side, own in (("version", p), ("against", other))
        },
        "differences": differences,
        "same_list": round(float(np.minimum(chosen, others).sum() / max(chosen.sum(), 1e-9)), 4),
        "rank_correlation": round(float(spearmanr(p, other).statistic), 4),
    }


def _rule(panel: Panel, rows: np.ndarray, p: np.ndarray, other: np.ndarray, seed: int) -> dict[str, object]:
    """The best one-column rule, learnt from the rows before those compared on, and by how much each version beats it."""
    everything = panel.rows
    earlier = panel.split.before_test if panel.split.in_time else np.arange(len(everything))
    if everything.time is not None:
        earlier = earlier[everything.time[earlier] < everything.time[rows].min()]
    fitted = earlier if 0 < everything.y[earlier].sum() < len(earlier) else rows
    rule = rules.best_rule(everything.x, everything.categories, everything.y, everything.group, fitted)
    score = rules.ranked(everything.x[:, rule.place], rule, everything.y, fitted)[rows]
    y, group = everything.y[rows], everything.group[rows]
    rule, score = rules.turned_to(rule, y, score)
    over = {name: metrics.auc_difference(y, q, score, group, seed) for name, q in (("version", p), ("against", other))}
    return {
        "signal": everything.signals[rule.place].name,
        "rule": rule.words([signal.name for signal in everything.signals]),
        "auc": round(metrics.auc(y, score), 6),
        "differences": {
            name: {**found.as_dict(), "verdict": BETTER if found.low > 0 else WORSE if found.high < 0 else LEVEL}
            for name, found in over.items()
        },
    }


def _enough(rule: dict[str, Any]) -> list[str]:
    """A sentence when a version does not beat the rule beyond noise."""
    level = [name for name, found in rule["differences"].items() if found["verdict"] != BETTER]
    who = {"version": "the version", "against": "the one that it is compared with"}
    if not level:
        return []
    return [
        f"A single rule is enough: {rule['rule']} (AUC {rule['auc']:.3f}). Not better beyond noise: {' and '.join(who[n] for n in level)}."
    ]


def _versions(
    settings: Settings, name: str, version: int | None, against: int | None
) -> tuple[registry.Version, registry.Version]:
    other = (
        registry.get_version(settings, name, against)
        if against is not None
        else registry.by_alias(settings, name, registry.CHAMPION)
    )
    if other is None:
        raise UserMistake(f"{name} has no champion to compare with: pass --against N, or promote a version first")
    if version is not None:
        return registry.get_version(settings, name, version), other
    challenger = registry.by_alias(settings, name, registry.CHALLENGER)
    if challenger is not None and challenger.version != other.version:
        return challenger, other
    rest = [v for v in registry.versions(settings, name) if v.version != other.version]
    if not rest:
        raise UserMistake(
            f"{name} has version {other.version} only: train another with python -m training fit {name} --source ..."
        )
    return rest[0], other


def _unseen(definition: Model, panel: Panel, scorers: list[Scorer]) -> tuple[np.ndarray, str]:
    """Rows that neither scorer learnt from: later than both training windows and their outcomes."""
    time, until = panel.rows.time, [scorer.spec.trained_to for scorer in scorers]
    if time is None or panel.outcomes.snapshot is not None or None in until:
        rows = panel.split.test if panel.split.in_time else np.arange(len(panel.rows))
        return (
            rows,
            "The outcomes have no dates: one of the versions may have learnt from these rows, which favours it.",
        )
    newest = max(str(moment) for moment in until)
    begin = np.datetime64(newest, "us").astype(np.int64) + definition.horizon_days * DAY_US
    rows = np.flatnonzero(time >= begin)
    y = panel.rows.y[rows]
    if not 0 < y.sum() < len(y):
        raise TrainingRefused(
            f"the comparison of {definition.name}",
            [
                Fault(
                    where="rows that neither version learnt from",
                    found=f"{len(y):,}, {int(y.sum()):,} with the outcome",
                    rule=f"rows observed {definition.horizon_days} days or more after {newest}, of both outcomes",
                    next_step="wait until newer outcomes are known, or train the challenger on an earlier period",
                )
            ],
        )
    return (
        rows,
        f"Judged on dates {definition.horizon_days} days or more after {newest}, the newest that either learnt from.",
    )


def _described(version: registry.Version) -> dict[str, object]:
    tags = version.tags or {}
    return {
        "version": version.version,
        "aliases": list(version.aliases),
        "gates": tags.get(GATES, "never judged"),
        "scorer": f"sha256:{tags.get('scorer_sha256', '')}",
    }
