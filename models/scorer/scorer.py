"""The portable scorer: a verified directory in, probabilities with exact reasons out.

Needs numpy, msgspec and lignum alone: no pickle, no pandas, no registry, and LightGBM only where lignum cannot be installed.
"""

from __future__ import annotations

import bisect
import io
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from features.kit.errors import AccountscoreError, BadInput, Fault
from models.scorer import artefact
from models.scorer.artefact import ScorerRefused
from models.scorer.artefact_schema import Golden, LinearSpec, ScorerSpec, SignalSpec
from models.scorer.bins import Cells
from models.scorer.booster import read_booster
from models.scorer.columns import numbers, words
from models.scorer.encoder import Encoder
from models.scorer.linear import Linear
from models.scorer.linear import cuts_of as knots_of
from models.scorer.reason_texts import Reason, Speaker, Value
from models.scorer.reasons import Told, say_all, tell
from models.scorer.sigmoid import sigmoid
from models.scorer.topics import Topics
from models.scorer.trees import NODES, OUTCOMES, Tables, TreeReasons, cuts_of, parse

__all__ = ["Reason", "Scorer", "ScorerRefused"]

GOLDEN_TOLERANCE = 1e-9
"""Allowed difference of a golden effect; scores must agree to the bit."""
UNREADABLE = (
    msgspec.MsgspecError,
    AccountscoreError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    OSError,
    RuntimeError,
)
"""What the file readers raise on files that match their manifest and are still not those of a scorer."""


