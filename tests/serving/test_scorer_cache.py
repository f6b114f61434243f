"""Scorers by their sha256: verified, a few in memory, and gone ones are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import champion_pointer
from models.champion_pointer import kept
from serving import scorer_cache
from serving.scorer_cache import KeptScorers, ScorerGone
from tests.kit.scorers import copy_scorer


@pytest.fixture
def sha256(tmp_path: Path) -> str:
    copy_scorer(tmp_path / "made", n=600)
    with champion_pointer.locked(tmp_path, "churn-risk"):
        champion_pointer.put_live(tmp_path, "churn-risk", tmp_path / "made", 1)
    pointer = champion_pointer.read_pointer(tmp_path, "churn-risk")
    assert pointer is not None
    return pointer.sha256


def test_a_scorer_is_loaded_once(tmp_path: Path, sha256: str) -> None:
    scorers = KeptScorers(tmp_path)
    found = scorers.get("churn-risk", sha256)
    assert found.sha256 == sha256
    assert scorers.get("churn-risk", sha256) is found


def test_one_that_is_not_there_or_is_damaged_is_gone(tmp_path: Path, sha256: str) -> None:
    with pytest.raises(ScorerGone, match="is not in the home any more"):
        KeptScorers(tmp_path).get("churn-risk", "0" * 64)
    folder = kept(tmp_path, "churn-risk", sha256)
    assert folder is not None
    with (folder / "booster.txt").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ScorerGone, match="of churn-risk is damaged"):
        KeptScorers(tmp_path).get("churn-risk", sha256)


def test_of_many_the_one_that_was_not_asked_for_longest_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    scorers = KeptScorers(tmp_path)
    monkeypatch.setattr(scorers, "_load", lambda _model, sha: loaded.append(sha) or object())
    monkeypatch.setattr(scorer_cache, "HELD", 2)
    for name in ("a", "b", "a", "c", "a", "b"):
        scorers.get("churn-risk", name)
    assert loaded == ["a", "b", "c", "b"]
