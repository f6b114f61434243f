"""What old rows give: which entities are read apart, and which signals differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pytest

from serving.batch import old_rows
from serving.batch.old_rows import OldRows, differences, of_touched
from serving.decisions.earlier_rows import Old


def panel(**columns: Any) -> pa.Table:
    return pa.table(columns)


class TestOfTouched:
    def asked(self, names: list[str]) -> tuple[list[Any], list[dict[str, Any]]]:
        """What ids the panel was asked for, and the rows that came."""
        given: list[Any] = []

        def parts(ids: Sequence[str] | None) -> Iterator[pa.Table]:
            given.append(ids)
            yield panel(entity_id=["a", "b"], mrr=[1.0, 2.0])
            yield panel(entity_id=["c"], mrr=[3.0])

        return given, [row for part in of_touched(names, parts) for row in part.to_pylist()]

    def test_only_the_named_ones_come_and_one_without_old_rows_has_nulls(self) -> None:
        given, rows = self.asked(["c", "a", "new"])
        assert given == [["c", "a", "new"]]
        assert rows == [
            {"entity_id": "a", "mrr": 1.0},
            {"entity_id": "c", "mrr": 3.0},
            {"entity_id": "new", "mrr": None},
        ]

    def test_of_more_than_a_few_everybody_is_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(old_rows, "FEW", 1)
        given, rows = self.asked(["a", "b"])
        assert given == [None]
        assert [row["entity_id"] for row in rows] == ["a", "b"]


class TestDifferences:
    def test_a_missing_number_is_none_and_nan_is_missing(self) -> None:
        one = panel(entity_id=["a", "b", "c"], mrr=[1.0, float("nan"), 3.0], plan=["pro", None, "free"])
        other = panel(entity_id=["a", "b", "c"], mrr=[1.0, None, None], plan=["pro", "pro", None])
        assert differences(one, other, ["mrr", "plan"], 3) == {1: {"plan": None}, 2: {"mrr": 3.0, "plan": "free"}}

    def test_what_is_no_signal_or_is_in_one_table_alone_is_passed_over(self) -> None:
        one, other = panel(entity_id=["a"], mrr=[1.0], seats=[2.0]), panel(entity_id=["b"], mrr=[1.0])
        assert differences(one, other, ["entity_id", "mrr", "seats"], 1) == {}

    def test_the_same_table_is_not_compared(self) -> None:
        table = panel(mrr=[float("nan")])
        assert differences(table, table, ["mrr"], 1) == {}


class TestOldRows:
    def test_both_differences_of_each_entity_are_given(self) -> None:
        before, now = panel(mrr=[1.0, 1.0]), panel(mrr=[2.0, 2.0])
        rows = OldRows(before=before, restated=panel(mrr=[1.0, 9.0]), aged=panel(mrr=[2.0, 5.0]), now=now)
        assert rows.differences(["mrr"]) == [Old({}, {}), Old({"mrr": 5.0}, {"mrr": 9.0})]

    def test_a_table_that_is_there_twice_is_read_once(self) -> None:
        before, now = panel(mrr=[1.0]), panel(mrr=[2.0])
        read: list[Any] = []
        found = OldRows(before, before, now, now).way(["mrr"], lambda table, name: read.append(name) or table[name])
        assert read == ["mrr", "mrr"]
        assert found[0] is found[1]
        assert found[2] is found[3]
