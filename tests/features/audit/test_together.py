"""Columns that know the outcome only together."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

from features.audit import families, together
from features.audit.table import audit_table
from tests.kit.audited_tables import Plan, draw, fair, length, money, part, ratio, words
from tests.kit.audits import base, columns_at

LENGTHS = {"days_to_close": partial(length, longer=1.25), "days_qualified": part, "ratio_qualified": ratio}


HONEST = {"region": partial(words, values="a|b|c"), "amount": money, "visits": fair}


class TestTogether:
    """Lengths as in opportunities: none of three looks good alone."""

    def lengths(self, renamed: bool = False) -> pd.DataFrame:
        names = dict(zip(LENGTHS, ("q1", "q2", "q3"), strict=True)) if renamed else {n: n for n in LENGTHS}
        leaks = {names[n]: make for n, make in LENGTHS.items()}
        return draw(Plan("lengths", "won", HONEST, leaks, rate=0.27), seed=3, rows=3_000).frame  # type: ignore[arg-type]

    def test_lengths_and_their_ratio_are_found_together(self) -> None:
        found = audit_table(self.lengths(), "won")
        assert set(LENGTHS) <= columns_at(found, "high")
        assert not set(HONEST) & columns_at(found, "high")
        assert found == audit_table(self.lengths(), "won"), "the same findings again"

    def difference(self) -> pd.DataFrame:
        """Two lengths of which each says next to nothing; a third of the way between them says who won."""
        table, y, rng = base(4_000)
        first = rng.gamma(2, 12, len(y))
        second = first + rng.normal(scale=6, size=len(y)) + 4 * y
        return table.assign(days_in_stage_a=first, days_in_stage_b=second)

    def test_two_lengths_that_tell_by_their_difference(self) -> None:
        (finding,) = [f for f in audit_table(self.difference(), "won") if f.code == "known_together"]
        assert set(finding.columns) == {"days_in_stage_a", "days_in_stage_b"}
        assert finding.severity == "high"
        assert finding.numbers["auc"] > finding.numbers["without"] + 0.02
        assert all(name in finding.evidence for name in finding.columns), "the text names both, with the figures"

    def test_the_twin_without_pairs_misses_a_length(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(together, "known_together", lambda *_: [])
        monkeypatch.setattr(families, "along_with", lambda *_: [])
        assert not {"days_in_stage_a", "days_in_stage_b"} <= columns_at(audit_table(self.difference(), "won"), "high")

    def test_a_pair_beyond_doubt_needs_no_names(self) -> None:
        table, y, rng = base(4_000)
        left = rng.random(len(y)) < 0.5
        table["p"], table["q"] = left.astype(int) + rng.normal(scale=0.1, size=len(y)), (left ^ (y == 1)).astype(int)
        assert {"p", "q"} <= columns_at([f for f in audit_table(table, "won") if f.code == "known_together"], "high")

    def test_a_family_that_knows_more_than_its_best(self) -> None:
        """The names of three steps; each is noise but for a small part, and the sum of the three is what the outcome moves."""
        table, y, rng = base(4_000)
        for step in ("stage_one", "stage_two", "stage_three"):
            table[f"hours_in_{step}"] = rng.normal(size=len(y)) + 0.35 * y
        found = [f for f in audit_table(table, "won") if f.code == "family_knows"]
        assert [(f.severity, len(f.columns)) for f in found] == [("high", 3)]
        assert found[0].numbers["auc"] > found[0].numbers["without"] + 0.02

    def test_columns_that_only_add_up_are_no_pair(self) -> None:
        rng = np.random.default_rng(5)
        x = rng.normal(size=(4_000, 4))
        y = (rng.random(4_000) < 1 / (1 + np.exp(1 - x.sum(axis=1)))).astype(int)
        table = pd.DataFrame(x, columns=list("abcd")).assign(y=y)
        assert [f for f in audit_table(table, "y") if f.code == "known_together"] == []

    def test_an_honest_column_beside_a_leak_is_not_named(self) -> None:
        table, y, rng = base(4_000)
        table["note"] = rng.normal(size=len(y)) + 2.2 * y
        table["honest"] = rng.normal(size=len(y)) + 0.9 * y
        found = audit_table(table, "won")
        assert "note" in columns_at(found, "high")
        assert "honest" not in columns_at(found, "high")

    def test_the_cost_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rng = np.random.default_rng(6)
        wide = pd.DataFrame(
            rng.normal(size=(400, 60)), columns=[f"days_in_stage_{chr(97 + n % 26)}{n}" for n in range(60)]
        )
        asked: list[int] = []
        monkeypatch.setattr(together, "crossed_auc", lambda x, y, fold, leaves: asked.append(x.shape[1]) or 0.5)
        audit_table(wide.assign(y=rng.integers(0, 2, 400)), "y")
        most = together.MOST_NAMED * (together.MOST_NAMED - 1) // 2 + together.JUDGED_PAIRS
        assert 0 < len(asked) <= 4 * most
