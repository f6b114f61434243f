"""What a scorer's files hold, as types. JSON through msgspec, so that a wrong shape is refused on reading."""

from __future__ import annotations

from typing import Literal

import msgspec

from models.population import EVERYBODY, Population

FORMAT, NARROWED = 2, 3
READABLE = (1, 2, 3)
"""Format N reads N-1. 2 has the verdict; 3 is that of a scorer with a population alone, which an older version must not score past."""


class Numbered(msgspec.Struct, frozen=True, kw_only=True):
    """The format number of a file."""

    format: int


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What people read about a signal (`features.signals.signal.Phrase`)."""

    some: str
    zero: str | None = None
    negative: str | None = None
    missing: str | None = None
    one: str | None = None
    like: str | None = None
    like_negative: str | None = None
    pair: str | None = None
    beside: str | None = None


class Bins(msgspec.Struct, frozen=True, kw_only=True):
    """How often the outcome came in the reference population, by value: counted over rows that the model did not learn from."""

    edges: list[float]
    """Numbers: bin i holds edges[i-1] <= x < edges[i]; texts have none and are counted per word."""
    rates: list[float]
    counts: list[int]
    missing_rate: float = 0.0
    missing_count: int = 0
    whole: bool = False
    """Whether all numbers were whole ones."""


class SignalSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One signal as the scorer knows it: description, phrases, vocabulary, range and bins."""

    name: str
    theme: str
    unit: str
    label: str
    window: str
    missing: str
    words: Words
    vocabulary: list[str] | None = None
    """Words of a category in the order of their codes; None for a number."""
    low: float | None = None
    """Smallest and largest number seen in training."""
    high: float | None = None
    missing_share: float = 0.0
    by_clock: bool = False
    decimal: Literal[".", ","] = "."
    """The decimal mark of texts of a flat file that could be read either way, such as 1,234."""
    topic: str = ""
    """Signals of one topic share a reason; empty in scorers of 0.1, where it is the name without its window."""
    bins: Bins | None = None


class VerdictSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict of the gates when the scorer was judged."""

    code: str
    """In one word: "ready", "no_signal" ... (`training.verdicts`)."""
    says: str
    """For people: "ready", "no signal found" ..."""
    ready: bool
    """Whether it is for use."""
    why: list[str] = []
    """A sentence for each gate that did not hold."""


class ScorerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """`scorer.json`."""

    format: int
    model: str
    title: str
    entity: Literal["account", "lead"]
    horizon_days: int
    outcome: str
    crowd: str
    signals: list[SignalSpec]
    bands: list[tuple[str, int]]
    base_rate: float
    """Observed share of the outcome in the training rows, 0 to 1."""
    quantiles: list[float]
    """99 quantiles (1 % to 99 %) of the probability over the reference population."""
    trained_from: str | None = None
    trained_to: str | None = None
    data_fingerprint: str | None = None
    source: str | None = None
    metrics: dict[str, object] = {}
    verdict: VerdictSpec | None = None
    """None in format 1, and for a scorer that was never judged."""
    population: Population | msgspec.UnsetType = msgspec.UNSET
    """The population that it was learnt from and is for; left out of the file when that is everybody who is eligible."""

    @property
    def narrowed(self) -> Population:
        """The population, that of everybody included."""
        return EVERYBODY if self.population is msgspec.UNSET else self.population


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What one signal adds to the log-odds of the linear part.

    A number: linear between `knots`, constant beyond them. A text: `values[code]`, the last one for any unseen word;
    `knots` is empty. `missing` when there is no value; `mean` over the reference population.
    """

    knots: list[float]
    values: list[float]
    missing: float
    mean: float


class LinearSpec(msgspec.Struct, frozen=True, kw_only=True):
    """`linear.json`: bias (calibration's level included) and one shape per signal."""

    bias: float
    shapes: list[Shape]


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """`golden.json`: rows with the numbers that they must give; trees as LightGBM itself gave them."""

    rows: list[list[float | None]]
    trees: list[float]
    log_odds: list[float]
    effects: list[list[float]]


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Checksum and size of a file."""

    sha256: str
    bytes: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`MANIFEST.json`; the scorer's own sha256 is that of this file."""

    format: int
    files: dict[str, FileEntry]
