"""What a version must show before it may serve. Every gate records what it found, passed or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist

import numpy as np

from features.audit.finding import Finding
from models.definition import Gates
from training import metrics
from training.metrics import Estimate
from training.report import curves
from training.verdicts import RULE, SIGNAL

LUCK = 0.05
"""How often a perfectly calibrated model may be refused, over all segments together."""
TAIL = 8
"""Simulated errors beyond the band: enough that it does not depend on the largest one."""
DRIFT = 0.5
"""Log-odds between the predicted and the observed base rate of the test period: the odds are off by a factor of 1.65."""


@dataclass(frozen=True)
class Gate:
    """One condition: its name, whether it holds, and the numbers."""

    name: str
    passed: bool
    found: str
    needed: str

    def as_dict(self) -> dict[str, object]:
        """JSON-ready values by field."""
        return asdict(self)


@dataclass(frozen=True)
class Judged:
    """What the gates look at."""

    y: np.ndarray
    p: np.ndarray
    group: np.ndarray
    metrics: Mapping[str, Estimate]
    fitted_positives: int
    fitted_negatives: int
    held_back_auc: Estimate
    """AUC over the rows held back while learning, period by period; the second witness for a signal."""
    rule: str
    """The best one-column rule in words."""
    rule_auc: float
    over_rule: Estimate
    """AUC of the model minus that of the rule, paired."""
    over_champion: Estimate | None
    """AUC of the model minus that of the champion, paired; None without a champion that can score these rows."""
    no_champion: str
    """Why there is none."""
    level_shift: float
    """Log-odds by which the observed rate of the judged rows lies above the predicted one; 0 without time."""
    segments: Mapping[str, np.ndarray]
    """Name of a segment ("region = emea") -> mask of the judged rows."""
    findings: tuple[Finding, ...]
    """Audit findings of high severity, about the inputs and about the source."""
    selection: Sequence[Mapping[str, object]]
    """`selection_rates` of the segments."""


def check(gates: Gates, seen: Judged) -> list[Gate]:
    """Every gate, in the order in which a person would ask."""
    auc = seen.metrics["auc"]
    positives, negatives = int(seen.y.sum()), int(len(seen.y) - seen.y.sum())
    enough = seen.fitted_positives >= gates.min_positives and seen.fitted_negatives >= gates.min_negatives
    return [
        Gate(
            "enough labels",
            enough and positives >= gates.min_positives / 4 and negatives >= gates.min_negatives / 4,
            f"{seen.fitted_positives:,} with and {seen.fitted_negatives:,} without the outcome to learn from, "
            f"{positives:,} and {negatives:,} to judge by",
            f"{gates.min_positives} and {gates.min_negatives} to learn from, a quarter of it to judge by",
        ),
        Gate(
            SIGNAL,
            auc.low > 0.5 and auc.value >= gates.min_auc and seen.held_back_auc.low > 0.5,
            f"AUC {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f}) on the judged rows, {seen.held_back_auc.value:.3f} "
            f"({seen.held_back_auc.low:.3f} to {seen.held_back_auc.high:.3f}) on those held back while learning",
            f"AUC of at least {gates.min_auc}, with both intervals above 0.5",
        ),
        _rule(gates, seen),
        _champion(seen),
        _calibrated(
            gates.max_calibration_error, gates.max_calibration_share, seen.y, seen.p, seen.group, "calibration"
        ),
        _segments(gates, seen),
        Gate(
            "drift",
            abs(seen.level_shift) <= DRIFT,
            f"the odds of the outcome are {np.exp(seen.level_shift):.2f} times what was predicted for the test period",
            f"between {np.exp(-DRIFT):.2f} and {np.exp(DRIFT):.2f} times",
        ),
        _audit(gates, seen),
        _selection(gates, seen),
    ]


def _audit(gates: Gates, seen: Judged) -> Gate:
    open_, accepted = [], []
    for finding in seen.findings:
        reason = accepted_reason(gates, finding)
        text = f"{', '.join(finding.columns)}: {finding.evidence}"
        if reason is not None:
            accepted.append(f"{text} (accepted: {reason})")
        else:
            open_.append(text)
    return Gate(
        "audit",
        not open_,
        "; ".join([*open_, *accepted]) or "no finding of high severity",
        "no finding of high severity, unless the model's file (accepted_findings), or --known-before of fit-table, says that it is not a leak",
    )


def accepted_reason(gates: Gates, finding: Finding) -> str | None:
    """Why a finding is not a leak, as the model's file says of each of its columns; None for one that is open."""
    reasons = [gates.accepted_findings.get(column) for column in finding.columns]
    return "; ".join(str(reason) for reason in reasons) if all(reasons) else None


def _selection(gates: Gates, seen: Judged) -> Gate:
    rates = seen.selection
    under = [rate for rate in rates if rate["ratio"] < gates.min_selection_ratio and rate["beyond_noise"]]  # type: ignore[operator]
    wrong, explained = [], []
    for rate in under:
        name = str(rate["segment"])
        reason = gates.selection_reasons.get(name) or gates.selection_reasons.get(name.split(" = ", 1)[0])
        text = f"{name} is selected {rate['ratio']:.2f} times as often as the others ({rate['low']:.2f} to {rate['high']:.2f})"
        if reason:
            explained.append(f"{text}, reason on file: {reason}")
        else:
            wrong.append(text)
    return Gate(
        "four fifths",
        not wrong,
        "; ".join([*wrong, *explained])
        or f"{len(rates)} groups of at least {gates.min_segment_rows} rows, none selected less often beyond noise",
        f"no group selected less than {gates.min_selection_ratio} times as often as the others, unless the model's file has a reason",
    )


