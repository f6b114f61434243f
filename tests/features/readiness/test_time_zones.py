"""Times without a zone are named, and the advice reads them in the zone of the export."""

from __future__ import annotations

from pathlib import Path

from features.readiness.line import Line
from features.sources.loader import open_source
from features.sources.source import Source
from tests.kit.checked import lines, wrapped

ACCOUNTS = "SELECT 'a' AS account_id, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS event_time"


def used(folder: Path, time: str) -> Source:
    """A company whose usage has one row for each summer and winter noon."""
    folder.mkdir(exist_ok=True)
    (folder / "accounts.sql").write_text(ACCOUNTS)
    days = "('2024-01-15 12:00:00'), ('2024-07-15 12:00:00')"
    (folder / "usage.sql").write_text(f"SELECT 'a' AS account_id, {time} AS event_time FROM (VALUES {days}) t(noon)")
    return open_source(str(folder), folder)


def zones(source: Source) -> list[Line]:
    return lines(source, "usage", "read as UTC")


def hours(source: Source) -> list[int]:
    return [row[0] for row in source.query("SELECT event_us // 3600000000 % 24 FROM usage ORDER BY event_us")]


class TestZones:
    def test_the_advice_reads_local_times_in_winter_and_in_summer(self, tmp_path: Path) -> None:
        """Noon in Berlin is 11:00 UTC in January and 10:00 in July."""
        source = used(tmp_path, "CAST(noon AS TIMESTAMP)")
        (line,) = zones(source)
        assert (line.severity, line.column, line.rows) == ("info", "event_time", 2)
        assert hours(source) == [12, 12]
        mended = wrapped(tmp_path, "usage", line.what_to_do[line.what_to_do.index("SELECT") :])
        assert hours(mended) == [11, 10]
        assert zones(mended) == []

    def test_times_with_a_zone_and_dates_are_no_finding(self, tmp_path: Path) -> None:
        assert zones(used(tmp_path / "zoned", "CAST(noon || '+02' AS TIMESTAMPTZ)")) == []
        assert zones(used(tmp_path / "dates", "CAST(noon[:10] AS DATE)")) == []

    def test_a_unit_of_pandas_is_naive_too(self, tmp_path: Path) -> None:
        assert len(zones(used(tmp_path, "CAST(noon AS TIMESTAMP_NS)"))) == 1
