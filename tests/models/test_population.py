"""A model's population: who is in it, row by row and in columns, in words, and apart from another's."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.condition import Condition
from models.population import EVERYBODY, Population, disjoint, where

WORDS = st.sampled_from(["free", "pro", "enterprise", " pro ", "n/a", "", "NULL"])


NUMBERS = st.sampled_from([-1.0, 0.0, 1.0, 10.0, 10.5, 1e16])


CONDITIONS = st.one_of(
    st.builds(lambda op, v: Condition("plan", op, tuple(v)), st.sampled_from(["in", "not_in"]), st.lists(WORDS, min_size=1)),
    st.builds(lambda op, v: Condition("seats", op, tuple(v)), st.sampled_from(["in", "not_in"]), st.lists(NUMBERS, min_size=1)),
    st.builds(lambda op, v: Condition("seats", op, (v,)), st.sampled_from(["at_least", "at_most"]), NUMBERS),
    st.builds(lambda op: Condition("trial", op), st.sampled_from(["is_true", "is_false"])),
)  # fmt: skip  # a table: one case beside the other


POPULATIONS = st.lists(CONDITIONS, max_size=4).map(lambda c: Population(tuple(c)))


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "plan": st.none() | WORDS,
            "seats": st.none() | NUMBERS | st.just(math.nan) | st.just(math.inf),
            "trial": st.sampled_from([None, 0.0, 1.0, 0.5]),
        }
    ),
    max_size=8,
)


def columns(rows: list[dict[str, Any]]) -> pa.Table:
    """As a panel has them."""
    kinds = {"plan": pa.string(), "seats": pa.float64(), "trial": pa.float64()}
    return pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in kinds.items()})


class TestHolds:
    @settings(deadline=None)
    @given(POPULATIONS, ROWS)
    def test_rows_and_columns_give_the_same_answer(self, population: Population, rows: list[dict[str, Any]]) -> None:
        found = population.holds_for(columns(rows), len(rows))
        assert found.tolist() == [population.holds(row) for row in rows]

    @settings(deadline=None)
    @given(POPULATIONS, ROWS)
    def test_a_missing_value_is_outside_of_every_narrowed_population(self, population: Population, rows: Any) -> None:
        nothing = dict.fromkeys(("plan", "seats", "trial"))
        assert population.holds(nothing) == population.holds({}) == (not population)

    def test_all_conditions_must_hold(self) -> None:
        both = where("plan").is_in("pro") & where("seats").at_least(10)
        rows = [("pro", 10.0), ("pro", 9.0), ("free", 10.0), (None, 10.0)]
        assert [both.holds({"plan": p, "seats": s}) for p, s in rows] == [True, False, False, False]

    def test_only_the_eligible_become_outsiders(self) -> None:
        """What an outcome says of somebody goes before what a population says."""
        status = pa.array(["eligible", "eligible", "not_customer", "eligible", None])
        plans = {"plan": pa.array(["pro", "free", "free", None, "free"])}
        found = where("plan").is_in("pro").narrow(status, plans)
        assert found.to_pylist() == ["eligible", "outside_population", "not_customer", "outside_population", None]
        assert EVERYBODY.narrow(status, {}) is status  # the twin: without a population nothing is touched


class TestWords:
    def test_a_population_says_itself(self) -> None:
        population = where("plan").is_in("enterprise", "business") & where("paid_seats").at_least(1_000)
        assert str(population & where("has_partner").is_false()) == (
            "plan is enterprise or business, and paid_seats is at least 1,000, and has_partner is false"
        )
        assert str(where("plan").not_in("a", "b", "c")) == "plan is not a, b or c"
        assert str(where("discount").at_most(0.25)) == "discount is at most 0.25"

    def test_it_survives_the_artefact(self) -> None:
        population = where("plan").is_in("enterprise") & where("seats").at_least(10) & where("trial").is_true()
        assert msgspec.json.decode(msgspec.json.encode(population), type=Population) == population

    def test_why_somebody_is_outside(self) -> None:
        population = where("plan").is_in("pro") & where("seats").at_least(10)
        assert population.why_not({"plan": "free", "seats": 3.0}) == (
            "The model is for those of whom plan is pro, and seats is at least 10."
        )
        assert population.why_not({"plan": "free"}).endswith("; seats is not known.")


class TestDisjoint:
    @pytest.mark.parametrize(
        ("one", "other", "apart"),
        [
            (where("plan").is_in("pro"), where("plan").is_in("free"), True),
            (where("plan").is_in("pro", "free"), where("plan").is_in("free"), False),
            (where("plan").is_in("pro"), where("plan").not_in("pro"), True),
            (where("plan").not_in("pro"), where("plan").not_in("free"), False),
            (where("seats").at_least(10), where("seats").at_most(9), True),
            (where("seats").at_least(10), where("seats").at_most(10), False),
            (where("seats").at_least(10), where("seats").at_most(10) & where("seats").not_in(10), True),
            (where("seats").is_in(3), where("seats").at_least(10), True),
            (where("trial").is_true(), where("trial").is_false(), True),
            (where("plan").is_in("pro"), where("region").is_in("emea"), False),
            (EVERYBODY, EVERYBODY, False),
            (EVERYBODY, where("plan").is_in("pro"), False),
        ],
    )  # fmt: skip  # a table: one case beside the other
    def test_by_hand(self, one: Population, other: Population, apart: bool) -> None:
        assert disjoint(one, other) is disjoint(other, one) is apart

    @settings(deadline=None)
    @given(POPULATIONS, POPULATIONS, ROWS)
    def test_nobody_is_in_two_that_are_apart(self, one: Population, other: Population, rows: Any) -> None:
        if disjoint(one, other):
            assert not (one.holds_for(columns(rows), len(rows)) & other.holds_for(columns(rows), len(rows))).any()
