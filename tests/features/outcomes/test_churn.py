"""Churn: the end of the last paid contract, unless another begins within 30 days."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kit.company import at
from tests.kit.outcomes import churn_of, churned, contract


class TestChurn:
    def test_the_end_of_the_last_paid_contract_is_churn(self, tmp_path: Path) -> None:
        outcomes = churn_of(tmp_path, contract("a", ("2024-01-01", "active", 10), ("2024-06-01", "ended", 0)))
        assert churned(outcomes, "a", "2024-05-01") == 1
        assert churned(outcomes, "a", "2024-02-01") == 0, "the end is 121 days away"

    def test_the_window_is_half_open(self, tmp_path: Path) -> None:
        outcomes = churn_of(tmp_path, contract("a", ("2024-01-01", "active", 10), ("2024-06-01", "ended", 0)))
        assert churned(outcomes, "a", "2024-06-01") == 1, "an end at as_of itself lies in the window"
        assert churned(outcomes, "a", "2024-03-03") == 0, "90 days later is the first moment outside"
        assert churned(outcomes, "a", "2024-03-04") == 1

    def test_a_downgrade_to_free_is_churn(self, tmp_path: Path) -> None:
        outcomes = churn_of(tmp_path, contract("a", ("2024-01-01", "active", 10), ("2024-06-01", "active", 0)))
        assert churned(outcomes, "a", "2024-05-01") == 1

    def test_a_contraction_is_no_churn(self, tmp_path: Path) -> None:
        outcomes = churn_of(tmp_path, contract("a", ("2024-01-01", "active", 10), ("2024-06-01", "active", 1)))
        assert churned(outcomes, "a", "2024-05-01") == 0

    def test_another_paid_contract_keeps_the_account(self, tmp_path: Path) -> None:
        rows = contract("a", ("2024-01-01", "active", 10), ("2024-06-01", "ended", 0))
        outcomes = churn_of(tmp_path, rows + contract("a", ("2024-03-01", "active", 5), number=1))
        assert churned(outcomes, "a", "2024-05-01") == 0

    @pytest.mark.parametrize(("back", "expected"), [("2024-07-01", 0.0), ("2024-07-02", 1.0)])
    def test_back_within_30_days_is_no_churn(self, tmp_path: Path, back: str, expected: float) -> None:
        rows = contract("a", ("2024-01-01", "active", 10), ("2024-06-01", "ended", 0))
        outcomes = churn_of(tmp_path, rows + contract("a", (back, "active", 5), number=1))
        assert churned(outcomes, "a", "2024-05-01") == expected

    def test_an_account_that_gave_notice_still_pays(self, tmp_path: Path) -> None:
        rows = contract("a", ("2024-01-01", "active", 10), ("2024-05-15", "notice", 10), ("2024-11-01", "ended", 0))
        assert churned(churn_of(tmp_path, rows), "a", "2024-05-01") == 0

    def test_one_that_had_left_before_without_our_knowing_has_no_label(self, tmp_path: Path) -> None:
        rows = contract("a", ("2024-01-01", "active", 10), ("2024-06-01", "ended", 0))
        rows += contract("a", ("2025-01-01", "active", 10), number=1)
        outcomes = churn_of(tmp_path, rows)
        assert np.isnan(churned(outcomes, "a", "2024-08-01"))

    def test_of_two_versions_of_one_moment_the_later_known_holds(self, tmp_path: Path) -> None:
        rows = contract("a", ("2024-01-01", "active", 10), ("2024-06-01", "ended", 0), ("2024-06-01", "active", 10))
        rows[2]["known_time"] = at("2024-06-05")
        assert churned(churn_of(tmp_path, rows), "a", "2024-05-01") == 0
