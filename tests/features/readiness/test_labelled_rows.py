"""`features check` and `fit` ask the same rules: for every source one refuses where the other does, in the same words."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.kit.clock import DAY_US, to_us
from features.kit.errors import BadInput, TrainingRefused
from features.outcomes.read import read_outcomes
from features.readiness import labelled_rows
from features.readiness import labelled_rows as rules
from features.readiness import report as check
from features.readiness.labelled_rows import observation_dates
from features.readiness.periods import is_split
from features.readiness.report import usability, verdict
from features.sources.source import Source
from models.catalog import MODELS
from models.definition import Model
from tests.kit.checked import checked
from tests.kit.company import at, make_source, random_company
from training import fit as fitting

BEGIN = at("2023-01-01")
Tables = dict[str, list[dict[str, Any]]]


def day(n: float) -> dt.datetime:
    return BEGIN + dt.timedelta(days=n)


def customers(n: int, ends: dict[int, float], days: int = 760) -> Tables:
    """`n` paying accounts, observed for `days`; `ends` says who leaves on which day."""
    accounts = [
        {"account_id": f"a{i:03}", "event_time": BEGIN, "industry": "retail" if i % 3 else "software"} for i in range(n)
    ]
    contracts = [
        {"subscription_id": f"s{i:03}", "account_id": f"a{i:03}", "event_time": day(t), "status": status, "mrr": mrr}
        for i in range(n)
        for t, status, mrr in [(0, "active", 9.0), *([(ends[i], "ended", 0.0)] if i in ends else [])]
    ]
    # A contract that is renewed every week: the table goes on for as long as the others do.
    contracts += [contracts[-1] | {"event_time": day(t)} for t in range(7, days, 7) if n - 1 not in ends]
    usage = [{"account_id": f"a{i % n:03}", "event_time": day(i)} for i in range(days)]
    return {"accounts": accounts, "subscriptions": contracts, "usage": usage}


def steady(n: int = 260, days: int = 760) -> Tables:
    """Somebody leaves every few days, throughout."""
    return customers(n, {i: 20 + i * (days - 21) / (n // 2) for i in range(n // 2)}, days)


def with_labels(tables: Tables, labels: list[dict[str, Any]]) -> Tables:
    return tables | {"churn_labels": labels}


def denied() -> Tables:
    """Everybody is said to leave, and everybody's contract runs on."""
    labels = [{"account_id": f"a{i:03}", "churned": True, "event_time": day(100 + 5 * i)} for i in range(100)]
    return with_labels(customers(200, {}), labels)


def partly_denied() -> Tables:
    """Nine in ten are denied, as in some public data: a note, and no refusal."""
    tables = customers(260, {i: 20 + 5.6 * i for i in range(0, 130, 8)})
    labels = [{"account_id": f"a{i:03}", "churned": True, "event_time": day(20 + 5.6 * i)} for i in range(130)]
    return with_labels(tables, labels)


def leads(bought: bool, tell: bool = True) -> Tables:
    rows = [
        {
            "lead_id": f"l{i:03}",
            "event_time": day(i * 1.5),
            "status": "open",
            "account_id": f"a{i:03}",
            "channel": "paid" if i % 2 else "organic",
        }
        for i in range(400)
    ]
    accounts = [{"account_id": f"a{i:03}", "event_time": BEGIN} for i in range(400)]
    deals = [
        {
            "opportunity_id": f"o{i:03}",
            "account_id": f"a{i:03}",
            "status": "won",
            "stage": "closed",
            "event_time": day(i * 1.5 - 5 if bought else i * 1.5 + 50),
        }
        for i in range(0, 400, 1 if bought else 3)
    ]
    touches = [{"lead_id": f"l{i % 400:03}", "kind": "call", "event_time": day(i)} for i in range(760)]
    return {"leads": rows, "accounts": accounts, "touches": touches} | ({"opportunities": deals} if tell else {})  # type: ignore[return-value]


def snapshot(different: bool) -> Tables:
    """Leads of one moment each, with labels that have no date."""
    rows = [
        {
            "lead_id": f"l{i:03}",
            "event_time": day(i) if different else BEGIN,
            "status": "open",
            "channel": "paid" if different and i % 3 else "organic",
        }
        for i in range(300)
    ]
    return {"leads": rows, "lead_labels": [{"lead_id": f"l{i:03}", "converted": i % 4 == 0} for i in range(300)]}


