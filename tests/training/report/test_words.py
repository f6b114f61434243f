"""The sentences of a report: what a director reads first, and who was left out and why."""

from __future__ import annotations

from typing import Any

import pytest

from models.catalog import get_model
from training.report import words

CHURN = get_model("churn-risk")


def report(**more: Any) -> dict[str, Any]:
    return {
        "verdict": "ready",
        "verdict_code": "ready",
        "capacity_share": 0.1,
        "base_rate": 0.062,
        "metrics": {
            "precision_at_capacity": {"value": 0.31},
            "lift_at_capacity": {"value": 5.0, "low": 4.1, "high": 5.9},
            "auc": {"value": 0.8},
        },
        "one_column_rule": {
            "rule": "mrr, lowest first",
            "auc": 0.7,
            "difference": {"value": 0.1, "low": 0.05, "high": 0.15},
        },
        "gates": [{"name": "signal", "passed": True}, {"name": "audit", "passed": False}],
        **more,
    }


class TestHeadline:
    def test_it_says_how_many_of_those_put_first_had_the_outcome(self) -> None:
        assert words.headline(CHURN, report()) == (
            "Of the 10 % of accounts that it puts first, 31 % left within 90 days: 5.0 times as many as in a random draw (6.2 %)."
        )

    def test_no_signal_promises_nothing(self) -> None:
        said = words.headline(CHURN, report(verdict_code="no_signal"))
        assert said.startswith("No signal found: these data do not tell who left.")


class TestStanding:
    @pytest.mark.parametrize(
        ("more", "said"),
        [
            ({"version": 3, "promoted": True}, "Version 3 is live: all its gates held."),
            ({"version": 3}, "Version 3 is not live: audit."),
            ({}, "All its gates held. It is a folder, live nowhere by itself"),
            ({"verdict_code": "ready_if_no_overlap"}, "All its gates held, if no two rows overlap"),
            ({"verdict_code": "refused"}, "It must not be used: audit failed."),
        ],
    )
    def test_whether_it_is_live_and_why_not(self, more: dict[str, Any], said: str) -> None:
        assert words.standing(report(**more)).startswith(said)


class TestBeyondRule:
    @pytest.mark.parametrize(
        ("low", "high", "verb"),
        [(0.01, 0.2, "beats"), (-0.01, 0.2, "is not reliably better than"), (-0.2, -0.01, "is worse than")],
    )
    def test_noise_is_not_called_better(self, low: float, high: float, verb: str) -> None:
        rule = {"rule": "mrr, lowest first", "auc": 0.7, "difference": {"value": 0.1, "low": low, "high": high}}
        said = words.beyond_rule(report(one_column_rule=rule))
        assert said.startswith(f"It {verb} the best rule with one column (mrr, lowest first; AUC 0.700): +0.100 AUC")


class TestLeftOut:
    def test_who_and_why_and_nobody_of_none(self) -> None:
        rows = {"learnt from": 900, "already_leaving": 12, "outside_population": 0, "without a label": 3}
        assert [(name, n) for name, n, _ in words.left_out(report(rows=rows))] == [
            ("already leaving", 12),
            ("without a label", 3),
        ]


class TestCautions:
    def test_a_segment_that_ranks_worse_beyond_its_own_noise_is_named(self) -> None:
        segments = [
            {"segment": "region = north", "rows": 400, "auc": {"value": 0.6, "low": 0.5, "high": 0.7}},
            {"segment": "region = south", "rows": 400, "auc": {"value": 0.75, "low": 0.6, "high": 0.9}},
        ]
        said = " ".join(words.cautions(CHURN, report(by_segment=segments, periods={"test": {"rows": 9}})))
        assert "It ranks worse than elsewhere in region = north (AUC 0.60, 400 rows)." in said
        assert "south" not in said
        assert "Any other horizon than 90 days" in said
        assert "the data have no time" not in said


def test_what_acting_is_worth_is_not_said_where_no_value_is_known() -> None:
    assert words.worth(report(value=None)) is None
