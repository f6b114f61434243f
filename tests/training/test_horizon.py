"""The horizon of a flat table: a gap between periods, and rows whose outcome nobody can know yet."""

from __future__ import annotations

import re

import pandas as pd
import pyarrow as pa
import pytest

from features.kit.clock import DAY_US
from tests.kit.flat_tables import leads, learnt_from, weekly_accounts
from training.errors import TrainingRefused
from training.flat_table import Ask, flat_rows

pytestmark = pytest.mark.usefixtures("no_pictures")


class TestHorizon:
    @pytest.mark.parametrize("days", [200, 301, 5_000, 10**15])
    def test_one_that_the_times_do_not_allow_is_told_the_longest_that_works(self, days: int) -> None:
        frame = weekly_accounts()
        with pytest.raises(TrainingRefused, match=rf"--horizon {days}: the times span 301 days") as refused:
            learnt_from(frame, horizon_days=days)
        works = int(re.findall(r"--horizon (\d+) or less works", str(refused.value))[0])
        assert learnt_from(frame, horizon_days=works)
        with pytest.raises(TrainingRefused):
            learnt_from(frame, horizon_days=works + 7)

    def test_a_row_whose_horizon_is_not_over_has_no_outcome_yet(self, monkeypatch: pytest.MonkeyPatch) -> None:
        frame = weekly_accounts(weeks=60)
        clock = pd.Timestamp("2025-01-01")
        late = pd.to_datetime(frame["snapshot"]) + pd.Timedelta(days=90) > clock
        frame.loc[late, "left"] = 0  # what an export of that day says
        frame.loc[len(frame)] = {**frame.iloc[0].to_dict(), "snapshot": "2099-01-01", "left": 0}
        flat = learnt_from(frame, horizon_days=90, now_us=clock.value // 1000)
        assert flat.rows.time is not None
        assert int(flat.rows.time.max()) + 90 * DAY_US <= clock.value // 1000
        assert len(flat.rows) == (~late).sum()
        said = f"Rows that are not learnt from: {late.sum() + 1:,} whose 90 days were not over at the clock."
        assert said in flat.notes
        monkeypatch.setattr("training.flat_table.horizon_over", lambda *_: None)
        with pytest.raises(TrainingRefused, match="the times span 27,394 days"):
            learnt_from(frame, horizon_days=90, now_us=clock.value // 1000)
        with pytest.raises(TrainingRefused, match=r"the test period: .* rows with no outcome"):
            learnt_from(frame[:-1], horizon_days=90, now_us=clock.value // 1000)

    def test_a_clock_before_the_rows_says_how_to_set_it(self) -> None:
        with pytest.raises(TrainingRefused, match=r"--horizon 90: it was over for 0 of .*ACCOUNTSCORE_NOW"):
            learnt_from(weekly_accounts(), horizon_days=90, now_us=pd.Timestamp("2023-01-01").value // 1000)

    def test_a_horizon_needs_dates(self) -> None:
        arrow = pa.Table.from_pandas(leads())
        with pytest.raises(TrainingRefused, match=r"there is no --time.*add --time created"):
            flat_rows(arrow, Ask("won", horizon_days=90))
        with pytest.raises(TrainingRefused, match=r"column row holds numbers.*give dates"):
            flat_rows(arrow, Ask("won", time="row", horizon_days=90))
