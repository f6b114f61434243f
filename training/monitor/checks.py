"""The checks of a live model: what each found, its limit (`models.definition.Watch`), and whether someone should look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from models.definition import Watch
from training.metrics import Estimate
from training.monitor.actuals import Ripe
from training.monitor.drift import SignalDrift

State = Literal["fine", "look", "too early"]
MOST_TOLD = 5


@dataclass(frozen=True)
class Check:
    """The result of one check."""

    name: str
    state: State
    found: str
    limit: str

    def as_dict(self) -> dict[str, str]:
        """JSON-ready values by field."""
        return asdict(self)


def _check(name: str, wrong: Sequence[str], fine: str, limit: str) -> Check:
    told = "; ".join(wrong[:MOST_TOLD]) + (f"; and {len(wrong) - MOST_TOLD} more" if len(wrong) > MOST_TOLD else "")
    return Check(name, "look" if wrong else "fine", told or fine, limit)


def calibration(watch: Watch, found: Ripe | None) -> Check:
    """Expected against observed outcomes, all together and per band."""
    limit = f"within a factor of {watch.max_ratio} of what is expected, or within chance"
    if found is None or found.counts["all"][2].value < watch.min_expected:
        return Check("calibration", "too early", "too few outcomes are to be expected of the ripe rows", limit)
    wrong = []
    for name, (rows, seen, told) in found.counts.items():
        ratio = seen / told.value if told.value else float("inf")
        if (
            told.value >= watch.min_expected
            and name in found.beyond
            and not 1 / watch.max_ratio <= ratio <= watch.max_ratio
        ):
            who = "all bands" if name == "all" else f"band {name}"
            wrong.append(
                f"{who}: {seen:,} outcomes in {rows:,} rows, {told.value:,.0f} expected ({told.low:,.0f} to {told.high:,.0f})"
            )
    rows, seen, told = found.counts["all"]
    return _check("calibration", wrong, f"{seen:,} outcomes in {rows:,} rows, {told.value:,.0f} expected", limit)


def ranking(watch: Watch, found: Ripe | None) -> Check:
    """The AUC that came true against the one promised."""
    limit = f"at most {watch.max_auc_loss} below what the probabilities promised, or within chance"
    if found is None or found.outcomes < watch.min_expected or np.isnan(found.measures["auc"][0]):
        return Check("ranking", "too early", "too few outcomes among the ripe rows", limit)
    true, told = found.measures["auc"]
    said = f"AUC {true:.3f} came true, {told.value:.3f} was promised ({told.low:.3f} to {told.high:.3f})"
    lost = "auc" in found.beyond and true < told.value - watch.max_auc_loss
    return _check("ranking", [said] if lost else [], said, limit)


def estimate(watch: Watch, now: Mapping[str, Estimate], judged: dict[str, float] | None) -> Check:
    """The AUC estimated of the present, whose labels are not ripe, against the judged one."""
    limit = f"at most {watch.max_auc_loss} below the lower end of the judged one"
    value = now["auc"].value
    if judged is None or np.isnan(value):
        return Check("estimated quality", "too early", "the scorer keeps no judged AUC to compare with", limit)
    low = judged.get("low", judged["value"])
    said = f"AUC {value:.3f} is estimated of the present rows, {judged['value']:.3f} was judged ({low:.3f} at least)"
    return _check("estimated quality", [said] if value < low - watch.max_auc_loss else [], said, limit)


def drift(watch: Watch, signals: Sequence[SignalDrift], score: Mapping[str, float]) -> Check:
    """Signals that matter, and the score, against training."""
    wrong = [f"the score: {score['psi']:.2f}"] if score["psi"] > max(watch.max_psi, score["noise"]) else []
    wrong += [
        f"{s.signal}: {s.psi:.2f}"
        for s in signals
        if s.psi is not None and s.psi > max(watch.max_psi, s.noise) and s.weight >= watch.min_weight
    ]
    return _check(
        "drift",
        wrong,
        f"the score: {score['psi']:.2f}; no signal of weight beyond the limit",
        f"a stability index of at most {watch.max_psi} for the score and each signal with {watch.min_weight:.0%} of the effects",
    )


def values(watch: Watch, signals: Sequence[SignalDrift]) -> Check:
    """Words never seen and numbers outside the range of training."""
    wrong = [
        f"{s.signal}: {s.new_words:.1%} have a new word" + (f" ({', '.join(s.named)})" if s.named else "")
        for s in signals
        if s.new_words > watch.max_new_words
    ]
    wrong += [
        f"{s.signal}: {s.outside:.1%} lie outside the range of training"
        for s in signals
        if s.outside > watch.max_outside and s.weight >= watch.min_weight
    ]
    limit = f"at most {watch.max_new_words:.0%} more new words, and {watch.max_outside:.0%} outside the range"
    return _check("values never seen", wrong, "next to none", limit)


def missing(watch: Watch, signals: Sequence[SignalDrift]) -> Check:
    """Signals that more entities lack than in training."""
    wrong = [
        f"{s.signal}: {s.missing:.1%} have no value, {s.missing_then:.1%} in training"
        for s in signals
        if s.missing - s.missing_then > watch.max_missing_rise
    ]
    return _check(
        "missing values", wrong, "about as in training", f"at most {watch.max_missing_rise:.0%} more than in training"
    )


def freshness(watch: Watch, silent_days: float) -> Check:
    """Days since the newest row of the source."""
    said = f"the newest row of the source is {max(silent_days, 0.0):.1f} days older than as_of"
    return _check(
        "freshness",
        [said] if silent_days > watch.max_silent_days else [],
        said,
        f"at most {watch.max_silent_days:g} days",
    )


def holdout(touched: int, of: int, share: float) -> Check:
    """Rows of the holdout that somebody acted upon."""
    said = f"{touched:,} of {of:,} rows of the holdout ({share:.0%}) were acted upon"
    return _check("holdout", [said] if touched else [], said, "nobody acts upon the holdout")
