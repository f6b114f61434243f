"""The changes since the previous run are those of each record, and their causes sum to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.batch import previous_run, schema
from serving.batch.previous_run import Before
from serving.batch.run import FinishedRun
from serving.champion import Champion
from serving.decisions.earlier_rows import Old
from serving.manifest import read_scores
from serving.score_change.attribution import split
from serving.scorer_cache import KeptScorers
from serving.scoring.columns import score_columns
from serving.scoring.rows import signal_rows
from tests.kit.scored_panels import AS_OF, EARLIER, RUN, make_panel, one_by_one, put_live


class TestChange:
    def test_causes_sum_to_the_change(self, batch: Callable[..., FinishedRun], tmp_path: Path) -> None:
        batch(tmp_path, "2025-12-04")
        earlier = {r["entity_id"]: r for r in read_scores(tmp_path, "churn-risk").to_pylist()}
        assert all(row["change"] is None for row in earlier.values())
        batch(tmp_path)
        rows = read_scores(tmp_path, "churn-risk").to_pylist()
        moved = [row for row in rows if row["change"] is not None]
        assert len(moved) > 40
        for row in moved:
            assert row["previous_probability"] == earlier[row["entity_id"]]["probability"]
            assert sum(row["change"].values()) == row["score"] - row["previous_score"]
            assert row["change"]["version"] == row["change"]["thresholds"] == 0, "the same version scored both"
        assert any(row["change"]["data"] for row in moved)
        assert any(row["change"]["time"] for row in moved)
        assert any(row["change_texts"] for row in moved)


@pytest.fixture(scope="module")
def scorers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def champions(scorers: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Champion, Champion]:
    folder = tmp_path_factory.mktemp("scorers")
    return put_live(scorers, folder / "one", 1), put_live(scorers, folder / "two", 2, seed=7)


def write_run(out: Path, champion: Champion, panel: pa.Table, group_rows: int) -> dict[str, Any]:
    """What a run leaves behind, as far as the next one reads it."""
    folder = out / "earlier"
    folder.mkdir()
    found = schema.table(champion, score_columns(champion, panel, 0), RUN)
    files = []
    for number, start in enumerate(range(0, panel.num_rows, group_rows)):
        pq.write_table(found.slice(start, group_rows), folder / f"part-{number}.parquet")
        files.append({"file": f"earlier/part-{number}.parquet"})
    pq.write_table(panel, folder / "account.parquet", row_group_size=group_rows)
    model = {"files": files, "scorer": champion.sha256}
    return {
        "models": {"churn-risk": model},
        "as_of": "2026-01-01T00:00:00Z",
        "signals": {"account": {"file": "earlier/account.parquet"}},
    }


def rows_with(panel: pa.Table, nothing_of: str) -> pa.Table:
    """The rows, one of them without anything but its id."""
    return pa.Table.from_pylist(
        [
            {n: v if n == "entity_id" or r["entity_id"] != nothing_of else None for n, v in r.items()}
            for r in panel.to_pylist()
        ],
        schema=panel.schema,
    )


class TestChanges:
    @pytest.mark.parametrize("same", [True, False])
    @pytest.mark.parametrize("restated", [True, False])
    def test_changes_equal_those_of_each_record(
        self, scorers: Path, champions: tuple[Champion, Champion], tmp_path: Path, same: bool, restated: bool
    ) -> None:
        old, new = champions[0], champions[0] if same else champions[1]
        panel = make_panel(EARLIER, seed=4)
        kept = panel.filter(pa.array([i % 10 != 3 for i in range(panel.num_rows)]))  # every tenth is new since
        manifest = write_run(tmp_path, old, kept, 64)
        now = make_panel(AS_OF, seed=5)
        # Of every third entity something was learnt since; of one of them the old rows know nothing.
        third = make_panel(AS_OF, seed=6).filter(pa.array([i % 3 == 0 for i in range(now.num_rows)]))
        unknown = third["entity_id"][7].as_py()
        third = rows_with(third, unknown)
        read = make_panel(EARLIER, seed=8)
        paths = [tmp_path / "aged.parquet", tmp_path / "restated.parquet" if restated else None]
        pq.write_table(third, paths[0], row_group_size=50)
        pq.write_table(read, tmp_path / "restated.parquet", row_group_size=70)
        before = Before(tmp_path, manifest, new, KeptScorers(scorers), *paths)
        was = {row.entity_id: row for row in one_by_one(old, kept, 0, set())}
        aged = dict(zip(third["entity_id"].to_pylist(), signal_rows(third), strict=True))
        then = dict(zip(read["entity_id"].to_pylist(), signal_rows(read), strict=True))
        compared = 0
        for start in range(0, now.num_rows, 90):  # other borders than the run before
            part = now.slice(start, 90)
            given = score_columns(new, part, 3)
            moved = before.compare(given)
            assert moved is not None
            told = schema.table(new, given, RUN, moved).to_pylist()
            stored = dict(zip(moved.at.tolist(), moved.old, strict=True))
            for place, (row, own) in enumerate(zip(told, one_by_one(new, part, 3, set()), strict=True)):
                earlier = was.get(own.entity_id)
                expected = (None, None, None) if earlier is None else (earlier.probability, earlier.score, earlier.band)
                assert (row["previous_probability"], row["previous_score"], row["previous_band"]) == expected
                known = earlier is not None and earlier.probability is not None and own.probability is not None
                if not known or own.entity_id == unknown:
                    assert row["change"] is row["change_texts"] is None
                    assert place not in stored
                    continue
                assert earlier is not None
                causes = split(old.scorer, new.scorer, earlier.inputs, own.inputs, stored[place])
                assert row["change"] == causes.score
                assert row["change_texts"] == [share.text for share in causes.shares[: previous_run.TEXTS]]
                old_rows = Old(aged.get(own.entity_id, {}), then[own.entity_id] if restated else {})
                whole = split(old.scorer, new.scorer, earlier.inputs, own.inputs, old_rows)
                assert (whole.log_odds, whole.score) == (causes.log_odds, causes.score), (
                    "what is stored is all that differs"
                )
                assert {**own.inputs, **stored[place].aged} == {**own.inputs, **aged.get(own.entity_id, {})}
                compared += 1
        assert compared > 150

    def test_a_row_group_is_read_once(
        self, scorers: Path, champions: tuple[Champion, Champion], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        panel = make_panel(EARLIER)
        manifest = write_run(tmp_path, champions[0], panel, 64)
        before = Before(tmp_path, manifest, champions[0], KeptScorers(scorers))
        read: list[int] = []
        plain = pq.ParquetFile.read_row_group
        monkeypatch.setattr(pq.ParquetFile, "read_row_group", lambda s, i, **m: read.append(i) or plain(s, i, **m))
        for start in range(0, panel.num_rows, 90):
            before.compare(score_columns(champions[0], make_panel(AS_OF).slice(start, 90), 3))
        assert len(read) == 2 * len(manifest["models"]["churn-risk"]["files"])  # of the scores, and of the signals

    def test_without_the_old_scorer_scores_are_compared_and_not_explained(
        self, champions: tuple[Champion, Champion], tmp_path: Path
    ) -> None:
        panel = make_panel(EARLIER)
        manifest = write_run(tmp_path, champions[0], panel, 64)
        before = Before(tmp_path, manifest, champions[0], KeptScorers(tmp_path / "empty"))
        given = score_columns(champions[0], make_panel(AS_OF), 3)
        found = schema.table(champions[0], given, RUN, before.compare(given))
        assert found["previous_score"].null_count < found.num_rows / 2
        assert found["change"].null_count == found.num_rows
