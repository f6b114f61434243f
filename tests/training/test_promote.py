"""Only what passed its gates goes live; what is live can be taken back; alias and pointer agree."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from features.errors import UserMistake
from features.settings import Settings
from models import registry
from models.catalog import get_model
from models.pointer import read_pointer
from models.scorer import Scorer
from tests.scorers import make_scorer
from training.errors import PromotionRefused
from training.promote import GATES, PASSED, promote, rollback

MODEL = "churn-risk"
pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own, about its own types and stores


def register(settings: Settings, folder: Path, seed: int, gates: str) -> tuple[int, str]:
    """A version with a verdict: its number and its scorer's sha256."""
    scorer = make_scorer(folder / f"made-{seed}", seed=seed, n=300)
    version = registry.log_version(
        settings, get_model(MODEL), folder / f"made-{seed}", parameters={}, metrics={}, tags={GATES: gates}
    )
    return version.version, scorer.sha256


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, list[tuple[int, str]]]:
    """Versions 1 and 2 passed, version 3 failed."""
    home = tmp_path_factory.mktemp("home")
    settings = Settings.from_env({"ACCOUNTSCORE_HOME": str(home)})
    verdicts = (PASSED, PASSED, "failed: signal")
    return settings, [register(settings, home, seed, verdict) for seed, verdict in enumerate(verdicts)]


def live(settings: Settings) -> tuple[int | None, str]:
    """Version and sha256 of what the pointer names, after the scorer was verified."""
    pointer = read_pointer(settings.home, MODEL)
    assert pointer is not None
    assert Scorer.load(pointer.path).sha256 == pointer.sha256
    return pointer.version, pointer.sha256


def alias(settings: Settings, name: str) -> int | None:
    found = registry.by_alias(settings, MODEL, name)
    return None if found is None else found.version


class TestPromotion:
    def test_forward_and_back(self, made: tuple[Settings, list[tuple[int, str]]]) -> None:
        settings, (one, two, _) = made
        promote(settings, MODEL, one[0])
        assert live(settings) == one
        promote(settings, "churn_risk", two[0])
        assert live(settings) == two
        assert (alias(settings, "champion"), alias(settings, "previous")) == (2, 1)
        rollback(settings, MODEL)
        assert live(settings) == one
        assert (alias(settings, "champion"), alias(settings, "previous")) == (1, 2)

    def test_failed_gates_are_refused_and_recorded(self, made: tuple[Settings, list[tuple[int, str]]]) -> None:
        settings, versions = made
        promote(settings, MODEL, 1)
        with pytest.raises(PromotionRefused, match=r"version 3 .* failed: signal") as refused:
            promote(settings, MODEL)
        assert refused.value.exit_code == 3
        assert live(settings) == versions[0], "what was live stays live"
        assert alias(settings, "champion") == 1
        tags = registry.get_version(settings, MODEL, 3).tags or {}
        assert tags["promotion"] == "refused: failed: signal"

    def test_two_at_once_leave_alias_and_pointer_agreed(self, made: tuple[Settings, list[tuple[int, str]]]) -> None:
        settings, _ = made
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda version: promote(settings, MODEL, version), (1, 2)))
        assert live(settings)[0] == alias(settings, "champion")

    def test_nothing_to_go_back_to(self, made: tuple[Settings, list[tuple[int, str]]]) -> None:
        settings, _ = made
        with pytest.raises(UserMistake, match="no previous champion"):
            rollback(settings, "lead-fit")
