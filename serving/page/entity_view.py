"""What the page of an account or a lead shows of one score: reasons, themes, signals among peers, history and change. Pure."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.kit.clock import from_us, iso
from features.signals.signal import THEMES
from models.scorer.artefact_schema import SignalSpec
from models.scorer.comparisons import FEWEST
from models.scorer.reason_texts import Reason
from models.scorer.scorer import Scorer
from models.scorer.sentences import is_missing
from serving.page.charts import Bar, Step
from serving.page.entity_words import Value, catalog, label_of, odds, tables_of, value_text
from serving.page.formats import percent

Money = Callable[[float | None], str]
LEAST = 0.005
"""Effect on the log-odds below which a member of a reason is left out: it reads × 1."""


@dataclass(frozen=True)
class Peers:
    """Where a value stands among the rows that a scorer was compared with, and how often the outcome came there."""

    lower: float | None
    """Share of those with a value that lie below the value's bin, 0 to 1; None for a word and for a missing value."""
    alike: float
    """Share in the same bin, with the same word, or without a value either."""
    rows: int
    """In that bin."""
    rate: float | None
    """Share of them with the outcome; None where they are too few to say."""

    @property
    def text(self) -> str:
        if self.lower is None:
            return f"{percent(self.alike)} the same"
        parts = [(self.lower, "lower"), (self.alike, "alike")]
        return ", ".join(f"{percent(share)} {word}" for share, word in parts if share >= 0.0005)


def peers_of(signal: SignalSpec, value: Value) -> Peers | None:
    """Where a value stands; None where the scorer does not know."""
    bins = signal.bins
    if bins is None:
        return None
    known = sum(bins.counts)
    if is_missing(value):
        return _peers(None, bins.missing_count, known + bins.missing_count, bins.missing_rate)
    if signal.vocabulary is not None:
        if not isinstance(value, str) or value not in signal.vocabulary:
            return None  # a word that was never seen has no peers
        place = signal.vocabulary.index(value)
        return _peers(None, bins.counts[place], known + bins.missing_count, bins.rates[place])
    if isinstance(value, str) or value is None or not known:
        return None
    place = bisect.bisect_right(bins.edges, float(value))
    return _peers(sum(bins.counts[:place]) / known, bins.counts[place], known, bins.rates[place])


def _peers(lower: float | None, rows: int, of: int, rate: float) -> Peers | None:
    return Peers(lower, rows / of, rows, rate if rows >= FEWEST else None) if of else None


@dataclass(frozen=True)
class Member:
    """One of the signals that a reason speaks for."""

    text: str
    effect: float
    odds: str


@dataclass(frozen=True)
class ReasonRow:
    """One reason as the page shows it."""

    text: str
    theme: str
    effect: float
    odds: str
    seen: str = ""
    """How often the outcome came among those alike, or how many these were where the sentence says it."""
    members: Sequence[Member] = ()
    """The signals that it speaks for, the strongest first; empty for one that stands alone."""
    weightless: int = 0
    """Members that are left out, as their effect is next to nothing."""


@dataclass(frozen=True)
class SignalRow:
    """One signal as the page shows it."""

    name: str
    label: str
    value: str
    missing: str
    """What a missing value means; empty when there is a value."""
    effect: float | None
    odds: str
    peers: Peers | None
    tables: str


@dataclass(frozen=True)
class Explained:
    """What can be said of one score."""

    up: Sequence[ReasonRow]
    down: Sequence[ReasonRow]
    themes: Sequence[Bar]
    signals: Mapping[str, Sequence[SignalRow]]
    """By theme, in the order of the themes."""
    largest: float
    """The largest effect of a reason, to draw bars by."""
    base_rate: float | None = None
    crowd: str = ""
    outcome: str = ""
    reference: int = 0
    """Rows that peers are counted in; 0 where that is not known."""
    why_less: str = ""
    """Why themes and peers are not known; empty when they are."""


def explained(scorer: Scorer, inputs: Mapping[str, Any], money: Money) -> Explained | None:
    """All that the record's own scorer says of its inputs. None for inputs that it does not take."""
    spec = scorer.spec
    x, faults, _ = scorer.encode_records([inputs])
    if faults[0]:
        return None
    effects, _ = scorer.effects(x)
    own = effects[0].tolist()
    told = scorer.reasons(inputs, effects[0], scorer.topics.count)
    named = {name for reason in told for name in reason.members}
    sentences = {name: scorer.sentence(name, inputs.get(name)) for name in named}
    rows = [reason_row(each, scorer, sentences) for each in told]
    return Explained(
        [row for row in rows if row.effect > 0],
        [row for row in rows if row.effect < 0],
        theme_bars(scorer.by_theme(effects[0])),
        _by_theme(spec.entity, zip(spec.signals, own, strict=True), inputs, money),
        max((abs(row.effect) for row in rows), default=0.0),
        spec.base_rate,
        spec.crowd,
        spec.outcome,
        max((sum(s.bins.counts) + s.bins.missing_count for s in spec.signals if s.bins), default=0),
    )


