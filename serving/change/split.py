"""Why a score moved: the difference of two log-odds, split without a remainder.

The way from the old score to the new one is walked in steps: with the old version, first the signals that somebody or
something changed, then those that the clock alone moved; then the new version in the place of the old one, on the new
inputs. Each step's difference is its part. Within a step the signals' shares are the differences of their exact effects
(Shapley values, so they sum to the step); one that did not move can have a share, because it weighs otherwise beside the
others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.scorer import Scorer
from models.spec import SignalSpec
from models.words import Value, say

DAY_US = 86_400_000_000
Inputs = Mapping[str, Value]


@dataclass(frozen=True)
class Share:
    """One signal's share of a part."""

    signal: str
    theme: str
    part: str
    """signals or time."""
    before: Value
    after: Value
    effect: float
    """On the log-odds."""
    text: str


@dataclass(frozen=True)
class Split:
    """`log_odds` sums to `total`, `score` to the difference of the percentiles."""

    total: float
    log_odds: dict[str, float]
    """signals, time, version."""
    score: dict[str, int]
    """signals, time, version, thresholds: the last is the new version's reference population on the same probability."""
    bands: list[tuple[str, str]]
    """(start or part, band after it), on the way."""
    shares: list[Share]
    not_read: list[str]
    """Signals of the old version that the new one did not record: taken as they were."""


def split(old: Scorer, new: Scorer, before: Inputs, after: Inputs, elapsed_us: int) -> Split:
    """`before` as the old version read it, `after` as the new one did, `elapsed_us` apart."""
    not_read = [name for name in old.names if name not in after]
    carried = {name: after.get(name, before.get(name)) for name in old.names}
    moved = [name for name in old.names if not same(before.get(name), carried[name])]
    by_time = {name for name in moved if moved_by_clock(old, name, before, carried, elapsed_us)}
    middle = {name: before.get(name) if name in by_time else carried[name] for name in old.names}
    x = _encoded(old, [before, middle, carried])
    z, effects = old.explain(x)
    z_new = new.log_odds(_encoded(new, [after]))[0] if new.sha256 != old.sha256 else z[2]
    parts = parts_of(z, z_new)
    found = shares_of(old, before, middle, carried, effects, parts)
    return Split(float(z_new - z[0]), parts, *_on_the_way(old, new, np.array([*z, z_new])), found, not_read)


def parts_of(z: np.ndarray, z_new: float) -> dict[str, float]:
    """What each step adds to the log-odds: (3,) of the old version before, without and with the clock, and the new one's."""
    total = float(z_new - z[0])
    parts = {"signals": float(z[1] - z[0]), "time": float(z[2] - z[1]), "version": float(z_new - z[2])}
    # Differences of rounded numbers miss the rounded difference by some 1e-16: the largest part takes it.
    largest = max(parts, key=lambda part: abs(parts[part]))
    parts[largest] += total - math.fsum(parts.values())
    return parts


def shares_of(
    old: Scorer, before: Inputs, middle: Inputs, carried: Inputs, effects: np.ndarray, parts: Mapping[str, float]
) -> list[Share]:
    """The signals' shares of the first two parts, the largest first; `effects` (3, signals) are of the three inputs."""
    return _sorted(
        [
            *_shares(old, "signals", before, middle, effects[1] - effects[0], parts["signals"]),
            *_shares(old, "time", middle, carried, effects[2] - effects[1], parts["time"]),
        ]
    )


def same(left: Value, right: Value) -> bool:
    """Missing is missing."""
    return (left is None and right is None) or (left is not None and right is not None and left == right)


def moved_by_clock(scorer: Scorer, name: str, before: Inputs, after: Inputs, elapsed_us: int) -> bool:
    """Whether a signal that moved did so without a new row.

    An age or a term in days has when it moved by just the days that passed. Another signal that the clock moves (the flag of
    the catalog: things leave its window) has when the theme's `days_since_...` say that nothing happened in between.
    """
    signal = scorer.signal(name)
    if not signal.by_clock:
        return False
    elapsed = elapsed_us / DAY_US
    if signal.unit == "days" and signal.window == "before as_of":
        old, now = before.get(name), after.get(name)
        return isinstance(old, (int, float)) and isinstance(now, (int, float)) and abs(abs(now - old) - elapsed) < 1
    ages = [after.get(each.name) for each in scorer.spec.signals if each.theme == signal.theme and is_last(each)]
    known = [age for age in ages if isinstance(age, (int, float))]
    return bool(known) and min(known) >= math.floor(elapsed) > 0


def is_last(signal: SignalSpec) -> bool:
    """Whether it says how long ago something last happened."""
    name = signal.name
    return signal.by_clock and signal.unit == "days" and name.startswith("days_since_") and "first" not in name


def _encoded(scorer: Scorer, rows: list[Inputs]) -> np.ndarray:
    """Raises `ValueError` when a row is none of the scorer's."""
    kept = [{name: row.get(name) for name in scorer.names} for row in rows]
    x, faults, _ = scorer.encode_records(kept)
    if any(faults):
        raise ValueError("the recorded inputs do not fit the scorer that recorded them")
    return x


def _shares(scorer: Scorer, part: str, before: Inputs, after: Inputs, effects: np.ndarray, whole: float) -> list[Share]:
    found = [
        Share(s.name, s.theme, part, before.get(s.name), after.get(s.name), float(effect), say(scorer.spec, s, after.get(s.name)))
        for s, effect in zip(scorer.spec.signals, effects, strict=True)
        if effect != 0
    ]  # fmt: skip
    if found:
        rest = whole - math.fsum(share.effect for share in found)
        place = max(range(len(found)), key=lambda at: abs(found[at].effect))
        largest = found[place]
        found[place] = Share(**{**largest.__dict__, "effect": largest.effect + rest})
    return found


def _sorted(shares: list[Share]) -> list[Share]:
    return sorted(shares, key=lambda share: (-abs(share.effect), share.signal, share.part))


def _on_the_way(old: Scorer, new: Scorer, z: np.ndarray) -> tuple[dict[str, int], list[tuple[str, str]]]:
    from models.scorer import sigmoid

    p = sigmoid(z)
    by_old, by_new = old.percentile(p), new.percentile(p[3:])
    score = {
        "signals": int(by_old[1] - by_old[0]),
        "time": int(by_old[2] - by_old[1]),
        "version": int(by_old[3] - by_old[2]),
        "thresholds": int(by_new[0] - by_old[3]),
    }
    bands = [
        *zip(("start", "signals", "time", "version"), old.band(p), strict=True),
        ("thresholds", new.band(p[3:])[0]),
    ]
    return score, bands
