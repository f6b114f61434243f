"""Two live models of one outcome share nobody: counted when one is promoted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from features.kit.settings import Settings
from features.readiness.population import members, population_lines
from features.sources.source import Source
from models import champion_pointer, registry
from models.catalog import MODELS, get_model
from models.population import EVERYBODY, Population, where
from models.scorer.scorer import Scorer
from tests.conftest import NewRegistry
from tests.kit.company import at, make_source
from tests.kit.scorers import make_scorer
from training.errors import SharedPopulation
from training.overlap import require_apart
from training.promote import GATES, PASSED, promote

OTHER = "churn-north"
PRO, NORTH = where("plan").is_in("pro"), where("region").is_in("north")
ACCOUNTS = {"a": ("pro", "north"), "b": ("pro", "south"), "c": ("free", "north"), "left": ("pro", "north")}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """a is pro and in the north, b pro, c in the north; one who is both left."""
    day = at("2025-01-01")
    tables = {
        "accounts": [{"account_id": n, "region": region, "event_time": day} for n, (_, region) in ACCOUNTS.items()],
        "subscriptions": [
            {"subscription_id": n, "account_id": n, "status": status, "plan": plan, "mrr": 10.0, "event_time": at(when)}
            for n, (plan, _) in ACCOUNTS.items()
            for status, when in [("active", "2025-01-01"), *([("ended", "2025-02-01")] if n == "left" else [])]
        ],
    }
    return make_source(tmp_path_factory.mktemp("overlap"), tables)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_registry: NewRegistry) -> Settings:
    """The catalog has a second model of churn."""
    monkeypatch.setitem(MODELS, OTHER, replace(get_model("churn-risk"), name=OTHER))
    return new_registry(tmp_path / "home")


def scorer_of(folder: Path, name: str, population: Population) -> Scorer:
    return make_scorer(
        folder, definition=replace(MODELS[name], population=population), n=300, boosters=[], tree_share=0.0
    )


def put_live(settings: Settings, folder: Path, name: str, population: Population) -> None:
    scorer_of(folder, name, population)
    with champion_pointer.locked(settings.home, name):
        champion_pointer.put_live(settings.home, name, folder, 1)


class TestMembers:
    def test_counts_by_hand(self, source: Source) -> None:
        churn = get_model("churn-risk")
        asked = {"pro": PRO, "north": NORTH, "free": where("plan").is_in("free"), "all": EVERYBODY}
        found = members(source, [replace(churn, name=n, population=p) for n, p in asked.items()])
        assert found.eligible == 3
        assert {name: found.count(name) for name in asked} == {"pro": 2, "north": 2, "free": 1, "all": 3}
        assert found.shared() == {
            ("pro", "north"): 1,
            ("pro", "all"): 2,
            ("north", "free"): 1,
            ("north", "all"): 2,
            ("free", "all"): 1,
        }


class TestCheck:
    def test_whom_two_models_of_one_outcome_share_keeps_both_from_going_live(self, source: Source) -> None:
        churn = get_model("churn-risk")
        pro, north = replace(churn, population=PRO), replace(churn, name=OTHER, population=NORTH)
        lines = list(population_lines(source, [pro, north, get_model("lead-fit")]))
        assert [(line.model, line.said_rule, line.found) for line in lines] == [
            (
                "churn-risk",
                "churn-risk: its population: plan is pro",
                "2 of 3 eligible accounts at the end of the data",
            ),
            (OTHER, f"{OTHER}: its population: region is north", "2 of 3 eligible accounts at the end of the data"),
            (
                "churn-risk",
                "churn-risk, to go live: two live models of churn share nobody",
                f"1 of 3 eligible accounts are also of {OTHER} (region is north)",
            ),
            (
                OTHER,
                f"{OTHER}, to go live: two live models of churn share nobody",
                "1 of 3 eligible accounts are also of churn-risk (plan is pro)",
            ),
        ]
        # The twins: nobody is in both; there is no other model; a population with faults has lines of its own.
        apart = replace(north, population=where("plan").is_in("free"))
        assert [line.gate for line in population_lines(source, [pro, apart])] == [False, False]
        assert list(population_lines(source, [churn])) == []
        assert list(population_lines(source, [replace(churn, population=where("plam").is_true())])) == []


class TestRequireApart:
    def test_whom_both_are_for_is_counted(self, settings: Settings, source: Source, tmp_path: Path) -> None:
        put_live(settings, tmp_path / "live", "churn-risk", PRO)
        north = scorer_of(tmp_path / "north", OTHER, NORTH)
        with pytest.raises(SharedPopulation) as told:
            require_apart(settings, MODELS[OTHER], north, source)
        assert str(told.value) == (
            f"churn-north is not promoted: 1 of 3 eligible accounts of source {source.name!r} are in its population (region is north) "
            "and in that of churn-risk (plan is pro), which is live. Rule: two live models of churn share nobody. Next: narrow one of "
            "the two by the field population of its file, train it again, and promote the narrower one first"
        )
        # The twins: nobody is in both; the other asks another outcome; it is the same model.
        require_apart(
            settings, MODELS[OTHER], scorer_of(tmp_path / "c", OTHER, NORTH & where("plan").is_in("free")), source
        )
        require_apart(settings, get_model("lead-fit"), scorer_of(tmp_path / "d", "lead-fit", EVERYBODY), source)
        require_apart(settings, get_model("churn-risk"), scorer_of(tmp_path / "e", "churn-risk", EVERYBODY), source)

    def test_one_that_is_for_everybody_shares_all_of_the_other(
        self, settings: Settings, source: Source, tmp_path: Path
    ) -> None:
        put_live(settings, tmp_path / "live", "churn-risk", EVERYBODY)
        with pytest.raises(
            SharedPopulation, match=r"2 of 3 eligible accounts .*\(plan is pro\).*\(everybody who is eligible\)"
        ):
            require_apart(settings, MODELS[OTHER], scorer_of(tmp_path / "pro", OTHER, PRO), source)

    def test_what_the_conditions_keep_apart_needs_no_data(self, settings: Settings, tmp_path: Path) -> None:
        put_live(settings, tmp_path / "live", "churn-risk", PRO)
        require_apart(settings, MODELS[OTHER], scorer_of(tmp_path / "s", OTHER, where("plan").not_in("pro", "free")))
        # The twin: what they do not keep apart does, and the source that it was trained on is not here.
        with pytest.raises(
            SharedPopulation, match=r"cannot be counted \(no source 'test'.*Next: .*with --source and --data"
        ):
            require_apart(settings, MODELS[OTHER], scorer_of(tmp_path / "north", OTHER, NORTH))

    def test_a_champion_that_cannot_be_read_keeps_others_from_going_live(
        self, settings: Settings, tmp_path: Path
    ) -> None:
        put_live(settings, tmp_path / "live", "churn-risk", PRO)
        pointer = champion_pointer.read_pointer(settings.home, "churn-risk")
        assert pointer is not None
        (pointer.path / "scorer.json").write_text("{}")
        with pytest.raises(SharedPopulation, match="whom churn-risk is for is not known"):
            require_apart(settings, MODELS[OTHER], scorer_of(tmp_path / "s", OTHER, NORTH))


def test_promotion_changes_nothing_when_it_is_refused(settings: Settings, source: Source, tmp_path: Path) -> None:
    put_live(settings, tmp_path / "live", "churn-risk", PRO)
    for number, population in enumerate((NORTH, where("plan").is_in("free")), 1):
        scorer_of(tmp_path / str(number), OTHER, population)
        registry.log_version(
            settings, MODELS[OTHER], tmp_path / str(number), parameters={}, metrics={}, tags={GATES: PASSED}
        )
    with pytest.raises(SharedPopulation):
        promote(settings, OTHER, 1, str(source.folder), source.data)
    assert champion_pointer.read_pointer(settings.home, OTHER) is None
    assert registry.by_alias(settings, OTHER, registry.CHAMPION) is None
    assert "1 of 3 eligible accounts" in (registry.get_version(settings, OTHER, 1).tags or {})["promotion"]
    assert promote(settings, OTHER, 2)["champion"] == 2  # apart by its conditions: no source is asked for
