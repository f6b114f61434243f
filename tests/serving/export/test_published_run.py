"""A published run as parts of the star's tables."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.sources.loader import open_source
from serving.export.published_run import _Aligned, account_names, model_key
from tests.kit.company import at, make_source


class TestAligned:
    def take(self, sizes: list[int], wanted: list[int]) -> list[list[int]]:
        numbers, parts = iter(range(100)), []
        for size in sizes:
            parts.append(pa.table({"n": [next(numbers) for _ in range(size)]}))
        aligned = _Aligned(iter(parts))
        return [aligned.take(rows)["n"].to_pylist() for rows in wanted]

    def test_rows_come_in_order_whatever_the_sizes_of_the_parts(self) -> None:
        assert self.take([3, 1, 4], [2, 4, 2]) == [[0, 1], [2, 3, 4, 5], [6, 7]]

    def test_at_the_end_there_are_fewer(self) -> None:
        assert self.take([3], [2, 5, 1]) == [[0, 1], [2], []]

    def test_no_parts_at_all_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="there are no rows"):
            self.take([], [1])


class TestAccountNames:
    def source(self, folder: Path, *rows: dict[str, Any]) -> Any:
        return make_source(folder, {"accounts": [{"account_id": "a", **row} for row in rows]})

    def test_names_are_those_that_were_known_at_the_moment(self, tmp_path: Path) -> None:
        source = self.source(
            tmp_path,
            {"name": "Acme", "event_time": at("2025-01-01")},
            {"name": "Acme AG", "event_time": at("2025-03-01")},
        )
        for moment, name in ((at("2025-02-01"), "Acme"), (at("2025-03-02"), "Acme AG")):
            found = account_names(source, moment)
            assert found is not None
            assert found.to_pylist() == [{"entity_id": "a", "name": name}]

    def test_a_source_without_names_has_none(self, tmp_path: Path) -> None:
        accounts = "SELECT 'a' AS account_id, TIMESTAMP '2025-01-01' AS event_time"
        (tmp_path / "accounts.sql").write_text(accounts)
        source = open_source(str(tmp_path))
        assert account_names(source, dt.datetime(2025, 2, 1, tzinfo=dt.UTC)) is None


def test_a_model_is_named_by_its_scorer() -> None:
    assert model_key("churn-risk", "0123456789abcdef" + "f" * 48) == "churn-risk@0123456789abcdef"
