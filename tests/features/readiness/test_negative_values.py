"""Amounts below zero are counted, and the advice mends them."""

from __future__ import annotations

from pathlib import Path

from features.sources.source import Source
from tests.kit.checked import account, contract, lines, query_of, wrapped
from tests.kit.company import make_source


class TestCredits:
    def source(self, tmp_path: Path) -> Source:
        rows = [contract("2024-02-01", 50.0), contract("2024-03-01", -250.0), contract("2024-04-01", 60.0)]
        rows += [contract("2024-05-01", -5.0, "ended")]
        return make_source(tmp_path, {"accounts": [account()], "subscriptions": rows})

    def test_negative_amounts_are_counted_and_the_advice_mends_them(self, tmp_path: Path) -> None:
        (line,) = lines(self.source(tmp_path), "subscriptions", "a credit is not recurring revenue")
        assert (line.severity, line.rows, line.column) == ("weakens", 2, "mrr")
        assert "the lowest -250.0" in line.found
        assert lines(wrapped(tmp_path, "subscriptions", query_of(line)), "subscriptions", "a credit") == []
