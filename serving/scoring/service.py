"""What a score request means: where its signals come from, what is scored, what is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET

from features.signal import FIT_THEMES
from models.scorer import sigmoid
from serving.champion import Champion
from serving.clock import from_us, iso
from serving.history import repository as history
from serving.overrides.repository import Override
from serving.privacy.marks import Marks
from serving.scoring import no_score
from serving.scoring.body import Parsed, error_of
from serving.scoring.panel import at_stake
from serving.scoring.repository import StoredSignals, Values
from serving.scoring.schemas import (
    ExpectedValue,
    FaultJson,
    FitIntent,
    NoScore,
    OverrideShown,
    Reason,
    Record,
    RecordError,
    Result,
    ScoreAnswer,
    ValueAtRisk,
)  # fmt: skip
from serving.scoring.trend import DAY_US, trend

Stored = Mapping[str, StoredSignals]
FRESH_US = 2 * DAY_US
"""Older than a nightly batch that ran: said in a warning."""


@dataclass(frozen=True)
class Terms:
    """What a request is answered under: the same for all its records."""

    now_us: int
    currency: str = "USD"
    stale_after_us: int | None = None
    """Stored signals that are older get no score; None for the model's horizon."""
    marks: Marks = field(default_factory=Marks)
    record: bool = True
    """Whether decision records are wanted."""

    def too_old(self, champion: Champion, as_of_us: int) -> bool:
        limit = champion.horizon_days * DAY_US if self.stale_after_us is None else self.stale_after_us
        return self.now_us - as_of_us > limit


@dataclass
class _Subject:
    """One record on its way through."""

    index: int
    entity_id: str | None
    as_of_us: int
    value: float | None
    values: Values
    signals_from: str
    overlaid: list[str] | None = None
    warnings: list[str] = field(default_factory=list)
    no_score: str | None = None
    earlier_score: int | None = None
    recorded: bool = True
    """Whether a decision record is kept: not of what was erased."""


@dataclass
class Scored:
    """An answer, and the decision records that belong to it."""

    answer: ScoreAnswer
    decisions: list[dict[str, Any]]


def ids_of(records: Parsed) -> list[str]:
    """The entity ids whose stored signals are needed."""
    return [r.entity_id for r in records if isinstance(r, Record) and r.entity_id is not UNSET]


def score(champion: Champion, records: Parsed, reasons: int, stored: Stored, terms: Terms) -> Scored:
    """Score what can be scored; each record gets its result or its error, whatever the others are."""
    known = champion.scorer.sorted_names
    errors: list[RecordError] = []
    subjects: list[_Subject] = []
    for index, record in enumerate(records):
        found = record if isinstance(record, RecordError) else _subject(index, record, stored, known, terms, champion)
        if isinstance(found, RecordError):
            errors.append(found)
        else:
            subjects.append(found)
    to_score = [s for s in subjects if s.no_score is None]
    results: list[tuple[_Subject, Result]] = [
        (s, _result(s, no_score=NoScore(s.no_score, no_score.detail(s.no_score)))) for s in subjects if s.no_score
    ]
    if to_score:
        X, faults, warnings = champion.scorer.encode_records([s.values for s in to_score])
        for subject, found_faults in zip(to_score, faults, strict=True):
            if found_faults:
                shown = [
                    FaultJson(f"record {subject.index}, {f.where}", f.found, f.rule, f.next_step) for f in found_faults
                ]
                errors.append(error_of(subject.index, subject.entity_id, shown, "bad_signals"))
        good = [place for place, found_faults in enumerate(faults) if not found_faults]
        if len(good) < len(to_score):
            X = X[good]
        for place in good:
            to_score[place].warnings += warnings[place]
        results += _numbers(champion, [to_score[p] for p in good], X, reasons, terms.currency)
    for subject, result in results:
        override = subject.entity_id and terms.marks.override(champion.name, subject.entity_id, terms.now_us)
        if override:
            result.override = shown_override(override)
    results.sort(key=lambda pair: pair[0].index)
    errors.sort(key=lambda error: error.index)
    answer = ScoreAnswer(
        champion.name,
        champion.version,
        f"sha256:{champion.sha256}",
        champion.horizon_days,
        [r for _, r in results],
        errors,
    )
    decided = [_decision(champion, s, result, terms.now_us) for s, result in results if s.recorded and terms.record]
    return Scored(answer, decided)


