"""`python -m training monitor`: a live model against the company as of a date."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

from features.kit.errors import UserMistake
from features.kit.progress import Progress
from features.kit.settings import Settings
from features.sources.loader import open_source
from features.sources.source import Source
from models import card_file, registry
from models.catalog import get_model
from models.champion_pointer import read_pointer
from models.definition import Model
from models.scorer.scorer import Scorer
from models.scorer.verdict import mark, refused
from training.capacity import share_of
from training.metrics import Estimate
from training.monitor import actuals, checks, estimated_performance
from training.monitor.drift import score_drift, signal_drifts
from training.monitor.live_rows import LiveRows, observe

FINE, LOOK = "fine", "someone should look"


def monitor(
    settings: Settings,
    model: str,
    source: str,
    as_of: dt.datetime,
    data: Path | None = None,
    *,
    version: int | None = None,
    capacity: str | None = None,
    holdout: float | None = None,
    engine: str = "duckdb",
    seed: int = 0,
    progress: Progress = lambda text, share: None,
) -> dict[str, object]:
    """Watch the champion, or a version: the report, also written to `<home>/monitor/<model>/<date>.json`.

    Its `verdict` is `fine` or `someone should look`, `why` has a sentence for each check that says so. Raises `UserMistake`
    when no scorer is there, when `as_of` lies before the end of its training, or when the source lacks its signals.
    """
    definition = get_model(model)
    settings.require_home()
    scorer, number = _scorer(settings, definition, version)
    opened = open_source(source, data, keep_going=True)
    share = share_of(capacity, definition, None, dates_apart=definition.lead_days is None)
    held = definition.holdout_share if holdout is None else holdout
    watched = observe(scorer, definition, opened, as_of, capacity=share, holdout=held, engine=engine, progress=progress)
    progress("comparing", 0.8)
    report: dict[str, object] = {"model": definition.name, "version": number, "scorer": f"sha256:{scorer.sha256}"}
    report |= report_on(scorer, definition, opened, watched, as_of, share, held, seed)
    file = settings.home / "monitor" / definition.name / f"{as_of:%Y-%m-%d}.json"
    card_file.write(file, report)
    return report | {"file": str(file)}


def report_on(
    scorer: Scorer,
    definition: Model,
    source: Source,
    watched: LiveRows,
    as_of: dt.datetime,
    capacity: float,
    holdout: float,
    seed: int = 0,
) -> dict[str, object]:
    """The whole report on the watched rows, JSON-ready, with the checks and the verdict."""
    now, watch = watched.take(watched.now), definition.watch
    signals, score = signal_drifts(scorer, now), score_drift(scorer, now.p)
    alone = watched.ripe if watched.acted is None else watched.ripe & ~watched.acted
    # A saved account looks like a wrong prediction: those acted upon say nothing of the model.
    came = actuals.ripe(definition, watched.take(alone), seed)
    present = estimated_performance.promised(now.p, now.group, now.listed, seed)
    done = [
        checks.calibration(watch, came),
        checks.ranking(watch, came),
        checks.estimate(watch, present, actuals.judged(scorer.spec.metrics, "auc")),
        checks.drift(watch, signals, score),
        checks.values(watch, signals),
        checks.missing(watch, signals),
        checks.freshness(watch, (as_of - source.span[1]) / dt.timedelta(days=1)),
    ]
    if watched.acted is not None and holdout > 0:
        touched = int((watched.held_out & watched.acted).sum())
        done.append(checks.holdout(touched, int(watched.held_out.sum()), holdout))
    why = [f"{c.name}: {c.found} (limit: {c.limit})" for c in done if c.state == "look"]
    notes = list(watched.notes)
    if refused(scorer.spec):
        notes.append(f"This version was refused when it was judged, and is not for use: {mark(scorer.spec)}.")
    if watched.acted is not None:
        notes.append("Expected and observed are compared on rows that nobody acted upon; those acted upon stand apart.")
    ripe = watched.take(alone)
    spread = estimated_performance.spread_of(ripe.p, ripe.y, ripe.group, seed) if len(ripe.p) else None
    apart = None
    if spread is not None:
        apart = estimated_performance.expected_auc(estimated_performance.stretched(now.p, spread.value))
        notes += _caution(spread, present["auc"].value, apart)
    return {
        "source": source.name,
        "as_of": as_of.isoformat(),
        "trained_to": scorer.spec.trained_to,
        "horizon_days": definition.horizon_days,
        "capacity_share": round(capacity, 6),
        "verdict": LOOK if why else FINE,
        "why": why,
        "checks": [c.as_dict() for c in done],
        "rows": {
            "now": len(now.p),
            "ripe": int(watched.ripe.sum()),
            "pending": int(watched.pending.sum()),
            "outcome not known": int((~watched.ripe & ~watched.pending).sum()),
            "acted upon": None if watched.acted is None else int(watched.acted.sum()),
            "held out": int(watched.held_out.sum()),
        },
        "ripe": actuals.ripe_report(came),
        "pending": actuals.pending_report(definition, watched.take(watched.pending), seed),
        "by_date": actuals.by_date(watched),
        "by_action": actuals.by_action(definition, watched, seed),
        "estimated_now": {name: actuals.numbers(e) for name, e in present.items()},
        "spread": None if spread is None else {**actuals.numbers(spread), "estimated_auc_now": apart},
        "judged": {
            name: actuals.judged(scorer.spec.metrics, name) for name in ("auc", "precision_at_capacity", "brier")
        },
        "score_drift": score,
        "signals": [s.as_dict() for s in signals],
        "notes": notes,
    }


def _caution(spread: Estimate, said: float, apart: float) -> list[str]:
    """A sentence when the estimate of the AUC is known to read low or high, beyond noise."""
    if spread.low <= 1 <= spread.high:
        return []
    how, reads = ("too cautious", "low") if spread.value > 1 else ("too bold", "high")
    return [
        f"The estimated AUC reads {reads}: the probabilities are {how}. On the ripe rows the true log-odds lie {spread.value:.2f} "
        f"({spread.low:.2f} to {spread.high:.2f}) times as far apart as was said; so stretched, the estimate of the present rows "
        f"is {apart:.3f} in the place of {said:.3f}."
    ]


def _scorer(settings: Settings, definition: Model, version: int | None) -> tuple[Scorer, int | None]:
    """The champion that the pointer names, or a version of the registry."""
    if version is not None:
        with tempfile.TemporaryDirectory() as scratch:
            found = registry.get_version(settings, definition.name, version)
            return Scorer.load(registry.download(settings, found, Path(scratch))), found.version
    try:
        pointer = read_pointer(settings.home, definition.name)
    except ValueError as error:
        raise UserMistake(f"the champion of {definition.name} cannot be read: {error}; promote it again") from None
    if pointer is None:
        raise UserMistake(
            f"{definition.name} has no champion to watch: promote one with python -m training promote {definition.name}, "
            "or pass --version N"
        )
    return Scorer.load(pointer.path), pointer.version