def silent() -> Tables:
    """Two leave on most days of the first year, then nobody is recorded to leave for a year."""
    return customers(300, {i: 120 + i for i in range(200)})


def contradictory() -> Tables:
    both = [{"account_id": f"a{i:03}", "churned": flag} for i in range(40) for flag in (True, False)]
    return with_labels(customers(40, {}), both)


def foreign_words(table: str) -> Tables:
    """A status in words that nobody knows."""
    tables = steady()
    if table == "tickets":
        tickets = [
            {"ticket_id": f"t{i}", "account_id": f"a{i:03}", "event_time": day(i), "status": "offen"} for i in range(99)
        ]
        return tables | {"tickets": tickets}
    return tables | {table: [row | {"status": "Aktiv"} for row in tables[table]]}


CHURN, FIT = MODELS["churn-risk"], MODELS["lead-fit"]
CASES: dict[str, tuple[Model, Callable[[], Tables], str | None]] = {
    "fine": (CHURN, steady, None),
    "some labels denied": (CHURN, partly_denied, None),
    "tickets in foreign words": (CHURN, lambda: foreign_words("tickets"), None),
    "leads with deals": (FIT, lambda: leads(False), None),
    "labels without dates": (FIT, lambda: snapshot(True), None),
    "too short": (CHURN, lambda: steady(days=150), "its history: "),
    "twice the horizon, and too short for three periods": (CHURN, lambda: steady(days=250), "its history: "),
    "enough dates, and too short for the gaps": (CHURN, lambda: steady(days=380), "observation dates: "),
    "one class in a period": (CHURN, lambda: customers(60, {i: 300 + i for i in range(12)}), "the test period: "),
    "too few outcomes": (CHURN, lambda: customers(300, {i: 200 + 60 * i for i in range(4)}), "rows with the outcome: "),
    "all leave": (CHURN, lambda: customers(2, {0: 300, 1: 400}), "rows without the outcome: "),
    "no labels": (
        CHURN,
        lambda: {k: v for k, v in steady().items() if k != "subscriptions"},
        "no table records churn",
    ),
    "no deals": (FIT, lambda: leads(False, tell=False), "no table records conversion"),
    "labels denied by contracts": (CHURN, denied, "are denied by the source's own events"),
    "labels that are both": (CHURN, contradictory, "entities are both churned and not"),
    "labels of strangers": (
        CHURN,
        lambda: with_labels(steady(), [{"account_id": f"x{i}", "churned": True} for i in range(30)]),
        "none of its 30 account_id",
    ),
    "leads whose companies had bought": (FIT, lambda: leads(True), "already_customer"),
    "outcomes that stop": (CHURN, silent, "no outcome at "),
    "contracts in foreign words": (CHURN, lambda: foreign_words("subscriptions"), "not_customer"),
    "signals that are all alike": (FIT, lambda: snapshot(False), "its signals: none differs"),
}
Told = set[tuple[str, str, str]]


class Learning(Exception):
    """Raised in the place of learning: whatever `fit` refuses before it learns was not refused."""


@pytest.fixture
def no_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    def begun(*_: object) -> None:
        raise Learning

    monkeypatch.setattr(fitting, "learn", begun)


def refused_by_fit(question: Model, folder: Path) -> Told:
    """Found, rule and next step of each fault; a `BadInput` is the exit code 2."""
    try:
        fitting.fit_source(question.name, str(folder), folder, register=False)
    except Learning:
        return set()
    except BadInput as refused:
        return {(f"{fault.where}: {fault.found}", fault.rule, fault.next_step) for fault in refused.faults}
    raise AssertionError("fit neither refused nor learnt")


def refused_by_check(question: Model, source: Source) -> Told:
    lines = usability(source, [question])
    blocks = {(line.found, line.needed, line.what_to_do) for line in lines if line.severity == "blocks"}
    said = verdict(lines, question)
    assert said.startswith("not yet: ") == bool(blocks), said
    return blocks


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Model, Source, Path]]:
    made: dict[str, tuple[Model, Source, Path]] = {}

    def of(name: str) -> tuple[Model, Source, Path]:
        if name not in made:
            question, tables, _ = CASES[name]
            folder = tmp_path_factory.mktemp("source")
            made[name] = question, make_source(folder, tables()), folder
        return made[name]

    return of


