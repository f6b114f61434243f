"""Times of a flat file, of every type and in every way of writing them, as microseconds since 1970."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from features.kit.flat_files.moments import as_moments


class TestMoments:
    noon = dt.datetime(2026, 2, 13, 12, tzinfo=dt.UTC)

    @pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
    @pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
    def test_every_unit_and_zone(self, unit: str, zone: str | None) -> None:
        column = pa.array([int(self.noon.timestamp()) * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit], None])
        stamped = column.cast(pa.timestamp(unit, zone))
        assert as_moments(stamped).to_pylist() == [int(self.noon.timestamp()) * 10**6, None]

    def test_parts_of_a_microsecond_are_cut_towards_the_past(self) -> None:
        assert as_moments(pa.array([1_500, -1_500], pa.timestamp("ns"))).to_pylist() == [1, -2]

    @pytest.mark.parametrize(
        "text",
        [
            "2026-02-13T12:00:00Z",
            "2026-02-13 12:00",
            "2026-02-13T13:00:00+01:00",
            "13.02.2026 12:00",
            "13/02/2026 12:00",
            "02/13/2026 12:00:00",
        ],
    )
    def test_every_usual_way_to_write_a_moment_is_read(self, text: str) -> None:
        assert as_moments(pa.array([text])).to_pylist() == [int(self.noon.timestamp()) * 10**6]

    def test_a_day_that_could_be_a_month_is_no_time_until_the_column_says(self) -> None:
        assert as_moments(pa.array(["1/2/2026"])).to_pylist() == [None]
        first, second = as_moments(pa.array(["1/2/2026", "1/13/2026"])).to_pylist()
        assert second - first == 11 * 86_400 * 10**6
        assert as_moments(pa.array(["13/2/2026", "2/13/2026"])).to_pylist() == [None, None]

    @pytest.mark.parametrize("text", ["20260213", "2026", "soon", ""])
    def test_numbers_and_words_are_no_times(self, text: str) -> None:
        assert as_moments(pa.array([text, "2026-02-13"])).to_pylist()[0] is None
