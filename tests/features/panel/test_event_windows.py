"""Counts, distinct members and silences of windows, against loops that a reader can check."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.panel.build import build_panel
from tests.kit.company import at, make_source, random_company

# A lattice of four weeks, one neighbour off it, a leap day with a time of day.
AS_OFS = [at("2024-03-21"), at("2024-04-18"), at("2024-05-16"), at("2024-04-19"), at("2024-02-29T13:30:00")]


NAMES = [
    "events_7d",
    "events_84d",
    "active_users_7d",
    "active_users_28d",
    "active_users_84d",
    "active_users_change_28d",
    "features_used_84d",
    "quantity_28d",
    "active_days_28d",
    "longest_silence_84d",
    "top_user_share_28d",
    "days_since_usage",
    "events_slope_84d",
]


class TestAgainstLoops:
    def test_signals_of_usage_are_those_of_the_loops(self, tmp_path: Path) -> None:
        tables = random_company(1, accounts=10)
        panel = build_panel(make_source(tmp_path, tables), "account", AS_OFS, only=NAMES)
        assert panel.num_rows == 50
        for row in panel.to_pylist():
            seen = [
                (u, (row["as_of"] - u["event_time"]).total_seconds() / 86400)
                for u in tables["usage"]
                if u["account_id"] == row["entity_id"]
                and u["event_time"] < row["as_of"]
                and (u["known_time"] or u["event_time"]) < row["as_of"]
            ]

            def users(lo: float, hi: float, seen: Any = seen) -> int:
                return len({u["user_id"] for u, age in seen if lo < age <= hi and u["user_id"]})

            assert row["events_7d"] == sum(age <= 7 for _, age in seen)
            assert row["events_84d"] == sum(age <= 84 for _, age in seen)
            assert row["active_users_7d"] == users(0, 7)
            assert row["active_users_28d"] == users(0, 28)
            assert row["active_users_84d"] == users(0, 84)
            new, old = users(0, 28), users(28, 56)
            assert row["active_users_change_28d"] == ((new - old) / max(new, old) if max(new, old) else None)
            assert row["features_used_84d"] == len({u["feature"] for u, age in seen if age <= 84 and u["feature"]})
            assert row["quantity_28d"] == sum(
                1 if u["quantity"] is None else u["quantity"] for u, age in seen if age <= 28
            )
            days = {
                int((row["as_of"] - u["event_time"] - dt.timedelta(microseconds=1)) // dt.timedelta(days=1))
                for u, a in seen
                if a <= 84
            }
            assert row["active_days_28d"] == len([d for d in days if d < 28])
            ordered = sorted(days)
            gaps = [b - a - 1 for a, b in itertools.pairwise(ordered)]
            assert row["longest_silence_84d"] == (max([ordered[0], *gaps]) if days else None)
            counts: dict[str, int] = {}
            for u, age in seen:
                if age <= 28 and u["user_id"]:
                    counts[u["user_id"]] = counts.get(u["user_id"], 0) + 1
            recent = sum(age <= 28 for _, age in seen)
            assert row["top_user_share_28d"] == (max(counts.values(), default=0) / recent if recent else None)
            assert row["days_since_usage"] == (
                min(int(np.ceil(age * 86400e6 - 1) // 86400e6) for _, age in seen) if seen else None
            )
            weeks = [0] * 12
            for _, age in seen:
                if age <= 84:
                    weeks[11 - int(np.ceil(age / 7)) + 1] += 1
            if sum(weeks):
                slope = np.polyfit(range(12), weeks, 1)[0] / (sum(weeks) / 12)
                assert row["events_slope_84d"] == pytest.approx(slope, abs=1e-9)