def selection_rates(
    segments: Mapping[str, np.ndarray],
    p: np.ndarray,
    group: np.ndarray,
    capacity: float,
    least_rows: int,
    seed: int = 0,
) -> list[dict[str, object]]:
    """How often each group of at least `least_rows` is among the best `capacity` of all, and how often the others are.

    `segment`, `selected` (share of its rows), `others`, and their `ratio` (`low`, `high`), the largest group first. Groups
    that hold nearly everybody have no others to be compared with. `beyond_noise`: the ratio lies below 1 by more than luck
    among so many groups would bring about (one-sided 5 %, Bonferroni, on the log of the ratio).
    """
    chosen = curves.selected(p, capacity)
    large = {n: m for n, m in segments.items() if least_rows <= m.sum() <= len(p) - least_rows}
    limit = NormalDist().inv_cdf(1 - 0.05 / max(len(large), 1))
    found: list[dict[str, object]] = []
    for name, mask in sorted(large.items(), key=lambda item: (-int(item[1].sum()), item[0])):
        inside, outside = mask.astype(float), (~mask).astype(float)

        def ratio(weights: np.ndarray, a: np.ndarray = inside, b: np.ndarray = outside) -> np.ndarray:
            with np.errstate(invalid="ignore", divide="ignore"):
                own, others = (weights @ (a * chosen)) / (weights @ a), (weights @ (b * chosen)) / (weights @ b)
                return np.asarray(own / others)

        draws = metrics.resample(group, seed, {"ratio": ratio}, curves.RESAMPLES)
        estimate = metrics.interval(metrics.point(ratio, len(p)), draws["ratio"])
        logs = np.log(np.maximum(draws["ratio"], 1e-3))
        error = float(np.nanstd(logs, ddof=1))
        found.append(
            {
                "segment": name,
                "rows": int(mask.sum()),
                "selected": float(chosen[mask].mean()),
                "others": float(chosen[~mask].mean()),
                "ratio": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
                "beyond_noise": bool(np.log(max(estimate.value, 1e-3)) < -limit * error),
            }
        )
    return found


def _rule(gates: Gates, seen: Judged) -> Gate:
    over = seen.over_rule
    return Gate(
        RULE,
        over.low > 0 or not gates.beat_rule,
        f"AUC {over.value:+.3f} ({over.low:+.3f} to {over.high:+.3f}) against the rule: {seen.rule} ({seen.rule_auc:.3f})",
        "better beyond noise, whatever the rule reaches",
    )


def _champion(seen: Judged) -> Gate:
    over = seen.over_champion
    return Gate(
        "not worse than the champion",
        over is None or over.high >= 0,
        seen.no_champion if over is None else f"AUC {over.value:+.3f} ({over.low:+.3f} to {over.high:+.3f})",
        "not worse beyond noise on the same rows",
    )


def _calibrated(
    most: float, share: float, y: np.ndarray, p: np.ndarray, group: np.ndarray, name: str, looks: int = 1
) -> Gate:
    """`looks`: how many such gates there are; of twenty, one lies beyond a 95 % band by chance (Bonferroni)."""
    error = metrics.point(metrics.Ranking(y, p).calibration_error, len(y))
    level = 1 - LUCK / looks
    band = perfect_band(p, group, level=level)
    # The rarer outcome: a rate of 0.94 is one of 0.06 seen from the other side.
    limit = min(most, share * min(float(y.mean()), 1 - float(y.mean())))
    return Gate(
        name,
        error <= max(limit, band),
        f"calibration error {error:.3f} at a rate of {y.mean():.3f}; a perfect model of this size stays under {band:.3f} in "
        f"{100 * level:.4g} of 100 cases",
        f"at most {limit:.3f} ({most}, and {share:.0%} of the rate), or what a perfect model may show",
    )


def _segments(gates: Gates, seen: Judged) -> Gate:
    large = {name: mask for name, mask in seen.segments.items() if mask.sum() >= gates.min_segment_rows}
    wrong = []
    for name, mask in large.items():
        gate = _calibrated(
            gates.max_segment_error,
            gates.max_segment_share,
            seen.y[mask],
            seen.p[mask],
            seen.group[mask],
            name,
            len(large),
        )
        if not gate.passed:
            wrong.append(f"{name}: {gate.found}")
    return Gate(
        "calibration in segments",
        not wrong,
        "; ".join(wrong)
        if wrong
        else f"{len(large)} segments of at least {gates.min_segment_rows} rows, all calibrated",
        f"calibration error of at most {gates.max_segment_error}, and {gates.max_segment_share:.0%} of its rate, in each, or what a "
        "perfect model may show",
    )


def perfect_band(p: np.ndarray, group: np.ndarray, seed: int = 0, level: float = 1 - LUCK) -> float:
    """The calibration error that a perfectly calibrated model with these probabilities stays under in `level` (0 to 1) of cases.

    Rows of one account share their luck: their windows overlap, so that one departure is seen from several dates.
    """
    rng = np.random.default_rng(seed)
    resamples = max(400, int(np.ceil(TAIL / (1 - level))))
    place = np.unique(group, return_inverse=True)[1].reshape(-1)
    order = np.argsort(p, kind="stable")
    ordered, owner = p[order], place[order]
    starts = np.unique(np.linspace(0, len(p), metrics.BINS + 1).astype(int)[:-1])
    expected = np.add.reduceat(ordered, starts)
    found = np.empty(resamples)
    for n in range(resamples):
        hits = rng.random(int(place.max()) + 1)[owner] < ordered
        found[n] = np.abs(np.add.reduceat(hits.astype(float), starts) - expected).sum()
    return float(np.quantile(found / len(p), level))
