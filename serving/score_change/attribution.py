"""Why a score changed: splits the difference of two log-odds exactly into data, time and model version.

*Time* is the score of the rows known before the old score, at the new moment, minus the old score. *Data* is the rest:
rows that arrived since, or old rows that changed (see `Old`). Both are by the old version. *Version* is the new version
minus the old one, on the new inputs. Within a part the signals' shares are differences of their exact effects (Shapley
values), so they sum to the part; a signal that did not change can have a share, because its effect depends on the
others. If the record lacks the old rows, data and time are one part, `unsplit`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.scorer.reason_texts import Value
from models.scorer.scorer import Scorer
from serving.decisions.earlier_rows import Inputs, Old

DATA, TIME, UNSPLIT, VERSION, THRESHOLDS = "data", "time", "unsplit", "version", "thresholds"


@dataclass(frozen=True)
class Share:
    """One signal's share of a part."""

    signal: str
    theme: str
    part: str
    """data, time or unsplit."""
    before: Value
    after: Value
    effect: float
    """On the log-odds; 0 means no effect."""
    text: str


@dataclass(frozen=True)
class Attribution:
    """The split. `log_odds` sums to `total`, and `score` to the difference of the percentiles."""

    total: float
    log_odds: dict[str, float]
    """By part: data and time, or unsplit; and version."""
    score: dict[str, int]
    """By the same parts, in percentile points, and thresholds: the new version's reference population at the same
    probability."""
    bands: list[tuple[str, str]]
    """Steps from the old to the new score: (start or part, band after it)."""
    shares: list[Share]
    not_read: list[str]
    """Signals of the old version that the new record lacks: their old values are used."""


def split(old: Scorer, new: Scorer, before: Inputs, after: Inputs, rows: Old | None) -> Attribution:
    """`before` are the inputs of the old record, `after` those of the new one. `rows` is None where the record lacks
    the old rows."""
    not_read = [name for name in old.names if name not in after]
    was = {name: before.get(name) for name in old.names}
    now = {name: after.get(name, was[name]) for name in old.names}
    given = Old() if rows is None else rows
    restated = {name: given.restated.get(name, was[name]) if name in after else was[name] for name in old.names}
    aged = {name: given.aged.get(name, now[name]) if name in after else was[name] for name in old.names}
    way = (was, restated, aged, now)
    x = _encoded(old, way)
    z, effects = old.explain(x)
    z_new = new.log_odds(_encoded(new, [after]))[0] if new.sha256 != old.sha256 else z[3]
    parts = parts_of(z, z_new, rows is not None)
    found = shares_of(old, way, effects, parts)
    return Attribution(float(z_new - z[0]), parts, *_on_the_way(old, new, np.array([*z, z_new]), rows), found, not_read)


def parts_of(z: np.ndarray, z_new: float, is_split: bool = True) -> dict[str, float]:
    """What each part adds to the log-odds. `z` (4,) are log-odds by the old version: before, restated, aged, now.
    `z_new` is by the new version."""
    total = float(z_new - z[0])
    if is_split:
        parts = {DATA: float((z[1] - z[0]) + (z[3] - z[2])), TIME: float(z[2] - z[1])}
    else:
        parts = {UNSPLIT: float(z[3] - z[0])}
    parts[VERSION] = float(z_new - z[3])
    # The rounding error of some 1e-16 goes to the largest part, so that the sum is exact.
    largest = max(parts, key=lambda part: abs(parts[part]))
    parts[largest] += total - math.fsum(parts.values())
    return parts


def moved_by(effects: np.ndarray, is_split: bool = True) -> dict[str, np.ndarray]:
    """The share (..., signals) of each part, from the effects (4, ..., signals) before, restated, aged and now."""
    if not is_split:
        return {UNSPLIT: effects[3] - effects[0]}
    return {DATA: (effects[1] - effects[0]) + (effects[3] - effects[2]), TIME: effects[2] - effects[1]}


