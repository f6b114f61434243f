"""What is wrong with a population, each fault with file, field, rule and next step."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest

from features.signals.catalog import definitions
from models.condition import Condition
from models.population import Population, where

ACCOUNT = [d.signal for d in definitions("account")]


class TestFaults:
    def told(self, population: Population) -> list[str]:
        return [str(fault) for fault in population.faults("churn-risk", "account", ACCOUNT)]

    def test_all_at_once_with_file_field_rule_and_next_step(self) -> None:
        wrong = where("plann").is_in("pro") & where("kind").is_in("customer") & where("plan").at_least(3)
        wrong &= where("paid_seats").is_in("ten") & where("has_partner").at_least(1) & where("employees").is_true()
        found = self.told(wrong)
        assert len(found) == 6
        assert found[0] == (
            "models/churn_risk.py, field population, plann: no signal of the source is called so. Rule: a population is stated over "
            "signals that the source offers. Next: write one of plan; a column of accounts.sql beyond the canonical ones is a signal too."
        )
        assert "a column of accounts, and no signal" in found[1]
        assert "Rule: it is a text out of a vocabulary" in found[2]
        assert "Rule: it is a number" in found[3]
        assert "Rule: it is true or false" in found[4]
        assert 'Next: write where("employees").at_least(...)' in found[5]

    @pytest.mark.parametrize(
        ("condition", "rule"),
        [
            (Condition("", "in", ("pro",)), "a condition is about one signal"),
            (Condition("plan", "in"), "in names at least one"),
            (Condition("plan", "in", ("pro", 1.0)), "all texts or all finite numbers"),
            (Condition("plan", "in", ("",)), "all texts or all finite numbers"),
            (Condition("paid_seats", "in", (math.nan,)), "all texts or all finite numbers"),
            (Condition("paid_seats", "in", (True,)), "all texts or all finite numbers"),
            (Condition("paid_seats", "at_least", ("10",)), "at_least takes one number"),
            (Condition("paid_seats", "at_most", (math.inf,)), "at_most takes one number"),
            (Condition("paid_seats", "at_most", (1.0, 2.0)), "at_most takes one number"),
            (Condition("has_partner", "is_true", (1.0,)), "is_true takes none"),
        ],
    )
    def test_a_condition_that_means_nothing(self, condition: Condition, rule: str) -> None:
        (said,) = self.told(Population((condition,)))
        assert rule in said
        assert [rule in str(f) for f in Population((condition,)).malformed("churn-risk")] == [True]

    def test_a_sound_one_has_none(self) -> None:
        sound = where("plan").is_in("pro") & where("paid_seats").at_least(3) & where("has_partner").is_false()
        assert self.told(sound) == []
        assert sound.malformed("churn-risk") == []

    def test_a_word_that_no_row_has(self) -> None:
        plans = {"plan": pa.array(["enterprise", None, "pro"])}
        (fault,) = where("plan").is_in("enterprize", "pro").unknown_words("churn-risk", plans)
        assert str(fault) == (
            "models/churn_risk.py, field population, plan: 'enterprize', which no row has. Rule: a population names words that the "
            "signal has. Next: write one of enterprise, ...."
        )
        assert where("plan").is_in("enterprise").unknown_words("churn-risk", plans) == []
