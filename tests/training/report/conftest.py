"""One small trained scorer for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.scorer.scorer import Scorer
from tests.kit.scorers import copy_scorer


@pytest.fixture(scope="session")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """It is shared: change nothing in it."""
    folder: Path = tmp_path_factory.mktemp("made") / "scorer"
    copy_scorer(folder, n=1_500)
    return Scorer.load(folder)
