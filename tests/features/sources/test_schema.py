"""The canonical tables and their columns."""

from __future__ import annotations

from features.sources.schema import TABLES


class TestColumns:
    def test_every_canonical_column_has_a_meaning(self) -> None:
        assert all(c.meaning for t in TABLES.values() for c in t.columns)
