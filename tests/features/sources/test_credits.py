"""A credit is no recurring revenue: what was paid before goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.sources.overlay import overlay
from features.sources.source import Source
from tests.kit.checked import account, contract
from tests.kit.company import at, make_source


class TestCredits:
    def source(self, tmp_path: Path) -> Source:
        rows = [contract("2024-02-01", 50.0), contract("2024-03-01", -250.0), contract("2024-04-01", 60.0)]
        rows += [contract("2024-05-01", -5.0, "ended")]
        return make_source(tmp_path, {"accounts": [account()], "subscriptions": rows})

    def test_a_credit_pays_what_was_paid_before(self, tmp_path: Path) -> None:
        source = self.source(tmp_path)
        assert source.query("SELECT mrr, status FROM subscriptions ORDER BY event_us") == [
            (5000, "active"), (5000, "active"), (6000, "active"), (6000, "ended"),
        ]  # fmt: skip

    def test_it_is_no_outcome_and_the_customer_goes_on(self, tmp_path: Path) -> None:
        from features.outcomes.churn import CHURN
        from features.outcomes.read import read_outcomes
        from features.panel.build import build_panel

        source = self.source(tmp_path)
        spells = read_outcomes(source, CHURN).spells
        assert spells is not None
        assert len(spells) == 1, "one time of paying, from February to May"
        panel = build_panel(source, "account", [at("2024-03-15")], only=["mrr"])
        assert (panel["eligibility"].to_pylist(), panel["mrr"].to_pylist()) == (["eligible"], [50.0])

    def test_taken_as_it_stands_it_is_leaving(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The twin."""
        from features.panel.build import build_panel

        monkeypatch.setattr("features.sources.loader.without_credits", lambda select: select)
        panel = build_panel(self.source(tmp_path), "account", [at("2024-03-15")], only=["mrr"])
        assert panel["eligibility"].to_pylist() == ["not_customer"]

    def test_what_was_not_known_then_is_not_carried(self, tmp_path: Path) -> None:
        rows = [
            contract("2024-02-01", 50.0),
            contract("2024-02-10", 90.0, known_time=at("2024-06-01")),
            contract("2024-03-01", -9.0),
        ]
        source = make_source(tmp_path, {"accounts": [account()], "subscriptions": rows})
        assert source.query("SELECT mrr FROM subscriptions WHERE event_us = epoch_us(TIMESTAMP '2024-03-01')") == [
            (5000,)
        ]

    def test_by_webhook(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"accounts": [account()], "subscriptions": [contract("2024-02-01", 50.0)]})
        changed = overlay(
            source, "subscriptions", [{"subscription_id": "s", "event_time": at("2024-03-01"), "mrr": "-250"}]
        )
        assert changed.query("SELECT mrr FROM subscriptions ORDER BY event_us") == [(5000,), (5000,)]
