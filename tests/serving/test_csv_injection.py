"""No cell of a CSV file is a formula."""

from __future__ import annotations

import pyarrow as pa
import pytest


class TestCsv:
    def test_a_formula_sign_that_the_rule_forgets_is_seen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin of the rule itself: a formula behind a sign that was forgotten."""
        from serving import csv_injection

        table = pa.table({"name": ["@SUM(1)", "\t=1", "\r=1", None], "n": [-1, 0, 1, None]})
        assert csv_injection.harmless_table(table).to_pydict() == {
            "name": ["'@SUM(1)", "'\t=1", "'\r=1", None],
            "n": [-1, 0, 1, None],
        }
        monkeypatch.setattr(csv_injection, "_FORMULA", "^[=+-]")
        assert csv_injection.harmless_table(table)["name"].to_pylist() == table["name"].to_pylist()
