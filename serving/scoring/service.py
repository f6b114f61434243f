"""Scores a request: takes signals from the request and the store, scores, and explains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from msgspec import UNSET

from features.kit.clock import DAY_US, from_us, iso
from features.outcomes.catalog import outcomes_of
from features.signals.signal import FIT_THEMES
from models.population import OUTSIDE
from models.scorer.encoder import kind_of
from models.scorer.reason_texts import Reason
from models.scorer.scorer import Scorer
from models.scorer.sigmoid import sigmoid
from serving import eligibility
from serving.champion import Champion
from serving.decisions import repository as history
from serving.eligibility import NoScore
from serving.overrides.schemas import shown_override
from serving.privacy.cache import Directives
from serving.scoring.repository import StoredSignals, Values
from serving.scoring.request_parser import Parsed, WrongRecord, bounded, error_of
from serving.scoring.rows import at_stake
from serving.scoring.schemas import (
    ExpectedValue,
    FaultJson,
    FitIntent,
    Record,
    Result,
    ScoreAnswer,
    ValueAtRisk,
)
from serving.scoring.trend import trend

Stored = Mapping[str, StoredSignals]
FRESH_US = 2 * DAY_US
"""Age of stored signals from which the answer warns; older than a nightly batch leaves them."""


@dataclass(frozen=True)
class Terms:
    """Settings that apply to all records of a request."""

    now_us: int
    currency: str = "USD"
    stale_after_us: int | None = None
    """Stored signals older than this get no score; None: the model's horizon."""
    directives: Directives = field(default_factory=Directives)
    record: bool = True
    """Whether decision records are kept."""

    @cached_property
    def now(self) -> str:
        """`now_us` as an ISO time in UTC."""
        return iso(from_us(self.now_us))

    def too_old(self, champion: Champion, as_of_us: int) -> bool:
        limit = champion.horizon_days * DAY_US if self.stale_after_us is None else self.stale_after_us
        return self.now_us - as_of_us > limit


@dataclass(slots=True)
class _Subject:
    """One record while it is scored."""

    index: int
    entity_id: str | None
    as_of_us: int
    value: float | None
    values: Values
    signals_from: str
    overlaid: list[str] | None = None
    warnings: list[str] = field(default_factory=list)
    no_score: str | None = None
    why: str = ""
    """Reason for no score in words, when it depends on the version; else empty, and the code's own words apply."""
    earlier_score: int | None = None
    recorded: bool = True
    """Whether a decision record is kept; erased entities get none."""

    def outside(self, champion: Champion, known: Values) -> None:
        """Marks the record as outside the model's population. An unknown signal name is a fault and is reported by
        the scorer: it may be the misspelt signal that the population reads.
        """
        if self.values.keys() <= champion.inputs:
            self.no_score, self.why = OUTSIDE, champion.population.why_not(known)


@dataclass(slots=True)
class ScoredRequest:
    """An answer with its decision records."""

    answer: ScoreAnswer
    decisions: list[dict[str, Any]]
    checked_at: int = -1
    """Generation of the directives that decided which erased entities have no record in `decisions`."""
    names_erased: bool = False
    """Whether the answer names an erased entity."""
    away: bool = False
    """Whether the store was away, so that nothing was recorded."""
    late: bool = False
    """Whether it is answered before the records are stored, because the store is locked or slow."""


def ids_of(records: Parsed) -> list[str]:
    """Ids whose stored signals are needed."""
    return [r.entity_id for r in records if isinstance(r, Record) and r.entity_id is not UNSET]


def score(champion: Champion, records: Parsed, reasons: int, stored: Stored, terms: Terms) -> ScoredRequest:
    """Scores a request; each record gets a result or an error, independent of the others."""
    return score_together(champion, [(records, reasons)], stored, terms)[0]


def score_together(
    champion: Champion, asked: Sequence[tuple[Parsed, int]], stored: Stored, terms: Terms
) -> list[ScoredRequest]:
    """As `score` for several requests (records, reasons wanted): their rows share the NumPy calls."""
    answers: list[tuple[list[tuple[_Subject, Result]], list[WrongRecord]]] = []
    to_score: list[tuple[_Subject, int]] = []
    for number, (records, _) in enumerate(asked):
        results: list[tuple[_Subject, Result]] = []
        errors: list[WrongRecord] = []
        answers.append((results, errors))
        for index, record in enumerate(records):
            found = record if isinstance(record, WrongRecord) else _subject(index, record, stored, terms, champion)
            if isinstance(found, WrongRecord):
                errors.append(found)
            elif found.no_score is None:
                to_score.append((found, number))
            else:
                why = found.why or eligibility.detail(found.no_score, champion.definition.outcome)
                shown = NoScore(found.no_score, why)
                results.append((found, _result(found, terms, no_score=shown)))
    if to_score:
        X, faults, warnings = champion.scorer.encode_records(
            [s.values for s, _ in to_score], [s.index for s, _ in to_score]
        )
        good = []
        for place, (subject, number) in enumerate(to_score):
            if faults[place]:
                one_by_one = [f for f in faults[place] if f.count == 1]
                more = sum(f.count for f in faults[place]) - len(one_by_one)
                told = [FaultJson(f.where, f.found, f.rule, f.next_step) for f in one_by_one]
                answers[number][1].append(error_of(subject.index, subject.entity_id, told, "bad_signals", more))
            else:
                good.append(place)
                subject.warnings += warnings[place]
        if good:
            chosen = [(to_score[p][0], asked[to_score[p][1]][1]) for p in good]
            numbers = _numbers(champion, chosen, X if len(good) == len(X) else X[good], terms)
            for place, result in zip(good, numbers, strict=True):
                subject, number = to_score[place]
                answers[number][0].append((subject, result))
    return [_scored(champion, results, errors, terms) for results, errors in answers]


