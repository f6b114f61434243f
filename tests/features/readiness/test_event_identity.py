"""What identifies an event is told, and events that are there more than once are counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.kit.checked import account, lines, query_of, wrapped
from tests.kit.company import at, make_source

USED = {"account_id": "a", "event_time": at("2024-02-01T09:00"), "user_id": "u1", "feature": "board"}
PLACED = {"order_id": "o1", "account_id": "a", "event_time": at("2024-02-01"), "status": "placed", "amount": 10.0}


class TestWithoutId:
    def test_an_event_is_told_by_its_columns(self, tmp_path: Path) -> None:
        """Three are alike in all columns of the identity, of which one has another quantity; another feature is another event."""
        rows = [USED, USED, USED | {"quantity": 5}, USED | {"feature": "chat"}]
        (line,) = lines(make_source(tmp_path, {"accounts": [account()], "usage": rows}), "usage", "has an identity")
        assert (line.severity, line.rows) == ("info", 2)
        assert "2 of 4 rows repeat the account_id, event_time, kind, user_id, feature of another" in line.found

    @pytest.mark.parametrize(
        ("table", "row", "identity"),
        [
            (
                "touches",
                {"lead_id": "l", "event_time": at("2024-02-01"), "kind": "call"},
                "lead_id, contact_id, event_time, kind",
            ),
            ("orders", PLACED, "order_id, event_time, status"),
        ],
    )
    def test_each_table_of_events_has_its_own(
        self, table: str, row: dict[str, Any], identity: str, tmp_path: Path
    ) -> None:
        (line,) = lines(make_source(tmp_path, {"accounts": [account()], table: [row]}), table, "has an identity")
        assert (line.severity, line.rows) == ("info", 0)
        assert identity in line.found

    def test_a_column_of_nulls_is_none(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"accounts": [account()], "usage": [USED | {"event_id": None}] * 2})
        (line,) = lines(source, "usage", "has an identity")
        assert line.rows == 1


class TestById:
    def test_repeats_weaken_and_the_advice_leaves_them_out(self, tmp_path: Path) -> None:
        """Two events of one moment are two; the same id again is the same event, whatever its columns say."""
        rows = [USED | {"event_id": each} for each in ("e1", "e2", "e2", None, None)]
        source = make_source(tmp_path, {"accounts": [account()], "usage": rows})
        (line,) = lines(source, "usage", "its identity is event_id")
        assert (line.severity, line.rows) == ("weakens", 1)
        assert line.found == "1 of 5 rows have the event_id of another, and each counts; 2 have none"
        assert source.rows("usage") == 5
        mended = wrapped(tmp_path, "usage", query_of(line))
        (line,) = lines(mended, "usage", "its identity is event_id")
        assert (line.severity, line.rows, mended.rows("usage")) == ("info", 0, 4)

    def test_some_of_a_large_table_stand_for_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("features.readiness.event_identity.MOST_COMPARED", 40)
        rows = [USED | {"event_id": f"e{n}"} for n in range(100)] * 2
        (line,) = lines(
            make_source(tmp_path, {"accounts": [account()], "usage": rows}), "usage", "its identity is event_id"
        )
        assert line.found.startswith("about ")
        assert line.severity == "weakens"

    def test_a_number_is_an_id(self, tmp_path: Path) -> None:
        make_source(tmp_path, {"accounts": [account()], "usage": [USED]})
        source = wrapped(tmp_path, "usage", "SELECT *, 7 AS event_id FROM (THIS SELECT)")
        assert source.query("SELECT event_id FROM usage") == [("7",)]
