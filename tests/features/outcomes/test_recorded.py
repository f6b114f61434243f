"""A source that tells of no outcome is refused with what would do."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.outcomes.churn import CHURN
from features.outcomes.conversion import CONVERSION
from features.outcomes.labels import OutcomesRefused
from features.outcomes.read import read_outcomes
from tests.kit.company import at, make_source


class TestRefused:
    def test_a_source_without_an_outcome_says_what_would_do(self, tmp_path: Path) -> None:
        source = make_source(tmp_path / "bare", {"accounts": [{"account_id": "a", "event_time": at("2024-01-01")}]})
        with pytest.raises(OutcomesRefused, match=r"no table tells of churn; it has accounts.*add churn_labels\.sql"):
            read_outcomes(source, CHURN)

    def test_a_source_without_the_entity_is_refused(self, tmp_path: Path) -> None:
        source = make_source(tmp_path / "bare", {"accounts": [{"account_id": "a", "event_time": at("2024-01-01")}]})
        with pytest.raises(OutcomesRefused, match="a model of leads learns from the table 'leads'"):
            read_outcomes(source, CONVERSION)