def _scored(
    champion: Champion, results: list[tuple[_Subject, Result]], errors: list[WrongRecord], terms: Terms
) -> ScoredRequest:
    for subject, result in results:
        override = subject.entity_id and terms.directives.override(champion.name, subject.entity_id, terms.now_us)
        if override:
            result.override = shown_override(override)
    if len(results) > 1:
        results.sort(key=lambda pair: pair[0].index)
        errors.sort(key=lambda error: error.index)
    answer = ScoreAnswer(
        champion.name,
        champion.version,
        champion.scorer_name,
        champion.horizon_days,
        [r for _, r in results],
        bounded(errors),
    )
    if not terms.record:
        return ScoredRequest(answer, [], terms.directives.generation, not all(s.recorded for s, _ in results))
    decided = [_decision(champion, s, result, terms.now_us) for s, result in results if s.recorded]
    return ScoredRequest(answer, decided, terms.directives.generation, len(decided) < len(results))


def _subject(index: int, record: Record, stored: Stored, terms: Terms, champion: Champion) -> _Subject | WrongRecord:
    scorer = champion.scorer
    entity_id = None if record.entity_id is UNSET else record.entity_id
    given = None if record.signals is UNSET else record.signals
    value = None if record.value is UNSET else record.value
    if entity_id is None and given is None:
        fault = FaultJson(
            f"record {index}", "neither entity_id nor signals", "a record has one of them or both", "add one"
        )
        return error_of(index, None, [fault])
    if entity_id is not None and terms.directives.may_not_score(champion.entity, entity_id):
        erased = terms.directives.erased.has(champion.entity, entity_id)
        source = "request" if given is not None else "store"
        return _Subject(
            index,
            entity_id,
            terms.now_us,
            None,
            {},
            source,
            no_score=eligibility.ERASED if erased else eligibility.OPTED_OUT,
            recorded=not erased,
        )
    if given and (faults := _wrong_types(index, given, champion)):
        return error_of(index, entity_id, faults, "bad_signals")
    row = stored.get(entity_id) if entity_id is not None else None
    if row is None:
        if given is None:
            fault = FaultJson(
                f"record {index}, entity_id",
                "no signals are stored of it",
                f"an {champion.entity} whose signals are in the store"
                if champion.entity == "account"
                else f"a {champion.entity} whose signals are in the store",
                "give its signals, or run python -m serving batch, which fills the store",
            )
            return error_of(index, entity_id, [fault], "unknown_entity")
        values = _read(champion, given)
        subject = _Subject(
            index,
            entity_id,
            terms.now_us,
            value,
            values,
            "request",
            warnings=_absent(scorer, values, "request"),
            no_score=_too_little(scorer, values),
        )
        if subject.no_score is None and not champion.population.holds(given):
            subject.outside(champion, given)
        return subject
    values = {name: row.values[name] for name in scorer.names if name in row.values}
    subject = _Subject(
        index,
        entity_id,
        row.as_of_us,
        row.value if value is None else value,
        values,
        "store",
        warnings=_absent(scorer, values, "store"),
        earlier_score=row.earlier_score,
    )
    known: Values = row.values
    if given:
        known = {**row.values, **given}
        subject.values = {**values, **_read(champion, given)}
        subject.warnings = _absent(scorer, subject.values, "store and the request")
        subject.signals_from, subject.overlaid, subject.as_of_us = "store+request", sorted(given), terms.now_us
    status = _status(champion, row, known)
    if status is None:
        fault = FaultJson(
            f"record {index}, entity_id",
            f"who gets a score by {champion.name} was not told yet of what is stored",
            "a model that asks another outcome than the others is told of by the batch",
            "run python -m serving batch",
        )
        return error_of(index, entity_id, [fault], "unknown_entity")
    if status == OUTSIDE:
        subject.outside(champion, known)
    elif status != eligibility.ELIGIBLE:
        subject.no_score = status
    if given and all(name in given for name in scorer.names):
        return subject  # stored signals are not used, so their age does not matter
    if subject.no_score is None and terms.too_old(champion, row.as_of_us):
        subject.no_score = eligibility.STALE
    elif subject.no_score is None:
        subject.no_score = _too_little(scorer, subject.values)
    if terms.now_us - row.as_of_us > FRESH_US:
        days = (terms.now_us - row.as_of_us) // DAY_US
        subject.warnings.append(f"the stored signals are {days} days old: see that python -m serving batch runs")
    return subject


