"""The one cause that a list tells of a change is the strongest of the shares that the whole split has."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from features.kit.clock import DAY_US
from models import champion_pointer
from models.scorer.scorer import Scorer
from serving.score_change.causes import Cause, causes
from serving.score_change.service import change
from serving.scorer_cache import KeptScorers
from serving.store.connect import Store
from serving.store.tables import latest_scores
from tests.kit.list_rows import NOW_US, put, scored
from tests.kit.scorers import WORDS, copy_scorer

pytestmark = pytest.mark.both_databases
MODEL = "churn-risk"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions, so that records of both can be explained."""
    home = tmp_path_factory.mktemp("causes")
    for version in (1, 2):
        copy_scorer(home / f"v{version}", MODEL, seed=version)
        with champion_pointer.locked(home, MODEL):
            champion_pointer.put_live(home, MODEL, home / f"v{version}", version)
    return home


def random_values(rng: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {f"number_{i}": rng.choice((None, 0.0, rng.gauss(0, 10**i))) for i in range(6)}
    return found | {f"word_{i}": rng.choice((None, *WORDS)) for i in range(2)}


def nights(store: Store, home: Path, versions: tuple[int, int] = (1, 1), count: int = 40) -> dict[str, int]:
    """Scores of two nights; their changes by id."""
    rng = random.Random(5)
    for night, version in enumerate(versions):
        scorer = Scorer.load(home / f"v{version}")
        as_of = NOW_US - (1 - night) * DAY_US
        rows = [scored(scorer, f"e/{n}", random_values(rng), as_of_us=as_of, version=version) for n in range(count)]
        put(store, rows, NOW_US)
    with store.read() as connection:
        return {row.entity_id: row.change for row in connection.execute(latest_scores.select())}


def strongest(store: Store, home: Path, entity_id: str, points: int) -> Cause:
    """From the whole split: the signal whose shares, data and time together, moved the score most in its direction."""
    answer = change(store, KeptScorers(home), MODEL, "account", entity_id, None, None, NOW_US)
    up = 1 if points > 0 else -1
    sums: dict[str, float] = defaultdict(float)
    texts = {}
    for share in answer.signals:
        sums[share.signal] += up * share.effect
        texts[share.signal] = share.text
    best = max(sums, key=sums.__getitem__)
    if up * answer.parts.version > sums[best]:
        return Cause("", answer.after.version)
    return Cause(texts[best])


@pytest.mark.parametrize("versions", [(1, 1), (1, 2)])
def test_it_is_the_strongest_of_the_whole_split(store: Store, home: Path, versions: tuple[int, int]) -> None:
    changes = nights(store, home, versions)
    found = causes(store, KeptScorers(home), MODEL, changes, NOW_US)
    moved = {name: points for name, points in changes.items() if points}
    assert len(moved) > 30
    assert found.keys() == moved.keys()
    assert found == {name: strongest(store, home, name, points) for name, points in moved.items()}
    assert any(each.version for each in found.values()) == (versions == (1, 2))


def test_what_did_not_move_is_not_looked_up(store: Store, home: Path) -> None:
    assert causes(store, KeptScorers(home), MODEL, {"e/1": 0}, NOW_US) == {}


def test_a_change_that_the_records_do_not_have_gets_no_cause(store: Store, home: Path) -> None:
    changes = {name: points + 1 for name, points in nights(store, home, count=5).items()}
    assert causes(store, KeptScorers(home), MODEL, changes, NOW_US) == {}


def test_a_scorer_that_is_gone_gets_no_cause(store: Store, home: Path, tmp_path: Path) -> None:
    changes = nights(store, home, count=5)
    assert causes(store, KeptScorers(tmp_path), MODEL, changes, NOW_US) == {}


def test_a_first_score_has_none(store: Store, home: Path) -> None:
    put(store, [scored(Scorer.load(home / "v1"), "new", random_values(random.Random(1)))], NOW_US)
    assert causes(store, KeptScorers(home), MODEL, {"new": 7}, NOW_US) == {}
