"""`fit`: from a source to a judged scorer in the registry. `training.fit_table` shares how it ends."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import tempfile
import time as clock
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.audit.source import grave_findings
from features.kit import atomic_files
from features.kit.clock import DAY_US, from_us, iso, system_now
from features.kit.progress import Progress
from features.kit.settings import Settings
from features.sources.fingerprint import fingerprint
from features.sources.loader import open_source
from features.sources.source import Source
from models import card, signal_card
from models.catalog import get_model
from models.champion_pointer import read_pointer
from models.definition import Model
from models.scorer.scorer import Scorer, ScorerRefused
from models.scorer.writer import Origin
from models.signal_card import Effects
from training import export
from training.capacity import share_of
from training.dataset import Rows
from training.errors import PromotionRefused
from training.evaluation import Judgement, Rival, judge, worst_misses
from training.learn import LearnSettings, Learnt, learn, probabilities
from training.report import curves, page
from training.report.signals import effects_by_bin, top_signals
from training.report.speed import speed
from training.splits import Split
from training.training_set import Panel, labelled_panel, period_text
from training.verdicts import Verdict


@dataclass(frozen=True)
class FitResult:
    """The report as JSON-ready values, the scorer, and whether its gates hold."""

    report: dict[str, object]
    scorer: Scorer
    judgement: Judgement
    effects: list[Effects]
    """What each signal does, over the rows that the scorer was learnt from."""


def quiet(text: str, share: float) -> None:
    """No progress."""


def fit_source(
    model: str,
    source: str,
    data: Path | None = None,
    *,
    budget_s: float = 120.0,
    trials: int | None = None,
    seed: int = 0,
    since: dt.datetime | None = None,
    capacity: str | None = None,
    engine: str = "duckdb",
    thorough: bool = False,
    settings: Settings | None = None,
    register: bool = True,
    progress: Progress = quiet,
    exclude: Sequence[str] = (),
) -> dict[str, object]:
    """Train, judge, register and, when the gates hold, promote. Returns the report; see the README for its fields.

    `exclude` are signals to leave out beside those of the model's file. Raises `UserMistake` for names that no signal has.
    """
    began = clock.monotonic()
    settings = settings or Settings.from_env()
    definition = get_model(model)
    definition = replace(definition, exclude=(*definition.exclude, *exclude))
    if register:
        _require_writable(settings)
    opened = open_source(source, data, keep_going=True)
    progress("panel and labels", 0.0)
    panel = labelled_panel(opened, definition, since, engine, seed)
    progress("panel and labels", 0.1)
    learnt = learn(
        panel.rows,
        panel.split,
        LearnSettings(budget_s, trials, seed, thorough=thorough),
        lambda rows: directions(definition, rows),
        lambda text, share: progress(text, 0.1 + 0.7 * share),
    )
    progress("judging", 0.8)
    present = _present(settings, definition) if register else None
    rival = champion(settings, definition, panel, learnt.judged)
    judged = panel.rows.take(learnt.judged)
    share = share_of(capacity, definition, judged.time, dates_apart=definition.lead_days is None)
    grave = grave_findings(opened, definition, _newest_learnt(panel), definition.themes, panel.table)
    # What the model does not have cannot leak into it.
    grave = [f for f in grave if not f.columns or not set(f.columns) <= set(definition.exclude)]
    judgement = judge(definition, panel.rows, learnt, rival, share, seed, grave)
    with tempfile.TemporaryDirectory() as scratch:
        result = finish(
            Path(scratch) / "scorer",
            definition,
            panel.rows,
            learnt,
            judgement,
            panel.population,
            _origin(opened, panel),
            seed,
        )
        report = result.report
        report["source"] = opened.name
        report["excluded"] = list(dict.fromkeys(definition.exclude))
        report["rows"] |= panel.counts  # type: ignore[operator]
        report["periods"] = periods(
            panel.rows, panel.split, period_text(panel.split, panel.outcomes.snapshot is not None)
        )
        if definition.population:
            inside, eligible = panel.inside
            report["population"] = {"is": str(definition.population), "inside": inside, "eligible": eligible}
        report["outcome_from"] = panel.outcomes.origin
        report["notes"] = [*panel.notes, *notes(learnt)]
        report["seconds"] = round(clock.monotonic() - began, 1)
        if register:
            progress("registering", 0.9)
            _register(settings, definition, result, learnt, present, Path(scratch), trials, seed, opened)
    progress("done", 1.0)
    report["seconds"] = round(clock.monotonic() - began, 1)
    return report


def directions(definition: Model, rows: Rows) -> list[int]:
    """Monotone direction of the probability per signal, from the model's file."""
    return [definition.direction(signal) for signal in rows.signals]


