"""What a run says of its bands is the sum of its published rows."""

from __future__ import annotations

import pyarrow as pa

from models.catalog import get_model
from serving.batch.band_sums import band_sums
from serving.runs.run_card import BandSums

CHURN = get_model("churn-risk")


def part(*rows: tuple[str | None, float | None, float | None, float | None]) -> pa.Table:
    columns = list(zip(*rows, strict=True))
    return pa.table(
        {
            "band": pa.array(columns[0], pa.string()),
            "probability": pa.array(columns[1], pa.float64()),
            "value": pa.array(columns[2], pa.float64()),
            "value_at_risk": pa.array(columns[3], pa.float64()),
        }
    )


def test_parts_are_added_and_bands_are_in_the_order_of_the_model() -> None:
    parts = [
        part(("low", 0.1, 100.0, 10.0), ("high", 0.5, 10.0, 5.0), (None, None, 7.0, None)),
        part(("high", 0.25, None, None), ("high", 0.25, 30.0, 7.5)),
    ]
    found = band_sums(parts, CHURN)
    assert list(found.items()) == [
        ("high", BandSums(count=3, expected=1.0, value=40.0, at_stake=12.5)),
        ("low", BandSums(count=1, expected=0.1, value=100.0, at_stake=10.0)),
    ]


def test_a_run_without_a_score_has_no_bands() -> None:
    assert band_sums([], CHURN) == band_sums([part((None, None, 1.0, None))], CHURN) == {}
