"""When the registry last confirmed a champion."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from models import champion_pointer
from serving.registry_heartbeat import NAME, Confirmed, note, read

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


class TestAge:
    def test_it_is_since_the_newer_of_the_look_and_the_promotion(self) -> None:
        seen = Confirmed(at="2026-01-01T11:00:00+00:00")
        assert seen.age_seconds("2026-01-01T11:30:00+00:00", NOON) == 1800.0
        assert seen.age_seconds(None, NOON) == 3600.0

    def test_never_confirmed_is_none_and_a_clock_that_went_back_is_0(self) -> None:
        assert Confirmed().age_seconds(None, NOON) is None
        assert Confirmed(at="2026-01-01T13:00:00+00:00").age_seconds(None, NOON) == 0.0


class TestNote:
    def test_a_failure_keeps_the_time_of_the_last_success(self, tmp_path: Path) -> None:
        note(tmp_path, "churn-risk")
        good = read(tmp_path, "churn-risk")
        assert good.at is not None
        assert good.failed is None
        note(tmp_path, "churn-risk", "it is away")
        assert read(tmp_path, "churn-risk") == Confirmed(at=good.at, failed="it is away")
        assert read(tmp_path, "lead-fit") == Confirmed()

    def test_a_note_that_cannot_be_read_says_nothing(self, tmp_path: Path) -> None:
        note(tmp_path, "churn-risk")
        (champion_pointer.folder(tmp_path, "churn-risk") / NAME).write_text("{")
        assert read(tmp_path, "churn-risk") == Confirmed()
