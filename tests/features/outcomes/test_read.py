"""The outcomes of a source are read by the outcome itself, once its entity is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.outcomes.churn import CHURN
from features.outcomes.conversion import CONVERSION
from features.outcomes.labels import OutcomesRefused
from features.outcomes.read import read_outcomes
from tests.kit.company import at, make_source
from tests.kit.outcomes import contract, customers


class TestReadOutcomes:
    def test_a_source_without_the_entity_is_refused(self, tmp_path: Path) -> None:
        source = make_source(tmp_path / "bare", {"accounts": [{"account_id": "a", "event_time": at("2024-01-01")}]})
        with pytest.raises(OutcomesRefused, match="a model of leads learns from the table 'leads'"):
            read_outcomes(source, CONVERSION)

    def test_the_outcome_says_what_came_true(self, tmp_path: Path) -> None:
        rows = contract("a", ("2024-01-01", "active", 10), ("2024-06-01", "ended", 0))
        found = read_outcomes(customers(tmp_path, rows), CHURN)
        assert (found.entity, found.origin, found.events["entity_id"].tolist()) == ("account", "subscriptions", ["a"])
