"""Columns that know the outcome, by their values or by their gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.audit.table import audit_table
from tests.kit.audits import clean, codes_of


class TestPlanted:
    def test_clean_data_raises_no_alarm(self) -> None:
        assert [f for f in audit_table(clean(), "outcome") if f.severity != "low"] == []

    def test_the_outcome_in_other_words_is_a_proof(self) -> None:
        table = clean().assign(x=lambda d: np.where(d.outcome == 1, "kept", "gone"))
        found = audit_table(table, "outcome")
        assert "copy_of_outcome" in codes_of(found, "x")
        assert found[0].is_proof

    def test_a_field_filled_in_when_a_case_closes_is_found(self) -> None:
        table = clean().assign(x=lambda d: pd.Series(np.arange(len(d)) % 7).where(d.outcome == 1))
        assert "presence_gives_outcome" in codes_of(audit_table(table, "outcome"), "x")

    def test_a_value_that_occurs_for_one_outcome_by_half_is_found_by_its_gaps(self) -> None:
        rng = np.random.default_rng(1)
        table = clean()
        table["x"] = pd.Series(rng.choice(["a", "b"], len(table))).where(
            (table.outcome == 1) | (rng.random(len(table)) < 0.5)
        )
        assert "presence_gives_outcome" in codes_of(audit_table(table, "outcome"), "x")

    def test_notes_made_afterwards_are_too_good(self) -> None:
        rng = np.random.default_rng(2)
        table = clean()
        after = np.where(table.outcome == 1, "will pay", "lost to them")
        table["x"] = np.where(rng.random(len(table)) < 0.75, after, "ringing")
        assert "too_good" in codes_of(audit_table(table, "outcome"), "x")

    def test_columns_missing_on_the_same_rows_are_found(self) -> None:
        gone = np.random.default_rng(3).random(3_000) < 0.4
        table = clean().assign(p=lambda d: d.noise.where(~gone), q=lambda d: d.visits.where(~gone))
        assert codes_of(audit_table(table, "outcome"), "p") == {"arrive_together"}

    def test_a_name_that_shares_a_word_with_the_outcome_is_found(self) -> None:
        found = audit_table(clean().rename(columns={"outcome": "churned", "noise": "churn_flag"}), "churned")
        assert "named_like_outcome" in codes_of(found, "churn_flag")
        assert "'churn'" in next(f.evidence for f in found if f.code == "named_like_outcome"), "a whole word, no stem"

    def test_rows_of_one_thing_are_no_copy_of_the_outcome(self) -> None:
        table = clean().sort_values("outcome").reset_index(drop=True)
        table["firm"] = [f"f{n // 6}" for n in range(len(table))]
        found = audit_table(table.sample(frac=1, random_state=0), "outcome")
        assert codes_of(found, "firm") == {"groups_rows"}

    def test_strong_inputs_that_agree_are_no_alarm(self) -> None:
        """Each of three honest views of one strong cause ranks above 0.8, and no better than the others together."""
        rng = np.random.default_rng(9)
        cause = rng.normal(size=4_000)
        y = (rng.random(4_000) < 1 / (1 + np.exp(-2.0 * cause))).astype(int)
        views = {f"v{n}": cause + rng.normal(scale=0.5, size=4_000) for n in range(3)}
        found = audit_table(pd.DataFrame({**views, "y": y}), "y")
        assert {f.severity for f in found} == {"medium"}
        assert {f.code for f in found} == {"strong_alone"}
