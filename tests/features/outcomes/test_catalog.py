"""The outcomes by name and by entity."""

from __future__ import annotations

import pytest

from features.outcomes.catalog import OUTCOMES, UnknownOutcome, get_outcome, outcomes_of
from features.outcomes.churn import CHURN
from features.outcomes.conversion import CONVERSION
from features.outcomes.expansion import EXPANSION
from features.sources.schema import TABLES


def test_the_first_of_an_entity_is_its_usual_one() -> None:
    assert outcomes_of("account") == (CHURN, EXPANSION)
    assert outcomes_of("lead") == (CONVERSION,)


def test_an_outcome_is_found_by_its_name() -> None:
    assert get_outcome("expansion") is EXPANSION
    with pytest.raises(UnknownOutcome, match="no outcome 'Churn': one of churn, conversion, expansion"):
        get_outcome("Churn")


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_tables_of_an_outcome_are_canonical_and_its_labels_hold_its_flag(name: str) -> None:
    outcome = OUTCOMES[name]
    assert set(outcome.tables) <= set(TABLES)
    assert outcome.labels is None or TABLES[outcome.labels].column(outcome.flag) is not None
    codes = [reason.code for reason in outcome.not_eligible]
    assert len(codes) == len(set(codes)) > 0
