"""What a run found in each band: how many, how many of them are expected to have the outcome, and what is at stake.

Goes onto the card of the run, so that a page compares a month with the one before without reading the runs.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from models.definition import Model
from serving.runs.run_card import BandSums

COLUMNS = ["band", "probability", "value", "value_at_risk"]
"""Columns of the published rows that are read."""


def band_sums(parts: Iterable[pa.Table], model: Model) -> dict[str, BandSums]:
    """Sums over published rows with a score, by band in the order of the model; one part is in memory at a time."""
    found: dict[str, list[float]] = {}
    for part in parts:
        summed = part.group_by("band").aggregate(
            [([], "count_all"), ("probability", "sum"), ("value", "sum"), ("value_at_risk", "sum")]
        )
        for row in summed.to_pylist():
            if row["band"] is None:
                continue
            new = (row["count_all"], row["probability_sum"], row["value_sum"], row["value_at_risk_sum"])
            before = found.setdefault(row["band"], [0.0] * len(new))
            found[row["band"]] = [old + (each or 0.0) for old, each in zip(before, new, strict=True)]
    order = [name for name, _ in model.bands]
    return {
        band: BandSums(
            count=int(found[band][0]), expected=found[band][1], value=found[band][2], at_stake=found[band][3]
        )
        for band in [*order, *sorted(set(found) - set(order))]
        if band in found
    }
