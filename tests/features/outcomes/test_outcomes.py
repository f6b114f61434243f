"""Outcomes are read as the design defines them, and a window that is not over has none."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.kit.clock import DAY_US, FOREVER_US, to_us
from features.outcomes.churn import CHURN
from features.outcomes.conversion import CONVERSION
from features.outcomes.labels import Outcomes, OutcomesRefused, label
from features.outcomes.read import read_outcomes
from features.sources.source import Source
from tests.kit.company import Rows, at, make_source

HORIZON = 90 * DAY_US


def contract(account: str, *versions: tuple[str, str, float], number: int = 0) -> list[dict[str, Any]]:
    """Version rows: (date, status, mrr)."""
    return [
        {
            "subscription_id": f"{account}s{number}",
            "account_id": account,
            "event_time": at(when),
            "status": status,
            "mrr": mrr,
        }
        for when, status, mrr in versions
    ]


def company(folder: Path, subscriptions: list[dict[str, Any]], **tables: Any) -> Outcomes:
    names = {row["account_id"] for row in subscriptions}
    rows: Rows = {
        "accounts": [{"account_id": name, "event_time": at("2023-01-01")} for name in sorted(names)],
        "subscriptions": subscriptions,
        # Something that happens late, so that the data go on for long after the outcomes.
        "usage": [{"account_id": "a", "event_time": at(tables.get("end", "2025-06-01"))}],
    }
    return read_outcomes(make_source(folder / "source", rows), CHURN)


def churned(outcomes: Outcomes, account: str, as_of: str) -> float:
    return float(label(outcomes, [account], np.array([to_us(at(as_of))]), HORIZON)[0])


class TestChurn:
    def test_the_end_of_the_last_paid_contract(self, tmp_path: Path) -> None:
        outcomes = company(tmp_path, contract("a", ("2024-01-01", "active", 10), ("2024-06-01", "ended", 0)))
        assert churned(outcomes, "a", "2024-05-01") == 1
        assert churned(outcomes, "a", "2024-02-01") == 0, "the end is 121 days away"

    def test_the_window_is_half_open(self, tmp_path: Path) -> None:
        outcomes = company(tmp_path, contract("a", ("2024-01-01", "active", 10), ("2024-06-01", "ended", 0)))
        assert churned(outcomes, "a", "2024-06-01") == 1, "an end at as_of itself lies in the window"
        assert churned(outcomes, "a", "2024-03-03") == 0, "90 days later is the first moment outside"
        assert churned(outcomes, "a", "2024-03-04") == 1

    def test_a_downgrade_to_free_is_churn(self, tmp_path: Path) -> None:
        outcomes = company(tmp_path, contract("a", ("2024-01-01", "active", 10), ("2024-06-01", "active", 0)))
        assert churned(outcomes, "a", "2024-05-01") == 1

    def test_a_contraction_is_not(self, tmp_path: Path) -> None:
        outcomes = company(tmp_path, contract("a", ("2024-01-01", "active", 10), ("2024-06-01", "active", 1)))
        assert churned(outcomes, "a", "2024-05-01") == 0

    def test_another_paid_contract_keeps_the_account(self, tmp_path: Path) -> None:
        rows = contract("a", ("2024-01-01", "active", 10), ("2024-06-01", "ended", 0))
        outcomes = company(tmp_path, rows + contract("a", ("2024-03-01", "active", 5), number=1))
        assert churned(outcomes, "a", "2024-05-01") == 0

    @pytest.mark.parametrize(("back", "expected"), [("2024-07-01", 0.0), ("2024-07-02", 1.0)])
    def test_back_within_30_days_is_no_churn(self, tmp_path: Path, back: str, expected: float) -> None:
        rows = contract("a", ("2024-01-01", "active", 10), ("2024-06-01", "ended", 0))
        outcomes = company(tmp_path, rows + contract("a", (back, "active", 5), number=1))
        assert churned(outcomes, "a", "2024-05-01") == expected

    def test_notice_is_still_paying(self, tmp_path: Path) -> None:
        rows = contract("a", ("2024-01-01", "active", 10), ("2024-05-15", "notice", 10), ("2024-11-01", "ended", 0))
        assert churned(company(tmp_path, rows), "a", "2024-05-01") == 0

    def test_one_that_had_left_before_without_our_knowing_has_no_label(self, tmp_path: Path) -> None:
        rows = contract("a", ("2024-01-01", "active", 10), ("2024-06-01", "ended", 0))
        rows += contract("a", ("2025-01-01", "active", 10), number=1)
        outcomes = company(tmp_path, rows)
        assert np.isnan(churned(outcomes, "a", "2024-08-01"))

    def test_of_two_versions_of_one_moment_the_later_known_holds(self, tmp_path: Path) -> None:
        rows = contract("a", ("2024-01-01", "active", 10), ("2024-06-01", "ended", 0), ("2024-06-01", "active", 10))
        rows[2]["known_time"] = at("2024-06-05")
        assert churned(company(tmp_path, rows), "a", "2024-05-01") == 0


def labels_where_none_can_be(outcomes: Outcomes, end: dt.datetime, settle_days: int) -> list[str]:
    """Dates whose window, with the days to settle, is not over at the end of the data, and that have a label."""
    found = []
    for days in range(1, 200):
        moment = end - dt.timedelta(days=days)
        y = label(outcomes, ["a"], np.array([to_us(moment)]), HORIZON)[0]
        if days < 90 + settle_days and not np.isnan(y):
            found.append(moment.date().isoformat())
    return found


class TestCensoring:
    def test_a_window_that_is_not_over_has_no_label(self, tmp_path: Path) -> None:
        outcomes = company(tmp_path, contract("a", ("2024-01-01", "active", 10)), end="2025-01-01")
        assert labels_where_none_can_be(outcomes, at("2025-01-01"), 30) == []
        assert churned(outcomes, "a", "2024-09-03") == 0, "120 days before the end it is over"

    def test_censored_rows_taken_for_zeros_are_caught(self, tmp_path: Path) -> None:
        """The sabotaged twin: labels that do not know where the data end."""
        outcomes = company(tmp_path, contract("a", ("2024-01-01", "active", 10)), end="2025-01-01")
        careless = replace(outcomes, known_until_us=FOREVER_US)
        assert len(labels_where_none_can_be(careless, at("2025-01-01"), 30)) == 119


def leads(folder: Path, **tables: list[dict[str, Any]]) -> Outcomes:
    rows: dict[str, Any] = {
        "accounts": [
            {"account_id": "a", "event_time": at("2024-01-01"), "domain": "acme.com"},
            {"account_id": "b", "event_time": at("2024-01-01"), "domain": "gmail.com"},
            {"account_id": "c", "event_time": at("2024-01-01"), "domain": "shared.com"},
            {"account_id": "d", "event_time": at("2024-01-01"), "domain": "shared.com"},
        ],
        "leads": [
            {"lead_id": "by_account", "event_time": at("2024-01-02"), "account_id": "a", "status": "open"},
            {"lead_id": "by_domain", "event_time": at("2024-01-02"), "email": "X@ACME.com", "status": "open"},
            {"lead_id": "free_mail", "event_time": at("2024-01-02"), "email": "x@gmail.com", "status": "open"},
            {"lead_id": "two_owners", "event_time": at("2024-01-02"), "email": "x@shared.com", "status": "open"},
            {"lead_id": "direct", "event_time": at("2024-01-02"), "status": "open"},
        ],
        "touches": [{"kind": "call", "event_time": at("2025-06-01")}],
        **tables,
    }
    return read_outcomes(make_source(folder / "source", rows), CONVERSION)


def deal(account: str | None, when: str, lead: str | None = None) -> dict[str, Any]:
    row = {
        "opportunity_id": f"{account}{lead}",
        "event_time": at(when),
        "stage": "x",
        "status": "won",
        "account_id": account,
    }
    return {**row, "lead_id": lead}


class TestConversion:
    def test_by_account_and_by_domain_of_one_owner(self, tmp_path: Path) -> None:
        outcomes = leads(tmp_path, opportunities=[deal(a, "2024-03-01") for a in "abcd"])
        names = ["by_account", "by_domain", "free_mail", "two_owners", "direct"]
        y = label(outcomes, names, np.full(5, to_us(at("2024-02-01"))), 60 * DAY_US)
        assert y.tolist() == [1, 1, 0, 0, 0]

    def test_a_deal_that_names_its_lead(self, tmp_path: Path) -> None:
        outcomes = leads(tmp_path, opportunities=[deal(None, "2024-03-01", "direct")])
        assert label(outcomes, ["direct"], np.array([to_us(at("2024-02-01"))]), 60 * DAY_US).tolist() == [1]

    def test_the_start_of_a_paid_contract(self, tmp_path: Path) -> None:
        outcomes = leads(tmp_path, subscriptions=contract("a", ("2024-03-01", "trial", 0), ("2024-04-01", "active", 9)))
        as_of = np.array([to_us(at(d)) for d in ("2024-01-15", "2024-02-15", "2024-04-02")])
        y = label(outcomes, ["by_account"] * 3, as_of, 60 * DAY_US)
        assert y[:2].tolist() == [0, 1]
        assert np.isnan(y[2]), "it had bought before: nothing can be won any more, so that it is no example of losing"


class TestReadyOutcomes:
    def test_a_snapshot_has_one_label_per_entity(self, tmp_path: Path) -> None:
        outcomes = leads(
            tmp_path,
            lead_labels=[{"lead_id": "direct", "converted": True}, {"lead_id": "by_account", "converted": False}],
        )
        y = label(outcomes, ["direct", "by_account", "free_mail"], np.zeros(3, np.int64), 1)
        assert y[:2].tolist() == [1, 0]
        assert np.isnan(y[2])

    def test_contradicting_labels_are_refused(self, tmp_path: Path) -> None:
        both = [{"lead_id": "direct", "converted": value} for value in (True, False)]
        with pytest.raises(OutcomesRefused, match="1 entities are both converted and not, such as 'direct'"):
            leads(tmp_path, lead_labels=both)

    def test_labels_of_strangers_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(OutcomesRefused, match="none of its 1 lead_id is in the table of its entity"):
            leads(tmp_path, lead_labels=[{"lead_id": "nobody", "converted": True}])

    def test_outcomes_before_their_entity_existed_are_refused(self, tmp_path: Path) -> None:
        early = {"lead_id": "direct", "converted": True, "event_time": at("2023-01-01")}
        with pytest.raises(OutcomesRefused, match=r"1 of 1 outcomes \(100%\) are dated before"):
            leads(tmp_path, lead_labels=[early])

    def test_a_source_without_an_outcome_says_what_would_do(self, tmp_path: Path) -> None:
        source = make_source(tmp_path / "bare", {"accounts": [{"account_id": "a", "event_time": at("2024-01-01")}]})
        with pytest.raises(OutcomesRefused, match=r"no table tells of churn; it has accounts.*add churn_labels\.sql"):
            read_outcomes(source, CHURN)

    def test_a_source_without_the_entity_is_refused(self, tmp_path: Path) -> None:
        source = make_source(tmp_path / "bare", {"accounts": [{"account_id": "a", "event_time": at("2024-01-01")}]})
        with pytest.raises(OutcomesRefused, match="a model of leads learns from the table 'leads'"):
            read_outcomes(source, CONVERSION)


class TestContradictions:
    def company(self, folder: Path, left_on: str, contracts_end: bool) -> Source:
        accounts = [{"account_id": f"a{i}", "event_time": at("2023-01-01")} for i in range(60)]
        versions = [
            {"subscription_id": f"s{i}", "account_id": f"a{i}", "event_time": at(when), "status": status, "mrr": mrr}
            for i in range(60)
            for when, status, mrr in [
                ("2023-01-01", "active", 9.0),
                *([(left_on, "ended", 0.0)] if contracts_end else []),
            ]
        ]
        labels = [{"account_id": f"a{i}", "churned": True, "event_time": at(left_on)} for i in range(40)]
        usage = [{"account_id": "a0", "event_time": at(d)} for d in ("2023-01-01", "2025-01-01")]
        return make_source(
            folder, {"accounts": accounts, "subscriptions": versions, "churn_labels": labels, "usage": usage}
        )

    def test_departures_after_which_the_contract_runs_on_are_refused(self, tmp_path: Path) -> None:
        source = self.company(tmp_path / "s", "2024-01-01", contracts_end=False)
        with pytest.raises(
            OutcomesRefused, match=r"40 of 40 departures .* a paid contract runs on.*leave out churn_labels"
        ):
            read_outcomes(source, CHURN)

    def test_departures_that_the_contracts_confirm_are_taken(self, tmp_path: Path) -> None:
        found = read_outcomes(self.company(tmp_path / "s", "2024-01-01", contracts_end=True), CHURN)
        assert len(found.events) == 40
        assert found.notes == ()

    def test_conversions_whose_deals_were_all_lost_are_refused(self, tmp_path: Path) -> None:
        leads = [{"lead_id": f"l{i}", "event_time": at("2024-01-01"), "status": "open"} for i in range(50)]
        labels = [{"lead_id": f"l{i}", "converted": i < 25, "event_time": at("2024-02-01")} for i in range(50)]
        deals = [
            {
                "opportunity_id": f"o{i}",
                "lead_id": f"l{i}",
                "event_time": at("2024-02-01"),
                "status": "lost",
                "stage": "x",
            }
            for i in range(50)
        ]
        source = make_source(tmp_path / "s", {"leads": leads, "lead_labels": labels, "opportunities": deals})
        with pytest.raises(OutcomesRefused, match=r"25 of 25 conversions .* every deal of the lead was lost"):
            read_outcomes(source, CONVERSION)
        won = [{**deal, "status": "won" if i < 25 else "lost"} for i, deal in enumerate(deals)]
        agreed = make_source(tmp_path / "t", {"leads": leads, "lead_labels": labels, "opportunities": won})
        assert len(read_outcomes(agreed, CONVERSION).events) == 25