def _status(champion: Champion, row: StoredSignals, values: Values) -> str | None:
    """Whether the live version scores stored signals: `eligible`, or the reason why not; None when it is not known
    for this model.

    Eligibility by the outcome is stored. Membership in the population is decided by `values`, the signals by name,
    because a newer version may be for others. Eligibility beside the signals is that of the usual outcome.
    """
    usual = champion.definition.outcome is outcomes_of(champion.definition.entity)[0]
    told = row.own if row.own is not None else row.eligibility if usual else None
    if told not in (eligibility.ELIGIBLE, OUTSIDE):
        return told
    return eligibility.ELIGIBLE if champion.population.holds(values) else OUTSIDE


def _read(champion: Champion, given: Values) -> Values:
    """Signals of a request without those that only the population reads; the scorer does not know them."""
    return {name: value for name, value in given.items() if name not in champion.aside} if champion.aside else given


def _wrong_types(index: int, given: Values, champion: Champion) -> list[FaultJson]:
    """Faults of the signals that only the population reads; the scorer checks its own."""
    aside = {name: given[name] for name in champion.aside if name in given}
    return [
        FaultJson(
            f"record {index}, signal {name}", f"a {kind_of(aside[name])}", rule, "send one that the population reads"
        )
        for name, rule in champion.population.wrong_types(aside).items()
    ]


def _too_little(scorer: Scorer, values: Mapping[str, Any]) -> str | None:
    """Whether there is too little history. A signal unknown to the scorer is a fault, reported later, and no history."""
    for value in values.values():
        if value is not None:
            return None
    return eligibility.TOO_LITTLE_HISTORY if values.keys() <= set(scorer.names) else None


def _absent(scorer: Scorer, values: Mapping[str, Any], where: str) -> list[str]:
    names = scorer.absent(tuple(values))
    if not names:
        return []
    some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return [f"{len(names)} signals are not in the {where} and count as missing: {some}"]


def _numbers(champion: Champion, subjects: Sequence[tuple[_Subject, int]], X: Any, terms: Terms) -> list[Result]:
    """Results of the subjects, each with its number of reasons; `X` has one row per subject."""
    scorer = champion.scorer
    log_odds, effects = scorer.explain(X)
    probability = sigmoid(log_odds).tolist()
    most = max(wanted for _, wanted in subjects)
    told: Sequence[list[Reason]] = ()
    themes: Sequence[dict[str, float]] = ()
    if most:
        told, themes = scorer.reasons_of([s.values for s, _ in subjects], effects, most), scorer.by_themes(effects)
    found = []
    for place, (subject, wanted) in enumerate(subjects):
        p = probability[place]
        result = _result(subject, terms)
        result.probability, (result.score, result.band) = p, scorer.standing(p)
        result.base_rate = scorer.spec.base_rate
        if subject.value is not None:
            amount = at_stake(p, subject.value)
            assert amount is not None
            if champion.definition.outcome.stake.is_loss:
                result.value_at_risk = ValueAtRisk(amount, terms.currency, subject.value)
            else:
                result.expected_value = ExpectedValue(amount, terms.currency, subject.value)
        if wanted:
            result.reasons = told[place] if wanted == most else told[place][:wanted]
            result.themes = themes[place]
            result.fit_intent = fit_intent(result.themes)
            result.base = scorer.base
        if subject.entity_id is not None:
            result.trend = trend(result.score, subject.earlier_score, champion.definition.sign)
        found.append(result)
    return found


def fit_intent(themes: Mapping[str, float]) -> FitIntent:
    """Sums the themes into fit and intent."""
    fit = intent = 0.0
    for theme, effect in themes.items():
        if theme in FIT_THEMES:
            fit += effect
        else:
            intent += effect
    return FitIntent(fit, intent)


def _result(subject: _Subject, terms: Terms, **more: Any) -> Result:
    as_of = terms.now if subject.as_of_us == terms.now_us else iso(from_us(subject.as_of_us))
    return Result(
        subject.index,
        subject.entity_id,
        as_of,
        signals_from=subject.signals_from,
        overlaid=UNSET if subject.overlaid is None else subject.overlaid,
        warnings=subject.warnings,
        **more,
    )


def _decision(champion: Champion, subject: _Subject, result: Result, now_us: int) -> dict[str, Any]:
    return history.decision(
        model=champion.name,
        entity=champion.entity,
        entity_id=subject.entity_id,
        as_of_us=subject.as_of_us,
        recorded_at_us=now_us,
        cause="request" if subject.overlaid is None else history.WHAT_IF,
        run_id=None,
        version=champion.version,
        scorer=champion.sha256,
        probability=None if result.probability is UNSET else result.probability,
        score=None if result.score is UNSET else result.score,
        band=None if result.band is UNSET else result.band,
        no_score=subject.no_score,
        value=subject.value,
        reasons=[] if result.reasons is UNSET else result.reasons,
        inputs=champion.scorer.pack(subject.values) if subject.no_score is None else (),
    )
