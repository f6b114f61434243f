"""Conversion: a deal that is won or a paid contract, of the lead or of its company."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from features.kit.clock import DAY_US, to_us
from features.outcomes.labels import label
from tests.kit.company import at
from tests.kit.outcomes import contract, conversion_of, deal


class TestConversion:
    def test_a_deal_of_the_company_counts_by_account_and_by_domain_of_one_owner(self, tmp_path: Path) -> None:
        outcomes = conversion_of(tmp_path, opportunities=[deal(a, "2024-03-01") for a in "abcd"])
        names = ["by_account", "by_domain", "free_mail", "two_owners", "direct"]
        y = label(outcomes, names, np.full(5, to_us(at("2024-02-01"))), 60 * DAY_US)
        assert y.tolist() == [1, 1, 0, 0, 0]

    def test_a_deal_that_names_its_lead_counts(self, tmp_path: Path) -> None:
        outcomes = conversion_of(tmp_path, opportunities=[deal(None, "2024-03-01", "direct")])
        assert label(outcomes, ["direct"], np.array([to_us(at("2024-02-01"))]), 60 * DAY_US).tolist() == [1]

    def test_the_start_of_a_paid_contract_counts_once(self, tmp_path: Path) -> None:
        outcomes = conversion_of(
            tmp_path, subscriptions=contract("a", ("2024-03-01", "trial", 0), ("2024-04-01", "active", 9))
        )
        as_of = np.array([to_us(at(d)) for d in ("2024-01-15", "2024-02-15", "2024-04-02")])
        y = label(outcomes, ["by_account"] * 3, as_of, 60 * DAY_US)
        assert y[:2].tolist() == [0, 1]
        assert np.isnan(y[2]), "it had bought before: nothing can be won any more, so that it is no example of losing"
