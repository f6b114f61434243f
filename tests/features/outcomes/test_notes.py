"""Outcomes that notes tell are added to those of the source, and every other outcome stays exactly as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.kit.clock import DAY_US, to_us
from features.outcomes.churn import CHURN
from features.outcomes.conversion import CONVERSION
from features.outcomes.labels import Outcomes, OutcomesRefused, came_at, label, so_far
from features.outcomes.outcome import Outcome
from features.outcomes.read import read_outcomes
from features.sources.loader import open_source
from features.sources.source import Source
from tests.kit.company import at, make_source
from tests.kit.notes import line, write_notes
from tests.kit.outcomes import HORIZON, contract

NAMES = [f"a{number}" for number in range(8)]
DATES = [f"2024-{month:02d}-01" for month in range(1, 13)]


def company() -> dict[str, list[dict[str, Any]]]:
    """Eight accounts that pay, of which a1 leaves in June, and leads of which l1 is won in June; recorded up to 2025-06-01."""
    contracts = [row for name in NAMES for row in contract(name, ("2023-02-01", "active", 10))]
    return {
        "accounts": [{"account_id": name, "event_time": at("2023-01-01")} for name in NAMES],
        "leads": [{"lead_id": f"l{n}", "event_time": at("2023-12-01"), "status": "open"} for n in range(8)],
        "subscriptions": contracts + contract("a1", ("2024-06-15", "ended", 0)),
        "opportunities": [
            {"opportunity_id": "o1", "lead_id": "l1", "event_time": at("2024-06-15"), "stage": "x", "status": "won"}
        ],
        "usage": [{"account_id": "a0", "event_time": at("2025-06-01")}],
    }


def opened(tmp_path: Path, *notes: dict[str, Any], more: Any = None) -> Source:
    folder = make_source(tmp_path / "crm", {**company(), **(more or {})}).folder
    write_notes(tmp_path, *notes)
    return open_source(str(folder), folder, home=tmp_path)


def labels(outcomes: Outcomes, names: list[str]) -> pd.DataFrame:
    """One row per name, one column per date."""
    moments = [to_us(at(date)) for date in DATES]
    found = {
        date: label(outcomes, names, np.full(len(names), moment), HORIZON)
        for date, moment in zip(DATES, moments, strict=True)
    }
    return pd.DataFrame(found, index=names)


LEADS = [f"l{number}" for number in range(8)]
TOLD = [
    (CHURN, NAMES, line("a3", "churned", "2024-09-10", "2024-12-01"), "a3"),
    (CONVERSION, LEADS, line("l3", "won", "2024-09-10", "2024-12-01", entity="lead"), "l3"),
]


class TestOneNote:
    @pytest.mark.parametrize(("outcome", "names", "told", "whom"), TOLD)
    def test_leaves_every_other_outcome_exactly_as_it_was(
        self, tmp_path: Path, outcome: Outcome, names: list[str], told: dict[str, Any], whom: str
    ) -> None:
        """The source has no table of ready labels; one note must not make it a source of ready labels."""
        before = read_outcomes(opened(tmp_path), outcome)
        after = read_outcomes(opened(tmp_path, told), outcome)
        others = [name for name in names if name != whom]
        pd.testing.assert_frame_equal(labels(after, others), labels(before, others))
        assert 1 in labels(before, others).to_numpy()
        assert 0 in labels(before, others).to_numpy()
        assert (after.origin, after.known_until_us, after.settle_us) == (
            before.origin,
            before.known_until_us,
            before.settle_us,
        )
        pd.testing.assert_frame_equal(after.events[after.events["entity_id"] != whom], before.events)

    @pytest.mark.parametrize(("outcome", "names", "told", "whom"), TOLD)
    def test_counts_for_its_own_entity(
        self, tmp_path: Path, outcome: Outcome, names: list[str], told: dict[str, Any], whom: str
    ) -> None:
        row = labels(read_outcomes(opened(tmp_path, told), outcome), names).loc[whom]
        assert row["2024-06-01"] == 0, "101 days before it"
        assert row["2024-08-01"] == row["2024-09-01"] == 1
        assert np.isnan(row["2024-10-01"]), "it had happened before without our knowing"

    def test_the_same_row_as_a_ready_label_would_change_all_others(self, tmp_path: Path) -> None:
        """The twin: why a note is no row of churn_labels."""
        before = labels(read_outcomes(opened(tmp_path), CHURN), NAMES)
        ready = {"churn_labels": [{"account_id": "a3", "event_time": at("2024-09-10"), "churned": True}]}
        after = labels(read_outcomes(opened(tmp_path, more=ready), CHURN), NAMES)
        assert before.loc["a1", "2024-06-01"] == 1
        assert after.loc["a1", "2024-06-01"] == 0

    def test_a_report_says_so(self, tmp_path: Path) -> None:
        found = read_outcomes(opened(tmp_path, TOLD[0][2]), CHURN)
        assert found.notes[-1] == "One outcome was told by a note: added to what subscriptions tells."


class TestTime:
    def test_a_note_of_today_about_last_month_was_not_known_last_month(self, tmp_path: Path) -> None:
        found = read_outcomes(opened(tmp_path, TOLD[0][2]), CHURN)
        for now, expected in (("2024-11-01", False), ("2024-12-01", False), ("2024-12-02", True)):
            known = found.until(to_us(at(now)))
            assert so_far(known, ["a3"], np.array([to_us(at("2024-09-01"))]), HORIZON).tolist() == [expected], now
        # What the source tells is known as before: an outcome of June counts in November.
        assert so_far(found.until(to_us(at("2024-11-01"))), ["a1"], np.array([to_us(at("2024-06-01"))]), HORIZON).all()

    def test_a_departure_that_was_told_ends_a_spell_only_once_it_is_known(self, tmp_path: Path) -> None:
        found = read_outcomes(opened(tmp_path, TOLD[0][2]), CHURN).until(to_us(at("2024-11-01")))
        assert label(found, ["a3"], np.array([to_us(at("2024-05-01"))]), 30 * DAY_US).tolist() == [0.0]
        assert so_far(found, ["a3"], np.array([to_us(at("2024-10-01"))]), HORIZON).tolist() == [False]

    def test_one_told_after_the_clock_is_not_known(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACCOUNTSCORE_NOW", "2024-11-30T00:00:00Z")
        found = read_outcomes(opened(tmp_path, TOLD[0][2]), CHURN)
        assert found.told is None

    def test_one_after_the_end_of_the_source_moves_no_end(self, tmp_path: Path) -> None:
        before = read_outcomes(opened(tmp_path), CHURN)
        found = read_outcomes(opened(tmp_path, line("a3", "churned", "2025-07-01")), CHURN)
        assert found.known_until_us == before.known_until_us
        assert np.isnan(label(found, ["a3"], np.array([to_us(at("2025-05-01"))]), HORIZON)).all(), "never half a window"
        assert so_far(found, ["a3"], np.array([to_us(at("2025-05-01"))]), HORIZON).all()


class TestTogether:
    def test_what_the_source_tells_of_the_same_entity_stays(self, tmp_path: Path) -> None:
        """The note is of May, the contract ended in June: both count."""
        found = read_outcomes(opened(tmp_path, line("a1", "churned", "2024-05-10")), CHURN)
        at_may = np.array([to_us(at("2024-05-01")), to_us(at("2024-06-01"))])
        assert label(found, ["a1", "a1"], at_may, 30 * DAY_US).tolist() == [1.0, 1.0]
        assert came_at(found, ["a1"], at_may[1:]).tolist() == [to_us(at("2024-06-15"))]

    def test_a_source_of_ready_labels_takes_them_too(self, tmp_path: Path) -> None:
        ready = {"churn_labels": [{"account_id": "a1", "event_time": at("2024-09-10"), "churned": True}]}
        found = read_outcomes(opened(tmp_path, TOLD[0][2], more=ready), CHURN)
        assert found.events["entity_id"].tolist() == ["a1", "a3"]
        assert found.origin == "churn_labels"

    def test_ready_labels_without_dates_take_none_and_say_so(self, tmp_path: Path) -> None:
        ready = {"churn_labels": [{"account_id": "a1", "churned": True}]}
        found = read_outcomes(opened(tmp_path, TOLD[0][2], more=ready), CHURN)
        assert found.snapshot is not None
        assert "not counted" in found.notes[-1]

    def test_a_source_that_records_no_outcome_is_refused_as_before(self, tmp_path: Path) -> None:
        rows = {"accounts": company()["accounts"], "usage": company()["usage"]}
        folder = make_source(tmp_path / "bare", rows).folder
        write_notes(tmp_path, TOLD[0][2])
        with pytest.raises(OutcomesRefused, match="no table records churn"):
            read_outcomes(open_source(str(folder), folder, home=tmp_path), CHURN)

    def test_lost_is_no_conversion(self, tmp_path: Path) -> None:
        found = read_outcomes(opened(tmp_path, line("l3", "lost", "2024-09-10", entity="lead")), CONVERSION)
        assert found.told is None
