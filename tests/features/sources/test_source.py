"""A source that is open: its tables as signals see them, and as people know them."""

from __future__ import annotations

from pathlib import Path

from tests.kit.company import at, make_source, random_company


class TestSource:
    def test_arrow_gives_times_and_money_in_ordinary_units(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, random_company(1, accounts=3, days=60))
        table = source.arrow("subscriptions")
        assert str(table.schema.field("event_time").type) == "timestamp[us, tz=UTC]"
        assert set(table["mrr"].to_pylist()) <= {0.0, 99.5, 1234.56}
        known = zip(table["known_time"].to_pylist(), table["event_time"].to_pylist(), strict=True)
        assert all(k is not None and k >= e for k, e in known)

    def test_the_span_goes_from_the_first_row_to_the_last(self, tmp_path: Path) -> None:
        rows = [
            {"account_id": "a", "event_time": at("2024-01-01")},
            {"account_id": "b", "event_time": at("2024-03-01")},
        ]
        assert make_source(tmp_path, {"accounts": rows}).span == (at("2024-01-01"), at("2024-03-01"))