def shares_of(
    old: Scorer, way: Sequence[Inputs], effects: np.ndarray, parts: Mapping[str, float], k: int | None = None
) -> list[Share]:
    """The signals' shares, the largest first; the first `k` with their sentence (None: all). `effects` (4, signals) are
    of the four inputs in `way`."""
    was, restated, aged, now = way
    found = []
    for part, moved in moved_by(effects, UNSPLIT not in parts).items():
        ends = {DATA: (_data_from(was, restated, aged, now), now), TIME: (restated, aged), UNSPLIT: (was, now)}[part]
        found += _shares(old, part, ends, moved, parts[part])
    found.sort(key=lambda share: (-abs(share.effect), share.signal, share.part))
    # The sentence is about the present value, whatever changed it: the aged value was never true.
    told = len(found) if k is None else k
    said = [replace(s, text=old.sentence(s.signal, now[s.signal])) for s in found[:told]]
    return said + found[told:]


def same(left: Value, right: Value) -> bool:
    """Whether two values are equal; None equals None."""
    return (left is None and right is None) or (left is not None and right is not None and left == right)


def _data_from(was: Inputs, restated: Inputs, aged: Inputs, now: Inputs) -> Inputs:
    """The value from which data changed each signal: the aged one, or the old one where the signal was restated and the
    aged value equals the present one."""
    return {n: was[n] if same(aged[n], now[n]) and not same(was[n], restated[n]) else aged[n] for n in now}


def _encoded(scorer: Scorer, rows: Sequence[Inputs]) -> np.ndarray:
    """Raises `ValueError` when a row does not fit the scorer."""
    kept = [{name: row.get(name) for name in scorer.names} for row in rows]
    x, faults, _ = scorer.encode_records(kept)
    if any(faults):
        raise ValueError("the recorded inputs do not fit the scorer that recorded them")
    return x


def _shares(scorer: Scorer, part: str, ends: tuple[Inputs, Inputs], effects: np.ndarray, whole: float) -> list[Share]:
    before, after = ends
    found = [
        Share(s.name, s.theme, part, before[s.name], after[s.name], float(effect), "")
        for s, effect in zip(scorer.spec.signals, effects, strict=True)
        if effect != 0
    ]
    if found:
        rest = whole - math.fsum(share.effect for share in found)
        place = max(range(len(found)), key=lambda at: abs(found[at].effect))
        found[place] = replace(found[place], effect=found[place].effect + rest)
    return found


def _on_the_way(
    old: Scorer, new: Scorer, z: np.ndarray, rows: Old | None
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    from models.scorer.sigmoid import sigmoid

    p = sigmoid(z)
    by_old, by_new = old.percentile(p), new.percentile(p[4:])
    score = points_of(np.array([*by_old, *by_new])[:, None], rows is not None)
    names: tuple[str, ...] = ("start", DATA, TIME, DATA, VERSION)
    if rows is None:
        names = ("start", "", "", UNSPLIT, VERSION)
    elif not rows.restated:
        names = ("start", "", TIME, DATA, VERSION)
    bands = [(name, band) for name, band in zip(names, old.band(p), strict=True) if name]
    return {part: int(own[0]) for part, own in score.items()}, [*bands, (THRESHOLDS, new.band(p[4:])[0])]


def points_of(at: np.ndarray, is_split: bool = True) -> dict[str, np.ndarray]:
    """Points of the score (n,) by part. `at` (6, n) are percentiles: before, restated, aged, now and the new version's
    probability by the old reference population, then the latter by the new one."""
    split_up = {DATA: (at[1] - at[0]) + (at[3] - at[2]), TIME: at[2] - at[1]}
    found = split_up if is_split else {UNSPLIT: at[3] - at[0]}
    return {**found, VERSION: at[4] - at[3], THRESHOLDS: at[5] - at[4]}