def recorded(reasons: Sequence[Reason], why_less: str) -> Explained:
    """What the record alone says, where its scorer is gone."""
    rows = [reason_row(each, None, {}) for each in reasons]
    return Explained(
        [row for row in rows if row.effect > 0],
        [row for row in rows if row.effect < 0],
        [],
        {},
        max((abs(row.effect) for row in rows), default=0.0),
        why_less=why_less,
    )


def reason_row(reason: Reason, scorer: Scorer | None, sentences: Mapping[str, str]) -> ReasonRow:
    members = [
        Member(sentences.get(name) or label_of(name), effect, odds(effect)) for name, effect in reason.members.items()
    ]
    heavy = sorted((each for each in members if abs(each.effect) >= LEAST), key=lambda each: -abs(each.effect))
    seen = ""
    if scorer is not None and (peers := peers_of(scorer.signal(reason.signal), reason.value)) is not None:
        seen = seen_text(peers, reason.text, scorer.spec.outcome)
    return ReasonRow(
        reason.text, reason.theme, reason.effect, odds(reason.effect), seen, heavy, len(members) - len(heavy)
    )


def seen_text(peers: Peers, sentence: str, outcome: str) -> str:
    """
    >>> seen_text(Peers(None, 0.1, 685, 0.12), "The contract is up; of accounts like it, 12 % left (7 % overall).", "left")
    '685 alike'
    >>> seen_text(Peers(None, 0.1, 3671, 0.049), "The term is 12 months.", "left"), seen_text(Peers(0, 0, 3, None), "", "left")
    ('of 3,671 alike, 4.9 % left', '3 alike: too few to compare')
    """
    if peers.rate is None:
        return f"{peers.rows:,} alike: too few to compare"
    if f" {percent(peers.rate)} {outcome}" in sentence:
        return f"{peers.rows:,} alike"
    return f"of {peers.rows:,} alike, {percent(peers.rate)} {outcome}"


def theme_bars(effects: Mapping[str, float]) -> list[Bar]:
    """One bar a theme, the strongest first."""
    ordered = sorted(effects.items(), key=lambda pair: -abs(pair[1]))
    return [Bar(name, effect, odds(effect), "bar-up" if effect > 0 else "bar-down") for name, effect in ordered]


def _by_theme(
    entity: str, signals: Iterable[tuple[SignalSpec, float]], values: Mapping[str, Any], money: Money
) -> dict[str, list[SignalRow]]:
    found: dict[str, list[SignalRow]] = {theme: [] for theme in THEMES}
    for spec, effect in signals:
        value = values.get(spec.name)
        row = SignalRow(
            spec.name,
            label_of(spec.name, spec.label),
            value_text(spec.unit, value, money),
            spec.missing if is_missing(value) else "",
            effect,
            odds(effect),
            peers_of(spec, value),
            tables_of(entity, spec.name, spec.theme),
        )
        found.setdefault(spec.theme, []).append(row)
    return {theme: rows for theme, rows in found.items() if rows}


def steps(rows: Sequence[Mapping[str, Any]], when: Callable[[str], str]) -> list[Step]:
    """The history of scores, oldest first, from records newest first: one point a moment, the newest record of it."""
    found: dict[int, Step] = {}
    for row in rows:
        if row["score"] is not None and row["as_of"] not in found:
            moment = iso(from_us(row["as_of"]))
            version = "–" if row["version"] is None else str(row["version"])
            found[row["as_of"]] = Step(row["as_of"] / 86_400e6, row["score"], when(moment), version)
    return [found[us] for us in sorted(found)]


@dataclass(frozen=True)
class Fact:
    """A line of facts."""

    label: str
    value: str


def facts(entity: str, names: Sequence[str], values: Mapping[str, Value], money: Money) -> list[Fact]:
    """Stored signals as facts, those that have a value."""
    known = catalog(entity)
    return [
        Fact(label_of(name, known[name].label), value_text(known[name].unit, values[name], money))
        for name in names
        if name in known and not is_missing(values.get(name))
    ]


def stored_rows(entity: str, values: Mapping[str, Value], money: Money) -> list[SignalRow]:
    """Stored signals, where no score says more of them."""
    known, found = catalog(entity), []
    for name, value in values.items():
        signal = known.get(name)
        unit, label, theme = (signal.unit, signal.label, signal.theme) if signal else ("", None, "custom")
        said = value_text(unit, value, money)
        found.append(SignalRow(name, label_of(name, label), said, "", None, "", None, tables_of(entity, name, theme)))
    return found