def _subject(
    index: int, record: Record, stored: Stored, known: Sequence[str], terms: Terms, champion: Champion
) -> _Subject | RecordError:
    entity_id = None if record.entity_id is UNSET else record.entity_id
    given = None if record.signals is UNSET else record.signals
    value = None if record.value is UNSET else record.value
    if entity_id is None and given is None:
        fault = FaultJson(
            f"record {index}", "neither entity_id nor signals", "a record has one of them or both", "add one"
        )
        return error_of(index, None, [fault])
    if entity_id is not None and terms.marks.may_not_score(champion.entity, entity_id):
        recorded = not terms.marks.erased.has(champion.entity, entity_id)
        source = "request" if given is not None else "store"
        return _Subject(
            index, entity_id, terms.now_us, None, {}, source, no_score=no_score.OPTED_OUT, recorded=recorded
        )
    row = stored.get(entity_id) if entity_id is not None else None
    if row is None:
        if given is None:
            fault = FaultJson(
                f"record {index}, entity_id", "no signals are stored of it", f"an {champion.entity} whose signals are in the store"
                if champion.entity == "account" else f"a {champion.entity} whose signals are in the store",
                "give its signals, or run python -m serving batch, which fills the store",
            )  # fmt: skip
            return error_of(index, entity_id, [fault], "unknown_entity")
        return _Subject(
            index, entity_id, terms.now_us, value, given, "request", warnings=_absent(known, given, "request"),
            no_score=_too_little(known, given),
        )  # fmt: skip
    values = {name: row.values[name] for name in champion.scorer.names if name in row.values}
    subject = _Subject(
        index, entity_id, row.as_of_us, row.value if value is None else value, values, "store",
        warnings=_absent(known, values, "store"), earlier_score=row.earlier_score,
        no_score=None if row.eligibility == no_score.ELIGIBLE else row.eligibility,
    )  # fmt: skip
    if given:
        subject.values = {**values, **given}
        subject.warnings = _absent(known, subject.values, "store and the request")
        subject.signals_from, subject.overlaid, subject.as_of_us = "store+request", sorted(given), terms.now_us
    if given and all(name in given for name in known):
        return subject  # nothing of what is stored is used, however old it is
    if subject.no_score is None and terms.too_old(champion, row.as_of_us):
        subject.no_score = no_score.STALE
    elif subject.no_score is None:
        subject.no_score = _too_little(known, subject.values)
    if terms.now_us - row.as_of_us > FRESH_US:
        days = (terms.now_us - row.as_of_us) // DAY_US
        subject.warnings.append(f"the stored signals are {days} days old: see that python -m serving batch runs")
    return subject


def _too_little(known: Sequence[str], values: Mapping[str, Any]) -> str | None:
    """A signal that the scorer does not know is a fault, told later; it is none of a history."""
    if any(value is not None for value in values.values()) or not values.keys() <= set(known):
        return None
    return no_score.TOO_LITTLE_HISTORY


def _absent(known: Sequence[str], values: Mapping[str, Any], where: str) -> list[str]:
    names = [name for name in known if name not in values]
    if not names:
        return []
    some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return [f"{len(names)} signals are not in the {where} and count as missing: {some}"]


def _numbers(
    champion: Champion, subjects: Sequence[_Subject], X: Any, reasons: int, currency: str
) -> list[tuple[_Subject, Result]]:
    scorer = champion.scorer
    log_odds, effects = scorer.explain(X)
    probability = sigmoid(log_odds).tolist()
    found = []
    for place, subject in enumerate(subjects):
        p = probability[place]
        result = _result(subject)
        result.probability, (result.score, result.band) = p, scorer.standing(p)
        result.base_rate = scorer.spec.base_rate
        amount = at_stake(p, subject.value)
        if subject.value is not None and amount is not None:
            if champion.entity == "account":
                result.value_at_risk = ValueAtRisk(amount, currency, subject.value)
            else:
                result.expected_value = ExpectedValue(amount, currency, subject.value)
        if reasons:
            result.reasons = [
                Reason(r.signal, r.theme, r.value, "up" if r.effect > 0 else "down", r.effect, r.share, r.text)
                for r in scorer.reasons(subject.values, effects[place], reasons)
            ]
            result.themes = scorer.by_theme(effects[place])
            result.fit_intent = fit_intent(result.themes)
            result.base = scorer.base
        if subject.entity_id is not None:
            result.trend = trend(result.score, subject.earlier_score, champion.definition.sign)
        found.append((subject, result))
    return found


def fit_intent(themes: Mapping[str, float]) -> FitIntent:
    """Two sums of the sums by theme."""
    fit = sum(effect for theme, effect in themes.items() if theme in FIT_THEMES)
    return FitIntent(fit, sum(effect for theme, effect in themes.items() if theme not in FIT_THEMES))


def shown_override(override: Override) -> OverrideShown:
    until = None if override.until is None else iso(from_us(override.until))
    return OverrideShown(override.band, override.reason, override.author, iso(from_us(override.set_at)), until)


def _result(subject: _Subject, **more: Any) -> Result:
    return Result(
        subject.index, subject.entity_id, iso(from_us(subject.as_of_us)), signals_from=subject.signals_from,
        overlaid=UNSET if subject.overlaid is None else subject.overlaid, warnings=subject.warnings, **more,
    )  # fmt: skip


def _decision(champion: Champion, subject: _Subject, result: Result, now_us: int) -> dict[str, Any]:
    return history.decision(
        model=champion.name, entity=champion.entity, entity_id=subject.entity_id, as_of_us=subject.as_of_us,
        recorded_at_us=now_us, cause="request" if subject.overlaid is None else history.WHAT_IF, run_id=None, version=champion.version, scorer=champion.sha256,
        probability=None if result.probability is UNSET else result.probability,
        score=None if result.score is UNSET else result.score,
        band=None if result.band is UNSET else result.band,
        no_score=subject.no_score, value=subject.value, reasons=[] if result.reasons is UNSET else result.reasons,
        inputs=subject.values if subject.no_score is None else {},
    )  # fmt: skip
