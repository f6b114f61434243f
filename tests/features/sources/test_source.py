"""A source that is open: its tables as signals see them, and as people know them."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.kit.errors import BadInput
from features.sources.loader import open_source
from tests.kit.broken_sources import ACCOUNTS, write_sql
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

    def test_arrow_leaves_out_what_was_not_observed_when_asked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ACCOUNTSCORE_NOW", "2024-06-01")
        rows = [
            {"account_id": "a", "event_time": at("2024-01-01")},
            {"account_id": "ahead", "event_time": at("2024-07-01")},
            {"account_id": "not known yet", "event_time": at("2024-01-01"), "known_time": at("2024-07-01")},
        ]
        source = make_source(tmp_path, {"accounts": rows})
        assert source.arrow("accounts", ["account_id"], seen=True)["account_id"].to_pylist() == ["a"]
        assert source.arrow("accounts", ["account_id"]).num_rows == 3


class TestBrokenTables:
    def test_a_fault_stops_only_those_who_read_its_table(self, tmp_path: Path) -> None:
        source = open_source(write_sql(tmp_path, accounts=ACCOUNTS, usage="SELEKT"), keep_going=True)
        assert (source.tables, source.has("usage"), source.has_file("usage")) == (("accounts",), False, True)
        source.require(["accounts"])
        with pytest.raises(BadInput, match=r"usage\.sql"):
            source.require(["accounts", "usage"])

    def test_a_file_that_is_no_table_stops_everybody(self, tmp_path: Path) -> None:
        source = open_source(write_sql(tmp_path, accounts=ACCOUNTS, invoice="SELECT 1"), keep_going=True)
        with pytest.raises(BadInput, match="no canonical table is called 'invoice'"):
            source.require(["accounts"])