@pytest.mark.usefixtures("no_learning")
class TestCheckAndFit:
    @pytest.mark.parametrize("name", CASES)
    def test_refuse_the_same_in_the_same_words(
        self, name: str, sources: Callable[[str], tuple[Model, Source, Path]]
    ) -> None:
        question, source, folder = sources(name)
        told = refused_by_check(question, source)
        assert told == refused_by_fit(question, folder)
        expected = CASES[name][2]
        assert bool(told) == (expected is not None)
        assert expected is None or any(expected in found for found, _, _ in told), told

    def test_a_rule_stands_once(
        self, sources: Callable[[str], tuple[Model, Source, Path]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Taken out where it stands, it is gone from both."""
        question, source, folder = sources("outcomes that stop")
        before = refused_by_check(question, source)
        monkeypatch.setattr(rules, "refuse_silent_dates", lambda *_: None)
        assert refused_by_check(question, source) == refused_by_fit(question, folder) != before

    @pytest.mark.slow
    def test_a_check_that_approximates_is_caught(
        self, sources: Callable[[str], tuple[Model, Source, Path]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: what `check` asked once, a history of twice the horizon."""

        def twice_the_horizon(source: Source, question: Model) -> rules.Trainable:
            first, last = source.span
            if (last - first).days < 2 * question.horizon_days:
                raise rules.TrainingRefused(  # type: ignore[attr-defined]
                    "",
                    [
                        rules.Fault(  # type: ignore[attr-defined]
                            where="history", found="too short", rule="twice the horizon", next_step="deliver more"
                        )
                    ],
                )
            return real(sources("fine")[1], CHURN)

        real = check.trainable  # type: ignore[attr-defined]
        monkeypatch.setattr(check, "trainable", twice_the_horizon)
        wrong = []
        for name in (
            "fine",
            "too short",
            "twice the horizon, and too short for three periods",
            "one class in a period",
        ):
            question, source, folder = sources(name)
            if bool(refused_by_check(question, source)) != bool(refused_by_fit(question, folder)):
                wrong.append(name)
        assert wrong == ["twice the horizon, and too short for three periods", "one class in a period"]


class TestToGoLive:
    def test_the_gate_on_labels_is_told_before_learning(self, tmp_path: Path) -> None:
        """Such a source can be learnt from, and its version would be refused for want of labels."""
        source = make_source(tmp_path, customers(300, {i: 90 + 60 * i for i in range(10)}))
        lines = checked(source)
        gate = next(line for line in lines if line.said_rule == "churn-risk, to go live: rows with the outcome")
        assert gate.severity == "weakens"
        assert verdict(lines, CHURN) == "not yet to go live: 1 thing to mend"


class TestHorizon:
    """A history that is too short for the horizon: the one that is advised leaves three periods."""

    @staticmethod
    def advised(source: Source, question: Model) -> int | None:
        with pytest.raises(TrainingRefused) as caught:
            observation_dates(source, question, read_outcomes(source, question.outcome), None)
        found = re.search(r"a horizon of at most (\d+) days would work", caught.value.faults[0].next_step)
        return int(found[1]) if found else None

    @pytest.mark.parametrize("days", [150, 175, 200])
    def test_the_advised_horizon_leaves_dates_enough(self, tmp_path: Path, days: int) -> None:
        source, question = make_source(tmp_path, random_company(1, days=days)), MODELS["lead-fit"]
        horizon = self.advised(source, question)
        if days == 150:  # a third of what is there after the warm-up is less than a step: no horizon works
            assert horizon is None
            return
        assert horizon is not None
        shorter = replace(question, horizon_days=horizon)
        dates = observation_dates(source, shorter, read_outcomes(source, question.outcome), None)
        assert is_split(np.array([to_us(date) for date in dates]), horizon * DAY_US)

    def test_a_horizon_advised_without_trying_it_is_refused_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin."""
        monkeypatch.setattr(labelled_rows, "_is_enough", lambda *_: True)
        source, question = make_source(tmp_path, random_company(1, days=150)), MODELS["lead-fit"]
        horizon = self.advised(source, question)
        assert horizon is not None
        self.advised(source, replace(question, horizon_days=horizon))  # which is refused
