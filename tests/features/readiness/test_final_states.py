"""Deals, contracts and tickets that are over from their first version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from features.sources.loader import open_source
from tests.kit.checked import account, lines
from tests.kit.company import at, make_source


class TestFinalStates:
    def deals(self, begun: bool) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for n in range(12):
            deal = {"opportunity_id": f"o{n}", "account_id": "a", "stage": "x"}
            if begun:
                rows.append(deal | {"event_time": at("2024-02-01"), "status": "open"})
            rows.append(deal | {"event_time": at("2024-03-01") if begun else at("2024-02-01"), "status": "Closed Won"})
        return rows

    def test_deals_that_are_won_in_their_first_version_are_found(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"accounts": [account()], "opportunities": self.deals(begun=False)})
        (line,) = lines(source, "opportunities", "a version from before its end")
        assert (line.severity, line.rows, line.column) == ("weakens", 12, "status")
        assert "UNION ALL" in line.what_to_do

    def test_the_advice_mends_it(self, tmp_path: Path) -> None:
        """The twin: the two SELECTs that the advice names."""
        source = make_source(tmp_path, {"accounts": [account()], "opportunities": self.deals(begun=False)})
        read = (tmp_path / "opportunities.sql").read_text()
        (tmp_path / "opportunities.sql").write_text(
            f"SELECT * REPLACE ('open' AS status) FROM ({read}) UNION ALL "
            f"SELECT * REPLACE (event_time + INTERVAL 20 DAY AS event_time) FROM ({read})"
        )
        source = open_source(str(tmp_path), tmp_path)
        assert lines(source, "opportunities", "a version from before its end") == []

    def test_orders_that_begin_as_cancelled_are_found(self, tmp_path: Path) -> None:
        of = {"account_id": "a", "event_time": at("2024-02-01"), "amount": 1.0}
        rows = [of | {"order_id": f"o{n}", "status": "cancelled"} for n in range(12)]
        source = make_source(tmp_path / "one", {"accounts": [account()], "orders": rows})
        (line,) = lines(source, "orders", "a version from before its end")
        assert (line.rows, "status 'placed'" in line.what_to_do) == (12, True)
        # The twin: a shipped order may be all that an export has.
        rows = [row | {"status": "shipped"} for row in rows]
        source = make_source(tmp_path / "two", {"accounts": [account()], "orders": rows})
        assert lines(source, "orders", "a version from before its end") == []
