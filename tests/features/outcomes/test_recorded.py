"""What tables have recorded of an outcome: times as microseconds, how far they tell it, and what would do where none does."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from features.kit.clock import FOREVER_US, to_us
from features.outcomes.churn import CHURN
from features.outcomes.labels import OutcomesRefused
from features.outcomes.read import read_outcomes
from features.outcomes.recorded import created, frame_of, known_until, within_observed
from features.sources.source import Source
from tests.kit.company import at, make_source


class TestRefused:
    def test_a_source_without_an_outcome_says_what_would_do(self, tmp_path: Path) -> None:
        source = make_source(tmp_path / "bare", {"accounts": [{"account_id": "a", "event_time": at("2024-01-01")}]})
        with pytest.raises(OutcomesRefused, match=r"no table records churn; it has accounts.*add churn_labels\.sql"):
            read_outcomes(source, CHURN)


class TestFrameOf:
    def test_times_are_microseconds_and_a_missing_one_lies_in_no_future(self) -> None:
        moments = pa.array([at("2024-01-01T00:00:00.000001"), None], pa.timestamp("us", "UTC"))
        found = frame_of(pa.table({"account_id": ["a", "b"], "event_time": moments, "known_time": moments}))
        assert list(found) == ["account_id", "time_us", "known_us"]
        assert found["time_us"].tolist() == [to_us(at("2024-01-01")) + 1, FOREVER_US]


class TestPeriod:
    @pytest.fixture
    def source(self, tmp_path: Path) -> Source:
        day = [at("2024-01-01") + dt.timedelta(days=n) for n in range(300)]
        contracts = [
            {"subscription_id": f"s{n}", "account_id": "a", "status": "active", "mrr": 1.0, "event_time": moment}
            for n, moment in enumerate(day[:100])
        ]
        accounts = [{"account_id": "a", "event_time": moment} for moment in (day[5], day[2])]
        usage = [{"account_id": "a", "event_time": moment} for moment in day]
        return make_source(tmp_path, {"accounts": accounts, "usage": usage, "subscriptions": contracts})

    def test_an_entity_is_created_with_its_first_version(self, source: Source) -> None:
        assert created(source, "account").to_dict() == {"a": to_us(at("2024-01-03"))}

    def test_outcomes_are_known_as_far_as_their_table_goes_and_a_note_says_so(self, source: Source) -> None:
        assert known_until(source, "usage") == (to_us(at("2024-10-26")), ())
        until, notes = known_until(source, "subscriptions")
        assert until == to_us(at("2024-04-09"))
        assert notes == (
            "Outcomes are known up to 2024-04-09 only, where subscriptions ends; the other tables go on to 2024-10-26.",
        )

    def test_outcomes_outside_of_what_was_observed_are_left_out(self, source: Source) -> None:
        times = [at("1990-01-01"), at("2024-01-01"), at("2024-04-09"), at("2024-04-09T00:00:00.000001")]
        events = pd.DataFrame({"entity_id": list("abcd"), "time_us": [to_us(t) for t in times]})
        assert within_observed(source, events, to_us(at("2024-04-09")))["entity_id"].tolist() == ["b", "c"]
