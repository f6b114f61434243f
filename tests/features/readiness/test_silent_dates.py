"""Dates without outcomes where many were to be expected: left out at the begin, refused in between and at the end."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.kit.clock import DAY_US, to_us
from features.kit.errors import TrainingRefused
from features.outcomes.labels import Outcomes
from features.readiness.silent_dates import recorded_from, refuse_silent_dates
from tests.kit.company import at

START = to_us(at("2024-01-01"))


def rows(*hits: int, per_date: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """As many rows per date, 28 days apart, with so many outcomes."""
    as_of = np.repeat([START + n * 28 * DAY_US for n in range(len(hits))], per_date)
    y = np.concatenate([np.arange(per_date) < n for n in hits]).astype(float)
    return as_of, y


def recorded(*times: int) -> Outcomes:
    events = pd.DataFrame({"entity_id": [f"a{n}" for n in range(len(times))], "time_us": list(times)})
    return Outcomes("account", "subscriptions", events, None, 2**62, 0)


class TestRecordedFrom:
    def test_dates_before_the_first_outcome_are_left_out_where_many_were_to_be_expected(self) -> None:
        """A fifth of the later rows has the outcome: of 100 earlier ones twenty would."""
        as_of, y = rows(0, 20, 20)
        first = START + 28 * DAY_US
        assert recorded_from(recorded(first, first + 1), as_of, y) == first

    def test_few_that_were_to_be_expected_may_have_been_none(self) -> None:
        as_of, y = rows(0, 14, 14)
        assert recorded_from(recorded(START + 28 * DAY_US), as_of, y) == 0

    def test_when_outcomes_go_back_to_the_first_date_nothing_is_left_out(self) -> None:
        as_of, y = rows(20, 20)
        assert recorded_from(recorded(START), as_of, y) == 0
        assert recorded_from(recorded(), as_of, y) == 0


class TestRefuseSilentDates:
    def test_outcomes_throughout_are_taken(self) -> None:
        assert refuse_silent_dates("x", *rows(20, 0, 20, per_date=30)) is None, "13 were to be expected there"

    def test_an_end_without_outcomes_is_refused(self) -> None:
        with pytest.raises(
            TrainingRefused, match="no outcome at 1 of 3 dates, where 27 were to be expected"
        ) as refused:
            refuse_silent_dates("x", *rows(40, 40, 0))
        (fault,) = refused.value.faults
        assert fault.where == "observation dates 2024-02-26 to 2024-02-26"
        assert fault.next_step == "complete the outcomes, or end the data before they stop"

    def test_a_begin_without_outcomes_says_from_when_on_they_are_recorded(self) -> None:
        with pytest.raises(TrainingRefused, match="pass --since 2024-01-29"):
            refuse_silent_dates("x", *rows(0, 40, 40))
