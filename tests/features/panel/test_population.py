"""A panel narrowed to the population of a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from features.kit.errors import BadInput
from features.panel.population import narrowed, require_readable
from models.catalog import MODELS
from models.population import where
from tests.kit.company import at, make_source

CHURN = MODELS["churn-risk"]
SMALL = replace(CHURN, population=where("employees").at_least(10))


def test_who_is_eligible_and_outside_says_so(tmp_path: Path) -> None:
    panel = pa.table(
        {"eligibility": ["eligible", "eligible", "eligible", "opted_out"], "employees": [10.0, 9.0, None, 5.0]}
    )
    assert narrowed(panel, SMALL)["eligibility"].to_pylist() == [
        "eligible",
        "outside_population",
        "outside_population",
        "opted_out",
    ]
    assert narrowed(panel, CHURN) is panel, "a model for everybody leaves a panel as it is"


def test_a_population_over_what_the_source_does_not_offer_is_refused(tmp_path: Path) -> None:
    source = make_source(tmp_path, {"accounts": [{"account_id": "a", "event_time": at("2024-01-01")}]})
    require_readable(source, SMALL)
    with pytest.raises(BadInput, match="paid_seats"):
        require_readable(source, replace(CHURN, population=where("paid_seats").at_least(10)))
