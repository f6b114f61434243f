"""The pointer changes whole, under a lock, and keeps the way back."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from models.champion_pointer import folder, locked, put_live, read_pointer
from models.scorer.artefact import ScorerRefused
from models.scorer.scorer import Scorer
from tests.kit.scorers import make_scorer


@pytest.fixture(scope="module")
def scorers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    made = tmp_path_factory.mktemp("scorers")
    for number in range(2):
        make_scorer(made / str(number), n=300, seed=number, boosters=[])
    return [made / "0", made / "1"]


def promote_often(home: Path, scorer: Path, version: int) -> None:
    for _ in range(8):
        with locked(home, "churn-risk"):
            put_live(home, "churn-risk", scorer, version)


class TestPointer:
    def test_nothing_was_promoted(self, tmp_path: Path) -> None:
        assert read_pointer(tmp_path, "churn-risk") is None

    def test_the_previous_scorer_stays_on_record(self, tmp_path: Path, scorers: list[Path]) -> None:
        put_live(tmp_path, "churn_risk", scorers[0], 1)
        second = put_live(tmp_path, "churn-risk", scorers[1], 2)
        assert (second.version, second.previous_version) == (2, 1)
        assert Scorer.load(second.path).sha256 == second.sha256
        assert second.previous_path is not None
        assert Scorer.load(second.previous_path).sha256 == Scorer.load(scorers[0]).sha256

    def test_promoting_the_same_scorer_again_keeps_the_previous_one(self, tmp_path: Path, scorers: list[Path]) -> None:
        for scorer, version in ((scorers[0], 1), (scorers[1], 2), (scorers[1], 2)):
            pointer = put_live(tmp_path, "churn-risk", scorer, version)
        assert pointer.previous_version == 1

    def test_a_damaged_scorer_changes_nothing(self, tmp_path: Path, scorers: list[Path]) -> None:
        before = put_live(tmp_path, "churn-risk", scorers[0], 1)
        bad = tmp_path / "bad"
        make_scorer(bad, n=300, seed=5, boosters=[])
        (bad / "linear.json").write_bytes(b"{}")
        with pytest.raises(ScorerRefused):
            put_live(tmp_path, "churn-risk", bad, 2)
        assert read_pointer(tmp_path, "churn-risk") == before

    def test_a_scorer_of_another_model_is_refused(self, tmp_path: Path, scorers: list[Path]) -> None:
        with pytest.raises(ScorerRefused, match="not of 'lead-fit'"):
            put_live(tmp_path, "lead-fit", scorers[0], 1)

    def test_a_pointer_out_of_its_folder_is_refused(self, tmp_path: Path, scorers: list[Path]) -> None:
        put_live(tmp_path, "churn-risk", scorers[0], 1)
        path = folder(tmp_path, "churn-risk") / "champion.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"path": "../../elsewhere"}))
        with pytest.raises(ValueError, match="not a folder beside it"):
            read_pointer(tmp_path, "churn-risk")

    def test_two_promotions_at_once_leave_one_whole_scorer_live(self, tmp_path: Path, scorers: list[Path]) -> None:
        context = multiprocessing.get_context("spawn")
        workers = [context.Process(target=promote_often, args=(tmp_path, scorers[n], n + 1)) for n in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
            assert worker.exitcode == 0
        pointer = read_pointer(tmp_path, "churn-risk")
        assert pointer is not None
        assert Scorer.load(pointer.path).sha256 == pointer.sha256
        left = [p.name for p in folder(tmp_path, "churn-risk").iterdir() if "partial" in p.name]
        assert left == []
