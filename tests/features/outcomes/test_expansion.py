"""Expansion: what all contracts pay at the end of the window against what they pay at `as_of`, by rows made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.kit.clock import to_us
from features.outcomes.expansion import EXPANSION
from features.outcomes.labels import Outcomes, OutcomesRefused
from features.outcomes.read import read_outcomes
from tests.kit.company import at, make_source
from tests.kit.contracts import AS_OF, RISE, START, contract, expanded, of


class TestLabels:
    @pytest.mark.parametrize(
        ("mrr", "expected"), [(110.0, 1.0), (109.99, 0.0), (150.0, 1.0), (100.0, 0.0), (60.0, 0.0)]
    )
    def test_exactly_a_tenth_more_counts(self, tmp_path: Path, mrr: float, expected: float) -> None:
        assert expanded(of(tmp_path, contract(1, START, ("2024-04-01", "active", mrr)))) == expected

    def test_a_tenth_is_counted_in_whole_cents(self, tmp_path: Path) -> None:
        """0.1 + 0.2 is not 0.3: of 0.30 a tenth more is 0.33, to the cent."""
        many = [contract(n, ("2023-06-01", "active", 0.1)) for n in range(3)]
        assert expanded(of(tmp_path, *many, contract(9, ("2024-04-01", "active", 0.03)))) == 1

    def test_it_stands_at_the_end_of_the_window(self, tmp_path: Path) -> None:
        assert expanded(of(tmp_path / "a", contract(1, START, RISE, ("2024-05-29", "active", 100.0)))) == 0, (
            "taken back before"
        )
        assert expanded(of(tmp_path / "b", contract(1, START, RISE, ("2024-05-30", "active", 100.0)))) == 1, "half-open"
        assert expanded(of(tmp_path / "c", contract(1, START, ("2024-05-30", "active", 200.0)))) == 0, (
            "after the window"
        )

    def test_a_rise_at_as_of_itself_lies_in_the_window(self, tmp_path: Path) -> None:
        assert expanded(of(tmp_path, contract(1, START, (AS_OF, "active", 110.0)))) == 1

    def test_a_second_contract_counts(self, tmp_path: Path) -> None:
        assert expanded(of(tmp_path / "a", contract(1, START), contract(2, ("2024-04-01", "active", 10.0)))) == 1
        trial = contract(2, ("2024-04-01", "trial", 10.0))
        assert expanded(of(tmp_path / "b", contract(1, START), trial)) == 0, "a trial is not paid for"

    def test_one_contract_for_another_is_no_rise(self, tmp_path: Path) -> None:
        moved = contract(1, START, ("2024-04-01", "ended", 0.0)), contract(2, ("2024-04-01", "active", 100.0))
        assert expanded(of(tmp_path, *moved)) == 0

    def test_one_that_left_has_not_grown(self, tmp_path: Path) -> None:
        assert expanded(of(tmp_path, contract(1, START, RISE, ("2024-05-01", "ended", 0.0)))) == 0

    def test_one_that_paid_nothing_without_our_knowing_has_no_label(self, tmp_path: Path) -> None:
        assert np.isnan(expanded(of(tmp_path, contract(1, ("2024-04-01", "active", 100.0)))))

    def test_a_window_that_is_not_over_has_no_label(self, tmp_path: Path) -> None:
        rows = contract(1, START, RISE)
        assert np.isnan(expanded(of(tmp_path / "a", rows, end="2024-05-29")))
        assert expanded(of(tmp_path / "b", rows, end="2024-05-30")) == 1
        # The sabotaged twin: labels that do not know where the data end.
        careless = replace(of(tmp_path / "c", rows, end="2024-05-29"), known_until_us=to_us(at("2030-01-01")))
        assert expanded(careless) == 1

    def test_events_alone_would_say_otherwise(self, tmp_path: Path) -> None:
        """The sabotaged twin: judged as things that happen at a moment, a rise that was taken back counts, and so does a cent."""
        found = of(tmp_path, contract(1, START, RISE, ("2024-05-01", "active", 100.01)))
        assert expanded(found) == 0
        plain = Outcomes(found.entity, found.origin, found.events, None, found.known_until_us, 0)
        assert expanded(plain) == 1

    def test_without_contracts_it_is_refused(self, tmp_path: Path) -> None:
        bare = make_source(tmp_path, {"accounts": [{"account_id": "a", "event_time": at("2024-01-01")}]})
        with pytest.raises(OutcomesRefused, match=r"no table records expansion.*add subscriptions\.sql"):
            read_outcomes(bare, EXPANSION)
