"""One trained scorer for all tests of this folder, and a copy of a small one for those that damage it."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.scorer.scorer import Scorer
from tests.kit.scorers import copy_scorer


@pytest.fixture(scope="session")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """Of 1,500 rows: shapes and two boosters over six numbers and two words. It is shared: change nothing in it."""
    folder = tmp_path_factory.mktemp("scorers") / "one"
    copy_scorer(folder, n=1_500)
    return Scorer.load(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of a scorer of 400 rows, the test's own."""
    copy_scorer(tmp_path / "one", n=400)
    return tmp_path / "one"
