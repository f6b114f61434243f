"""The call list is the head of the whole published run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving import manifest
from serving.batch.call_list import read_top
from serving.batch.run import FinishedRun
from serving.manifest import read_manifest
from tests.kit.running import Home


class TestTop:
    @pytest.mark.parametrize(
        ("by", "first", "then"),
        [("probability", "probability", "value_at_risk"), ("value", "value_at_risk", "probability")],
    )
    def test_the_top_of_many_parts_is_the_top_of_the_whole(
        self, batch: Callable[..., FinishedRun], tmp_path: Path, by: Any, first: str, then: str
    ) -> None:
        batch(tmp_path)
        rows = [row for row in manifest.read_scores(tmp_path, "lead-fit").to_pylist() if row["no_score"] is None]
        lowest = float("-inf")
        rows.sort(key=lambda row: row["entity_id"])
        rows.sort(key=lambda row: [lowest if row[name] is None else row[name] for name in (first, then)], reverse=True)
        top = read_top(tmp_path, "lead-fit", 25, by)
        assert len(read_manifest(tmp_path)["models"]["lead-fit"]["files"]) > 2
        assert [row["entity_id"] for row in top.rows] == [row["entity_id"] for row in rows[:25]]
        assert top.scored == len(rows)

    def test_the_command_prints_them_and_writes_them_for_excel(self, home: Home, night: Path, tmp_path: Path) -> None:
        given = ("--scores", str(night), "--excel", str(tmp_path / "list.xlsx"))
        done = home.run("serving", "top", "--model", "churn-risk", *given)
        assert done.returncode == 0, done.stderr
        first = read_top(night, "churn-risk", 1).rows[0]["entity_id"]
        assert first in done.stdout
        assert (tmp_path / "list.xlsx").stat().st_size > 1_000