class Scorer:
    """A model that scores. Make one with `Scorer.load`; it never changes."""

    def __init__(
        self, spec: ScorerSpec, linear: Linear, booster: Any, reasons: TreeReasons | None, sha256: str
    ) -> None:
        self.spec = spec
        self.sha256 = sha256
        self._linear = linear
        self._booster = booster
        self._reasons = reasons
        self.names = tuple(s.name for s in spec.signals)
        self._encoder = Encoder(spec)
        self._place = {name: j for j, name in enumerate(self.names)}
        self._speakers = [Speaker(spec, signal) for signal in spec.signals]
        self.topics = Topics(spec.signals)
        self._groups = [
            (own, [self.names[j] for j in own], itemgetter(*own) if len(own) > 1 else None) for own in self.topics.lists
        ]
        self._tellers = [
            (s.name, s.theme, say, None if say.beside is None else self.names[say.beside])
            for s, say in zip(spec.signals, self._speakers, strict=True)
        ]
        self._quantiles = list(spec.quantiles)
        self.band_names = [next(name for name, lowest in spec.bands if p >= lowest) for p in range(1, 101)]
        """By percentile - 1."""
        self.themes = sorted({s.theme for s in spec.signals})
        self.theme_of = np.array([self.themes.index(s.theme) for s in spec.signals], dtype=np.int64)
        self._by_theme = self.theme_of.argsort(kind="stable")
        self._theme_starts = self.theme_of[self._by_theme].searchsorted(np.arange(len(self.themes)))
        # Base of the effects: what the parts expect of the reference population.
        self.base = linear.bias + float(np.add.accumulate(linear.means)[-1] if len(linear.means) else 0.0)
        self.base += reasons.base if reasons else 0.0

    @classmethod
    def load(cls, directory: Path) -> Scorer:
        """Verify a directory and replay its golden rows.

        Raises `ScorerRefused` with the reason when anything is wrong with it.
        """
        directory = Path(directory)
        files, sha256 = artefact.read_files(directory)
        try:
            spec = msgspec.json.decode(files["scorer.json"], type=ScorerSpec)
            shapes = msgspec.json.decode(files["linear.json"], type=LinearSpec)
            golden = msgspec.json.decode(files["golden.json"], type=Golden)
            booster, linear, reasons = _parts(files, shapes, len(spec.signals))
            scorer = cls(spec, linear, booster, reasons, sha256)
        except ScorerRefused:
            raise
        except UNREADABLE as error:
            raise ScorerRefused(directory, f"its files cannot be read: {error}") from None
        scorer._replay(directory, golden)
        return scorer

    def _replay(self, directory: Path, golden: Golden) -> None:
        if not golden.rows:
            raise ScorerRefused(directory, "it has no golden rows")
        x = np.array([[math.nan if v is None else v for v in row] for row in golden.rows], dtype=np.float64)
        if x.shape != (len(golden.rows), len(self.names)):
            raise ScorerRefused(directory, "its golden rows have another shape than its signals")
        for what, given, expected in (
            ("trees", self._tree_scores(x), golden.trees),
            ("log-odds", self.log_odds(x), golden.log_odds),
            ("log-odds beside the reasons", self.explain(x)[0], golden.log_odds),
        ):
            wrong = np.flatnonzero(given != np.array(expected))
            if len(wrong):
                raise ScorerRefused(
                    directory, f"{len(wrong)} of {len(x)} golden rows give other {what} than when it was made"
                )
        effects, base = self.effects(x)
        if np.abs(effects - np.array(golden.effects)).max(initial=0.0) > GOLDEN_TOLERANCE:
            raise ScorerRefused(directory, "its golden rows give other reasons than when it was made")
        if np.abs(effects.sum(axis=1) + base - self.log_odds(x)).max(initial=0.0) > GOLDEN_TOLERANCE:
            raise ScorerRefused(directory, "its reasons do not sum to its scores")

    # Encoding

    def encode(self, columns: Mapping[str, Any]) -> np.ndarray:
        """(n, k) float64 from columns by name: arrays, sequences or Arrow columns; null and NaN are missing.

        Columns that the scorer does not use are passed over; one that it uses and that is absent is a fault.
        """
        absent = [name for name in self.names if name not in columns]
        if absent:
            raise BadInput(
                "columns to score",
                [
                    Fault(
                        where=f"column {name}",
                        found="it is missing",
                        rule=f"the scorer of {self.spec.model} was trained with it",
                        next_step="add it; null is allowed",
                    )
                    for name in absent
                ],
            )
        out: np.ndarray | None = None
        for j, (name, codes) in enumerate(zip(self.names, self._encoder.codes, strict=True)):
            encoded = numbers(name, columns[name]) if codes is None else words(columns[name], codes)
            if out is None:
                out = np.empty((len(encoded), len(self.names)))
            out[:, j] = encoded
        return np.empty((0, 0)) if out is None else out

    def encode_records(
        self, records: Sequence[Mapping[str, Any]], numbers: Sequence[int] | None = None
    ) -> tuple[np.ndarray, list[list[Fault]], list[list[str]]]:
        """(n, k) float64 from records by signal name, and per record its faults and its warnings.

        A signal that a record lacks is missing. Faults: an unknown signal, a text where a number belongs (or the reverse),
        NaN and infinity. Warnings: an unseen word, a number outside the range of training. A row with faults is all NaN.
        A fault calls its record by its place, or by its number where `numbers` are given.
        """
        return self._encoder(records, numbers)

    def pack(self, record: Mapping[str, Any]) -> list[Any]:
        """A record that this scorer encodes, without the names: to be kept beside the scorer's sha256."""
        return self._encoder.pack(record)

    def unpack(self, packed: Sequence[Any]) -> dict[str, Any]:
        """The record again. Raises `ValueError` for one of another scorer."""
        return self._encoder.unpack(packed)

    def absent(self, given: tuple[str, ...]) -> list[str]:
        """The signals, by name, that are not among the given names."""
        return self._encoder.absent(given)

    # Scores

    def log_odds(self, x: np.ndarray) -> np.ndarray:
        """(n,) calibrated log-odds of encoded rows; any batch gives a row the same bits."""
        x = np.ascontiguousarray(x, dtype=np.float64)
        if self._linear.is_flat:
            return self._linear.bias + self._tree_scores(x)
        return self._linear.total(self._linear.terms(x)) + self._tree_scores(x)

    def explain(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """((n,) log-odds, (n, k) effects), the same bits as `log_odds` and `effects`, for about the price of `log_odds`."""
        x = np.ascontiguousarray(x, dtype=np.float64)
        if len(x) <= TreeReasons.CHUNK:
            return self._explain(x)
        log_odds, effects = np.empty(len(x)), np.empty(x.shape)
        for start in range(0, len(x), TreeReasons.CHUNK):
            part = slice(start, start + TreeReasons.CHUNK)
            log_odds[part], effects[part] = self._explain(x[part])
        return log_odds, effects

    def _explain(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        linear, trees = self._linear, self._reasons
        if linear.is_flat:
            if trees is None:
                return np.full(len(x), linear.bias), np.zeros(x.shape)
            raw, effects = trees.explain(trees.cells.find(x))
            return linear.bias + raw, effects
        cells = linear.cells.find(x)
        raw, effects = (np.zeros(len(x)), np.zeros(x.shape)) if trees is None else trees.explain(cells)
        terms = linear.terms_at(x, cells)
        log_odds = linear.total(terms) + raw
        terms -= linear.means
        terms += effects
        return log_odds, terms

    def probability(self, x: np.ndarray) -> np.ndarray:
        """(n,) calibrated probability, 0 to 1."""
        return sigmoid(self.log_odds(x))

    def percentile(self, probability: np.ndarray) -> np.ndarray:
        """(n,) 1..100: the share of the reference population at or below."""
        return np.searchsorted(self._quantiles, probability, side="right") + 1

    def standing(self, probability: float) -> tuple[int, str]:
        """(percentile, name of the band) of one probability."""
        percentile = bisect.bisect_right(self._quantiles, probability) + 1
        return percentile, self.band_names[percentile - 1]

    def band(self, probability: np.ndarray) -> list[str]:
        """Name of the band of each probability."""
        return [self.band_names[p - 1] for p in self.percentile(probability).tolist()]

    def _tree_scores(self, x: np.ndarray) -> np.ndarray:
        if self._booster is None or not len(x):
            return np.zeros(len(x))
        return np.asarray(self._booster.predict(x, raw_score=True, n_jobs=1)).reshape(len(x))

    # Reasons

    def effects(self, x: np.ndarray) -> tuple[np.ndarray, float]:
        """((n, k) effects on the log-odds, base): exact path-dependent SHAP values; base + row sums are the log-odds."""
        return self.explain(x)[1], self.base

    def reasons(self, values: Mapping[str, Value], effects: np.ndarray, k: int) -> list[Reason]:
        """The k reasons that move this score most, up or down, the strongest first; what has no effect is left out.

        Signals that say the same are one reason (`models.scorer.topics`). `values` are the record's signals by name, `effects` its row
        of `effects`.
        """
        return self.reasons_of([values], effects.reshape(1, -1), k)[0]

    def reasons_of(self, records: Sequence[Mapping[str, Value]], effects: np.ndarray, k: int) -> list[list[Reason]]:
        """`reasons` of each record; `effects` (n, signals)."""
        sums = self.topics.sums(effects)
        strength = np.abs(sums)
        totals = strength.sum(axis=1).tolist()
        order = (-strength).argsort(axis=1, kind="stable")[:, :k]
        picked = sums.ravel().take(order + (np.arange(len(sums)) * sums.shape[1])[:, None])
        columns = (order.tolist(), picked.tolist(), totals, effects.tolist())
        return [self._reasons_of(*row) for row in zip(records, *columns, strict=True)]

    def _reasons_of(
        self, values: Mapping[str, Value], groups: list[int], sums: list[float], total: float, effects: list[float]
    ) -> list[Reason]:
        found = []
        for group, effect in zip(groups, sums, strict=True):
            if not effect:
                break
            up = effect > 0
            own, own_names, pick = self._groups[group]
            if pick is None:
                j, members = own[0], {}
            else:
                parts = pick(effects)
                j = own[parts.index(max(parts) if up else min(parts))]
                members = dict(zip(own_names, parts, strict=True))
                if 0.0 in parts:
                    members = {name: part for name, part in members.items() if part}
                    if len(members) == 1:
                        members = {}
            name, theme, say, base = self._tellers[j]
            value = values.get(name)
            if value.__class__ is not float:
                if isinstance(value, bool):
                    value = float(value)
            elif math.isnan(value):
                value = None
            text = say(value, up) if base is None else say(value, up, values.get(base))
            if up:
                found.append(Reason(name, theme, value, "up", effect, effect / total, text, members))
            else:
                found.append(Reason(name, theme, value, "down", effect, -effect / total, text, members))
        return found

    def tell(self, x: np.ndarray, effects: np.ndarray, k: int) -> Told:
        """The reasons of many rows as flat arrays, equal to `reasons` of each: from encoded rows (n, k) and their effects, both float64."""
        return tell(self._speakers, self.topics, x, effects, k)

    def say(self, signals: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """((m,) places, texts): the sentence about each of (m,) encoded values of (m,) signals is `texts[place]`, without a
        word of the outcome."""
        return say_all(self._speakers, signals, values)

    def sentence(self, name: str, value: Value) -> str:
        """What `models.scorer.reason_texts.say` writes of a signal's value, by what was prepared at loading: 1 us against 0.5 ms."""
        return self._speakers[self._place[name]](value)

    def by_theme(self, effects: np.ndarray) -> dict[str, float]:
        """Effects summed by theme."""
        return self.by_themes(effects.reshape(1, -1))[0]

    def by_themes(self, effects: np.ndarray) -> list[dict[str, float]]:
        """`by_theme` of each row of (n, k) effects."""
        return [dict(zip(self.themes, row, strict=True)) for row in self.theme_sums(effects).tolist()]

    def theme_sums(self, effects: np.ndarray) -> np.ndarray:
        """(n, themes): (n, k) effects summed by theme; any batch gives a row the same bits."""
        return np.add.reduceat(effects.take(self._by_theme, axis=1), self._theme_starts, axis=1)

    def signal(self, name: str) -> SignalSpec:
        """The description of a signal. Raises `KeyError` for a name that the scorer does not have."""
        return self.spec.signals[self._place[name]]

    @property
    def codes(self) -> dict[str, Mapping[str, float] | None]:
        """By signal: the code of each word that it learnt; None for a number."""
        return dict(zip(self.names, self._encoder.codes, strict=True))


def _parts(files: Mapping[str, bytes], shapes: LinearSpec, signals: int) -> tuple[Any, Linear, TreeReasons | None]:
    """The trees' fast reader, the linear part and the reason tables, the last two over one partition into cells."""
    if len(shapes.shapes) != signals:
        raise ValueError(f"linear.json has {len(shapes.shapes)} shapes, scorer.json {signals} signals")
    if "booster.txt" not in files:
        return None, Linear(shapes), None
    text = files["booster.txt"]
    booster = read_booster(text)
    with np.load(io.BytesIO(files["tables.npz"]), allow_pickle=False) as stored:
        tables = Tables(stored["slots"], stored["values"], float(stored["base"]))
    trees = parse(text.decode())
    if tables.values.shape != (len(trees), OUTCOMES, NODES) or tables.slots.shape != (len(trees), NODES):
        raise ValueError("the reason tables are those of other trees")
    linear = Linear(shapes)
    if linear.is_flat:
        return booster, linear, TreeReasons(trees, tables, signals)
    asked = cuts_of(trees, signals)
    cells = Cells([np.concatenate([knots_of(s), own]) for s, own in zip(shapes.shapes, asked, strict=True)])
    return booster, Linear(shapes, cells), TreeReasons(trees, tables, signals, cells)
