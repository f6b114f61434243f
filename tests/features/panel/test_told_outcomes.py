"""Who was told won, lost or churned before `as_of` gets no score, from the moment of telling on."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from features.panel.build import build_panel
from features.sources.loader import open_source
from features.sources.source import Source
from tests.kit.company import at, make_source
from tests.kit.notes import line, write_notes
from tests.kit.outcomes import contract


def opened(folder: Path, *notes: dict[str, Any]) -> Source:
    rows = {
        "accounts": [{"account_id": name, "event_time": at("2024-01-01")} for name in ("a", "b")],
        "leads": [{"lead_id": name, "event_time": at("2024-01-01"), "status": "open"} for name in ("l1", "l2", "l3")],
        "subscriptions": [
            *contract("a", ("2024-01-01", "active", 10)),
            *contract("b", ("2024-01-01", "active", 10)),
            *contract("a", ("2024-09-01", "active", 10), number=1),
        ],
    }
    source = make_source(folder / "crm", rows).folder
    write_notes(folder, *notes)
    return open_source(str(source), source, home=folder)


def eligibility(source: Source, entity: Any, *dates: str, engine: str = "duckdb", **more: Any) -> dict[str, list[str]]:
    panel = build_panel(source, entity, [at(date) for date in dates], engine, only=[], **more)
    found: dict[str, list[str]] = {}
    for row in panel.select(["entity_id", "eligibility"]).to_pylist():
        found.setdefault(row["entity_id"], []).append(row["eligibility"])
    return found


CHURNED = line("a", "churned", "2024-06-10", "2024-07-01")


@pytest.mark.parametrize("engine", ["duckdb", "pandas"])
class TestToldBefore:
    def test_from_the_moment_of_telling_until_it_pays_again(self, tmp_path: Path, engine: str) -> None:
        dates = ("2024-06-20", "2024-07-01", "2024-07-02", "2024-09-01", "2024-09-02")
        found = eligibility(opened(tmp_path, CHURNED), "account", *dates, engine=engine)
        assert found == {
            "a": ["eligible", "eligible", "outcome_told", "outcome_told", "eligible"],
            "b": ["eligible"] * 5,
        }

    def test_leads_that_were_won_or_lost(self, tmp_path: Path, engine: str) -> None:
        notes = [line("l1", "won", "2024-06-10", entity="lead"), line("l2", "lost", "2024-06-10", entity="lead")]
        found = eligibility(opened(tmp_path, *notes), "lead", "2024-06-10", "2024-06-11", engine=engine)
        assert found == {"l1": ["eligible", "outcome_told"], "l2": ["eligible", "outcome_told"], "l3": ["eligible"] * 2}

    def test_some_ids_alone(self, tmp_path: Path, engine: str) -> None:
        source = opened(tmp_path, CHURNED)
        assert eligibility(source, "account", "2024-07-02", engine=engine, ids=["a"]) == {"a": ["outcome_told"]}
        assert eligibility(source, "account", "2024-07-02", engine=engine, ids=["b"]) == {"b": ["eligible"]}


class TestKnownBefore:
    def test_one_moment_for_all_and_moments_of_each(self, tmp_path: Path) -> None:
        source = opened(tmp_path, CHURNED)
        early, late = at("2024-07-01"), at("2024-07-01T00:00:01")
        for known, expected in ((early, "eligible"), (late, "outcome_told")):
            assert eligibility(source, "account", "2024-08-01", known_before=known)["a"] == [expected]
        moments: dict[str, list[dt.datetime]] = {"a": [early, late], "b": [late]}
        found = eligibility(source, "account", "2024-08-01", known_before=moments)
        assert found == {"a": ["eligible", "outcome_told"], "b": ["eligible"]}