def finish(
    directory: Path,
    definition: Model,
    everything: Rows,
    learnt: Learnt,
    judgement: Judgement,
    population: np.ndarray,
    origin: Origin,
    seed: int,
    if_no_overlap: bool = False,
) -> FitResult:
    """Write the scorer into `directory` and build its report of JSON-ready values. `if_no_overlap`: nothing kept overlapping rows apart."""
    model = learnt.model
    figures = judgement.figures
    stored = {k: v for k, v in figures.items() if k in ("metrics", "base_rate", "capacity_share", "one_column_rule")}
    verdict = export.kept_verdict(judgement, if_no_overlap)
    scorer = export.write(directory, definition, learnt, learnt.rows.x[population], origin, stored, verdict)
    report: dict[str, object] = {
        "model": definition.name,
        "version": None,
        "promoted": False,
        "verdict": verdict.says,
        "verdict_code": verdict.code,
        "ready": verdict.ready,
        "why": verdict.why,
        "scorer": f"sha256:{scorer.sha256}",
        "seed": seed,
        "rows": {
            "learnt from": len(learnt.rows) if learnt.model is None else _learnt_from(learnt),
            "judged by": len(learnt.judged),
        },
        "chosen": model.recipe.kind,
        "signals": len(learnt.rows.signals),
        "themes": list(dict.fromkeys(signal.theme for signal in learnt.rows.signals)),
        "trees": len(model.bag) * model.recipe.tree_count if model.bag else 0,
        "tree_share": model.recipe.tree_share,
        "speed": speed(scorer, learnt.rows.x[learnt.judged]),
        "candidates": {name: round(loss, 6) for name, loss in learnt.choice.losses.items()},
        "trials": len(learnt.found.trials),
        "calibration": {"slope": round(model.calibration.slope, 6), "level": round(model.calibration.level, 6)},
        **figures,
        "by_band": _by_band(scorer, learnt, seed),
        "gates": [gate.as_dict() for gate in judgement.gates],
        "left_out": [
            {"signal": name, "why": "its values tell the date: it shares none, or few, with its own past"}
            for name in learnt.moved
        ],
        "worst_misses": worst_misses(everything, learnt),
        "top_signals": top_signals(scorer, learnt.rows.x[learnt.judged], learnt.rows.y[learnt.judged]),
    }
    fitted = learnt.rows.x[learnt.split.before_test] if learnt.split.in_time else learnt.rows.x
    return FitResult(report, scorer, judgement, effects_by_bin(scorer, fitted))


def _by_band(scorer: Scorer, learnt: Learnt, seed: int) -> list[dict[str, object]]:
    rows, p = learnt.rows.take(learnt.judged), probabilities(learnt)
    names = [name for name, _ in scorer.spec.bands]
    return curves.by_band(rows.y, p, rows.group, np.array(scorer.band(p)), names, seed)


def _learnt_from(learnt: Learnt) -> int:
    return len(learnt.split.before_test) if learnt.split.in_time else len(learnt.rows)


def notes(learnt: Learnt) -> list[str]:
    """What a reader of the figures should know of how they were made, a sentence each."""
    judged = [] if learnt.split.in_time else ["Every row was judged by a model and a calibration that did not see it."]
    return [*judged, *([learnt.left_out] if learnt.left_out else [])]


def periods(rows: Rows, split: Split, dates: dict[str, dict[str, str]]) -> dict[str, dict[str, object]]:
    """For train, calibrate and test that hold rows: how many, how many with the outcome, and `dates` where they have any."""
    parts = {"train": split.train, "calibrate": split.calibrate, "test": split.test}
    return {
        name: {**dates.get(name, {}), "rows": len(index), "with_outcome": int(rows.y[index].sum())}
        for name, index in parts.items()
        if len(index)
    }


def _origin(source: Source, panel: Panel) -> Origin:
    fitted = panel.split.before_test
    dates: list[str | None] = [None, None]
    if panel.outcomes.snapshot is None and panel.rows.time is not None:
        moments = panel.rows.time[fitted]
        dates = [from_us(int(m)).date().isoformat() for m in (moments.min(), moments.max())]
    return Origin(source.name, fingerprint(source), dates[0], dates[1])


def _newest_learnt(panel: Panel) -> dt.datetime:
    """The newest date that was learnt from; of rows without time the newest of all."""
    moments = pc.cast(panel.table["as_of"], pa.int64()).to_numpy()[panel.split.before_test]
    return from_us(int(moments.max()))


def _require_writable(settings: Settings) -> None:
    from models import registry

    registry.require_writable(settings)


def _present(settings: Settings, definition: Model) -> int | None:
    from training.promote import champion_version

    return champion_version(settings, definition.name)


