"""The state of a contract, ticket or deal as it was known before `as_of`."""

from __future__ import annotations

from typing import Any

import pytest

from features.panel.build import build_panel
from tests.kit.company import at, make_source


class TestStates:
    def test_a_leaking_signal_is_caught(self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin: `<=` at as_of in the state of a contract lets the version at as_of in."""
        import narwhals as nw

        from features.panel import placement, point_in_time

        def leaking(engine: Any, versions: Any, as_ofs: Any, agos: Any) -> Any:
            epochs, moments, days = zip(*point_in_time.moments_of(as_ofs, agos), strict=True)
            rows = engine.joined(versions, engine.small({"epoch_us": epochs, "as_of_us": moments, "ago": days}))
            return rows.filter((nw.col("from_us") <= nw.col("as_of_us")) & (nw.col("until_us") > nw.col("as_of_us")))

        as_of = at("2024-05-16")
        account = {"account_id": "a", "event_time": at("2024-01-01")}
        contract = {
            "subscription_id": "s",
            "account_id": "a",
            "event_time": at("2024-02-01"),
            "status": "active",
            "mrr": 100.0,
        }
        ended = contract | {"event_time": as_of, "status": "ended", "mrr": 0.0}
        source = make_source(tmp_path / "c", {"accounts": [account], "subscriptions": [contract, ended]})
        assert build_panel(source, "account", [as_of])["mrr"].to_pylist() == [100.0]
        monkeypatch.setattr(point_in_time, "states_at", leaking)
        # Versions that no moment sees are not read in the first place.
        monkeypatch.setattr(
            placement, "versions", lambda rows, owner, moments: f"SELECT *, {owner} AS entity_id FROM {rows}"
        )
        assert build_panel(source, "account", [as_of])["mrr"].to_pylist() == [0.0]


class TestVersions:
    def test_states_are_read_as_known(self, tmp_path: Any) -> None:
        account = {"account_id": "a", "event_time": at("2024-01-01")}
        base = {
            "subscription_id": "s",
            "account_id": "a",
            "status": "active",
            "mrr": 100.0,
            "seats": 5,
            "term_end": at("2024-12-31"),
        }
        versions = [
            base | {"event_time": at("2024-02-01")},
            base | {"event_time": at("2024-03-01"), "known_time": at("2024-03-10"), "mrr": 200.0},
            base | {"event_time": at("2024-04-01"), "status": "notice"},
            base | {"event_time": at("2024-05-01"), "status": "ended", "mrr": 0.0},
            # A correction of February, learnt in May: it must not replace what came after February.
            base | {"event_time": at("2024-02-15"), "known_time": at("2024-05-02"), "mrr": 999.0},
        ]
        source = make_source(tmp_path, {"accounts": [account], "subscriptions": versions})
        as_ofs = [
            at(d)
            for d in ("2024-02-01", "2024-02-02", "2024-03-05", "2024-03-11", "2024-04-02", "2024-05-02", "2024-06-01")
        ]
        rows = build_panel(source, "account", as_ofs, only=["mrr", "days_to_renewal"]).to_pylist()
        assert [r["mrr"] for r in rows] == [0.0, 100.0, 100.0, 200.0, 100.0, 0.0, 0.0]
        assert [r["eligibility"] for r in rows] == [
            "not_customer",
            "eligible",
            "eligible",
            "eligible",
            "already_leaving",
            "not_customer",
            "not_customer",
        ]
        assert [r["value"] for r in rows][1] == 1200.0
        assert rows[1]["days_to_renewal"] == 333.0
