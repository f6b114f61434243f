"""Times and the clock: exact microseconds, UTC everywhere, and nothing that is after the clock has been seen."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from features.kit.clock import (
    DAY_US,
    FOREVER_US,
    as_utc,
    from_us,
    iso,
    make_clock,
    now,
    parse_as_of,
    parse_seen,
    system_us,
    to_us,
)
from features.kit.errors import UserMistake

BERLIN_NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=1)))


class TestMicroseconds:
    @pytest.mark.parametrize(
        ("moment", "us"),
        [
            (dt.datetime(1970, 1, 1, tzinfo=dt.UTC), 0),
            (dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, dt.UTC), -1),
            (BERLIN_NOON, 20_513 * DAY_US + 11 * 3_600 * 1_000_000),  # 2026-03-01 is 20,513 days after 1970-01-01
            (
                dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, dt.UTC),
                253_402_300_799_999_999,
            ),  # as a float it ends in 0
        ],
    )
    def test_they_are_exact_both_ways(self, moment: dt.datetime, us: int) -> None:
        assert to_us(moment) == us
        assert from_us(us) == moment

    def test_an_integer_of_numpy_is_taken(self) -> None:
        assert from_us(np.int64(DAY_US)) == dt.datetime(1970, 1, 2, tzinfo=dt.UTC)  # type: ignore[arg-type]

    def test_what_has_no_end_still_takes_a_horizon(self) -> None:
        assert np.int64(FOREVER_US) + np.int64(3_650 * DAY_US) > np.int64(FOREVER_US)


class TestZones:
    def test_a_naive_time_is_utc_and_a_zone_is_converted(self) -> None:
        assert as_utc(dt.datetime(2026, 3, 1, 12)) == dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
        assert as_utc(BERLIN_NOON).isoformat() == "2026-03-01T11:00:00+00:00"

    def test_iso_has_microseconds_only_where_there_are_some(self) -> None:
        assert iso(BERLIN_NOON) == "2026-03-01T11:00:00Z"
        assert iso(BERLIN_NOON.replace(microsecond=5)) == "2026-03-01T11:00:00.000005Z"

    @pytest.mark.parametrize("text", ["2026-03-01T11:00:00Z", " 2026-03-01 12:00+01:00 ", "2026-03-01T11:00"])
    def test_a_date_is_read_in_every_iso_form(self, text: str) -> None:
        assert parse_as_of(text) == BERLIN_NOON


class TestClock:
    def test_a_set_clock_runs_on_from_its_start(self) -> None:
        clock = make_clock("2020-01-01")
        first, second = clock(), clock()
        assert dt.timedelta() <= first - dt.datetime(2020, 1, 1, tzinfo=dt.UTC) < dt.timedelta(minutes=1)
        assert second >= first

    def test_the_setting_sets_it_and_without_it_the_system_does(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACCOUNTSCORE_NOW", "2020-01-01T06:00:00Z")
        assert now() == dt.datetime(2020, 1, 1, 6, tzinfo=dt.UTC)
        assert make_clock()().date() == dt.date(2020, 1, 1)
        monkeypatch.setenv("ACCOUNTSCORE_NOW", "")
        before = system_us()
        assert before <= to_us(now()) <= system_us()

    def test_a_setting_that_is_no_date_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACCOUNTSCORE_NOW", "soon")
        for read in (now, make_clock):
            with pytest.raises(UserMistake, match="ACCOUNTSCORE_NOW: 'soon' is not a date"):
                read()


class TestSeen:
    clock = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)

    def test_the_moment_of_the_clock_is_seen_and_the_next_is_not(self) -> None:
        assert parse_seen("2026-03-01", clock=self.clock) == self.clock
        with pytest.raises(UserMistake, match="--known-before 2026-03-01T00:00:01Z is after the clock"):
            parse_seen("2026-03-01T00:00:01Z", "--known-before", self.clock)

    def test_the_moment_that_is_advised_works(self) -> None:
        clock = self.clock + dt.timedelta(hours=5, microseconds=7)
        with pytest.raises(UserMistake) as caught:
            parse_seen("2026-04-01", clock=clock)
        newest = str(caught.value).partition("the newest that works is --as-of ")[2].split(" ")[0]
        assert parse_seen(newest, clock=clock) == clock.replace(microsecond=0)