def champion(settings: Settings, definition: Model, panel: Panel, judged: np.ndarray) -> Rival:
    """The present champion's log-odds for the judged rows, or why there are none."""
    try:
        pointer = read_pointer(settings.home, definition.name)
        if pointer is None:
            return Rival(None, note="no champion to compare with")
        scorer = Scorer.load(pointer.path)
    except (ScorerRefused, ValueError) as error:
        return Rival(None, note=f"the champion cannot be read: {error}")
    absent = [name for name in scorer.names if name not in panel.table.column_names]
    if absent:
        lacks = (
            f"champion version {pointer.version} needs signals that this source does not offer: {', '.join(absent[:5])}"
        )
        return Rival(None, pointer.version, lacks)
    table = panel.table.take(judged)
    z = scorer.log_odds(scorer.encode({name: table[name] for name in scorer.names}))
    note = ""
    until = scorer.spec.trained_to
    if until is not None and panel.rows.time is not None and panel.outcomes.snapshot is None:
        over = np.datetime64(until, "us").astype(np.int64) + definition.horizon_days * DAY_US
        if over > panel.rows.time[judged].min():
            note = f"the champion learnt from dates up to {until}, whose outcomes reach into the test period: this favours it"
    return Rival(z, pointer.version, note)


def _register(
    settings: Settings,
    definition: Model,
    result: FitResult,
    learnt: Learnt,
    present: int | None,
    scratch: Path,
    trials: int | None,
    seed: int,
    source: Source,
) -> None:
    """One run, one version, the alias challenger; champion when the gates hold and `present` still is the champion."""
    from models import registry
    from training.promote import GATES, PASSED, note_standing, promote_version

    report = result.report
    metrics: dict[str, float] = {}
    for name, estimate in report["metrics"].items():  # type: ignore[attr-defined]
        metrics |= {name: estimate["value"], f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}
    failed = "; ".join(gate.name for gate in result.judgement.gates if not gate.passed)
    version = registry.log_version(
        settings,
        definition,
        scratch / "scorer",
        parameters={
            "source": report["source"],
            "seed": seed,
            "trials": trials if trials is not None else "by budget",
            "chosen": report["chosen"],
            "trees": report["trees"],
            "tree_share": report["tree_share"],
            "signals": report["signals"],
            "data_fingerprint": result.scorer.spec.data_fingerprint,
        },
        metrics=metrics,
        tags={GATES: PASSED if result.judgement.passed else f"failed: {failed}", "verdict": str(report["verdict"])},
        trials=[{"kind": t.kind, "loss": t.loss, "seconds": t.seconds, **t.settings} for t in learnt.found.trials],
        description=_described(definition, report),
    )
    report["version"], report["run_id"] = version.version, version.run_id
    registry.set_alias(settings, definition.name, registry.CHALLENGER, version.version)
    if result.judgement.passed:
        try:
            promote_version(settings, definition.name, version.version, present, source, command="training fit")
            report["promoted"] = True
        except PromotionRefused as refused:
            report |= {
                "verdict": f"refused: {refused.short}",
                "verdict_code": Verdict.REFUSED.value,
                "ready": False,
                "why": [str(refused)],
            }
    kept = card.place(settings.home, definition.name, version.version)
    report["files"], report["page"] = str(kept), str(kept / page.PAGE)
    with atomic_files.writing_folder(kept) as partial:
        shutil.copytree(scratch / "scorer", partial / "scorer")
        (partial / card.REPORT).write_text(json.dumps(report, indent=2))
        (partial / card.NAME).write_bytes(card.encoded(report, definition, iso(system_now().replace(microsecond=0))))
        signals = signal_card.card_of(result.scorer.spec, version.version, result.effects)
        (partial / signal_card.NAME).write_bytes(signal_card.encoded(signals))
        pages = [path.name for path in page.write(partial, definition, report)]
    registry.attach(
        settings, version.run_id, [kept / name for name in (card.REPORT, card.NAME, signal_card.NAME, *pages)]
    )
    note_standing(settings, definition.name)


def _described(definition: Model, report: dict[str, object]) -> str:
    """The version's description in the registry, in Markdown."""
    metrics: dict[str, dict[str, float]] = report["metrics"]  # type: ignore[assignment]
    lines = [f"{name}: {m['value']:.3f} ({m['low']:.3f} to {m['high']:.3f})" for name, m in metrics.items()]
    why: list[str] = report["why"]  # type: ignore[assignment]
    notes: list[str] = report["notes"]  # type: ignore[assignment]
    return "\n".join(
        [
            f"**{definition.title}**: probability within {definition.horizon_days} days, for each {definition.entity}.",
            f"Verdict: {report['verdict']}. Learnt from source {report['source']}, chosen: {report['chosen']}.",
            "",
            *[f"- {line}" for line in lines],
            "",
            *[f"- refused: {reason}" for reason in why],
            *notes,
        ]
    )
