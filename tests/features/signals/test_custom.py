"""Columns beyond the canonical ones become signals by what is in them, or are left out with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.panel.build import build_panel
from features.signals.custom import custom_definitions
from features.sources.loader import open_source
from features.sources.source import Source
from tests.kit.company import at


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "accounts.sql").write_text(
        "SELECT 'a' || i AS account_id, TIMESTAMP '2024-01-01' AS event_time, i * 1.5 AS score, 'x' || i AS serial, "
        "CASE WHEN i % 2 = 0 THEN 'gold' ELSE 'tin' END AS tier, TIMESTAMP '2024-01-11' AS met, NULL::VARCHAR AS nothing "
        "FROM range(30) t(i)"
    )
    return open_source(str(tmp_path))


def test_the_type_says_what_a_column_is(source: Source) -> None:
    found, _ = custom_definitions(source, "account", set())
    assert {d.signal.name: d.signal.unit for d in found} == {"score": "points", "tier": "category", "met": "days"}
    assert {d.signal.theme for d in found} == {"custom"}


def test_an_identifier_and_a_column_without_values_are_left_out_with_the_reason(source: Source) -> None:
    _, left_out = custom_definitions(source, "account", set())
    reasons = {each.column: each.why for each in left_out}
    assert reasons["nothing"] == "it has no value in any row"
    assert reasons["serial"].endswith("different texts in 30 rows: an identifier, not a category")


def test_a_name_that_is_taken_is_told_apart(source: Source) -> None:
    taken = {"tier", "custom_tier"}
    found, _ = custom_definitions(source, "account", taken)
    assert "custom_custom_tier" in {d.signal.name for d in found} & taken


def test_a_time_is_read_as_its_age(source: Source) -> None:
    panel = build_panel(source, "account", [at("2024-01-21")], only=["met", "score"], ids=["a2"])
    assert (panel["met"].to_pylist(), panel["score"].to_pylist()) == ([9.0], [3.0])
