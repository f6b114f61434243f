"""A credit is no month without revenue: a version below 0 has what was paid before it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from features.sources.credits import without_credits
from features.sources.overlay import overlay
from features.sources.source import Source
from tests.kit.checked import account, contract
from tests.kit.company import at, make_source

Version = tuple[str, int, int, float]
"""Contract, event_us, known_us, mrr in cents."""


def paid(*versions: Version) -> list[float]:
    """The recurring revenue of each version, by contract and time."""
    rows = ", ".join(str(version) for version in versions)
    select = f"SELECT * FROM (VALUES {rows}) AS t(subscription_id, event_us, known_us, mrr)"
    query = f"SELECT mrr FROM ({without_credits(select)}) ORDER BY subscription_id, event_us, known_us"
    return [row[0] for row in duckdb.execute(query).fetchall()]


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ([("s", 10, 10, 100), ("s", 20, 20, -250)], [100, 100]),
        ([("s", 10, 10, 100), ("s", 20, 20, -250), ("s", 30, 30, 120)], [100, 100, 120]),
        ([("s", 10, 10, 100), ("s", 20, 20, -250), ("s", 30, 30, -1)], [100, 100, 100]),
        ([("s", 10, 10, 100), ("s", 15, 25, 70), ("s", 20, 20, -250)], [100, 70, 100]),
        ([("s", 20, 20, -250), ("s", 30, 30, 100)], [0, 100]),
        ([("s", 10, 10, 0), ("s", 20, 20, -250)], [0, 0]),
        ([("r", 15, 15, 900), ("s", 10, 10, 100), ("s", 20, 20, -250)], [900, 100, 100]),
    ],
    ids=[
        "as the version before",
        "until the next version",
        "two credits in a row",
        "a version that was not known yet does not count",
        "nothing before it",
        "nothing paid before it",
        "another contract does not count",
    ],
)
def test_a_credit_leaves_the_revenue_as_it_was(versions: list[Version], expected: list[float]) -> None:
    assert paid(*versions) == expected


class TestCredits:
    def source(self, tmp_path: Path) -> Source:
        rows = [contract("2024-02-01", 50.0), contract("2024-03-01", -250.0), contract("2024-04-01", 60.0)]
        rows += [contract("2024-05-01", -5.0, "ended")]
        return make_source(tmp_path, {"accounts": [account()], "subscriptions": rows})

    def test_a_credit_pays_what_was_paid_before(self, tmp_path: Path) -> None:
        source = self.source(tmp_path)
        assert source.query("SELECT mrr, status FROM subscriptions ORDER BY event_us") == [
            (5000, "active"),
            (5000, "active"),
            (6000, "active"),
            (6000, "ended"),
        ]

    def test_a_credit_is_no_churn(self, tmp_path: Path) -> None:
        from features.outcomes.churn import CHURN
        from features.outcomes.read import read_outcomes
        from features.panel.build import build_panel

        source = self.source(tmp_path)
        spells = read_outcomes(source, CHURN).spells  # type: ignore[attr-defined]
        assert spells is not None
        assert len(spells) == 1, "one time of paying, from February to May"
        panel = build_panel(source, "account", [at("2024-03-15")], only=["mrr"])
        assert (panel["eligibility"].to_pylist(), panel["mrr"].to_pylist()) == (["eligible"], [50.0])

    def test_the_twin_that_takes_a_credit_literally_sees_churn(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The twin."""
        from features.panel.build import build_panel

        monkeypatch.setattr("features.sources.loader.without_credits", lambda select: select)
        panel = build_panel(self.source(tmp_path), "account", [at("2024-03-15")], only=["mrr"])
        assert panel["eligibility"].to_pylist() == ["not_customer"]

    def test_a_revenue_that_was_not_known_then_is_not_carried_over(self, tmp_path: Path) -> None:
        rows = [
            contract("2024-02-01", 50.0),
            contract("2024-02-10", 90.0, known_time=at("2024-06-01")),
            contract("2024-03-01", -9.0),
        ]
        source = make_source(tmp_path, {"accounts": [account()], "subscriptions": rows})
        assert source.query("SELECT mrr FROM subscriptions WHERE event_us = epoch_us(TIMESTAMP '2024-03-01')") == [
            (5000,)
        ]

    def test_a_credit_by_webhook_leaves_the_revenue_as_it_was(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"accounts": [account()], "subscriptions": [contract("2024-02-01", 50.0)]})
        changed = overlay(
            source, "subscriptions", [{"subscription_id": "s", "event_time": at("2024-03-01"), "mrr": "-250"}]
        )
        assert changed.query("SELECT mrr FROM subscriptions ORDER BY event_us") == [(5000,), (5000,)]
