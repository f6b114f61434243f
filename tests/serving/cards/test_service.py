"""What the home has of each model: a file that cannot be read is said, and everything else is listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from features.kit.os_user import os_user
from models import champion_pointer, standing
from models.card import NAME, place, read_card
from models.card_file import Unreadable
from models.catalog import MODELS, get_model
from models.standing import PROMOTED, REFUSED, event
from serving.cards import service
from serving.cards.schemas import ModelShown
from serving.champion import Champions
from serving.errors import NotFound
from tests.kit import carded
from tests.kit.carded import Version, put_card, put_look, put_report, put_standing
from tests.kit.scorers import copy_scorer

CHURN = get_model("churn-risk")


def shown(home: Path, model: str = "churn-risk", limit: int = 20) -> ModelShown:
    champions = Champions(home)
    champions.refresh()
    answer = service.models(home, champions, limit)
    assert [each.model for each in answer.models] == list(MODELS)
    return next(each for each in answer.models if each.model == model)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Version 1 is live; 2 was refused."""
    copy_scorer(tmp_path / "made", n=600)
    with champion_pointer.locked(tmp_path, "churn-risk"):
        champion_pointer.put_live(tmp_path, "churn-risk", tmp_path / "made", 1)
    put_card(tmp_path, 1)
    put_card(tmp_path, 2, **carded.REFUSED)
    happened = (event(REFUSED, 2, 1, "failed: drift"), event(PROMOTED, 1))
    put_standing(tmp_path, Version(2, ("challenger",)), Version(1, ("champion",)), events=happened)
    put_look(tmp_path, "2026-11-01")
    put_look(tmp_path, "2026-11-23", verdict="someone should look", why=["drift: the score: 0.31"])
    return tmp_path


class TestModels:
    def test_champion_versions_refusals_and_the_newest_look(self, home: Path) -> None:
        found = shown(home)
        assert (found.serves, found.serves_version, found.refused, found.faults) == (True, 1, None, [])
        assert found.champion is not None
        assert (found.champion.version, found.champion.by) == (1, os_user())
        two, one = found.versions
        assert (one.version, one.state, one.ready, one.card) == (1, "champion", True, None)
        assert one.auc is not None
        assert one.auc.value == 0.848
        assert one.promoted is not None
        assert one.promoted.action == PROMOTED
        assert (two.version, two.state, two.ready) == (2, "challenger", False)
        assert two.sentence is not None
        assert two.sentence.startswith("Refused by its gates (drift).")
        assert two.why == ["drift: 2.1 times (needed: between 0.61 and 1.65 times)"]
        assert [(each.version, each.why) for each in two.refusals] == [(2, "failed: drift")]
        assert found.monitor is not None
        assert (found.monitor.date, found.monitor.verdict) == ("2026-11-23", "someone should look")

    def test_a_model_of_which_nothing_is_there(self, home: Path) -> None:
        found = shown(home, "lead-fit")
        assert (found.serves, found.champion, found.versions, found.monitor, found.faults) == (
            False,
            None,
            [],
            None,
            [],
        )

    def test_an_empty_home(self, tmp_path: Path) -> None:
        assert shown(tmp_path / "no home").versions == []

    def test_a_long_list_is_cut(self, home: Path) -> None:
        for version in range(3, 30):
            put_card(home, version)
        found = shown(home, limit=5)
        assert [each.version for each in found.versions] == [29, 28, 27, 26, 25]
        assert found.more_versions == 24

    def test_other_names_in_the_folder_are_no_versions(self, home: Path) -> None:
        for name in ("v0", "v03", "v", ".v4.partial", "v9999999999", "notes"):
            (home / "runs" / "churn-risk" / name).mkdir()
        assert [each.version for each in shown(home).versions] == [2, 1]


class TestFilesThatCannotBeRead:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ('{"schema": 1, "mod', "churn-risk/v2/card.json is not complete JSON: python -m training fit churn-risk"),
            ('{"schema": 9}', "churn-risk/v2/card.json is of a newer version: it has schema 9"),
            ('{"schema": 1, "model": "churn-risk"}', "churn-risk/v2/card.json is not as this version writes it"),
        ],
    )
    def test_a_card_is_named_and_the_others_are_listed(self, home: Path, content: str, said: str) -> None:
        (place(home, "churn-risk", 2) / NAME).write_text(content)
        two, one = shown(home).versions
        assert two.card is not None
        assert two.card.startswith(said)
        assert (two.ready, two.verdict, two.state) == (None, None, "challenger")
        assert (one.card, one.ready) == (None, True)

    def test_without_the_guard_the_list_fails(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin: one broken card hides every model."""
        (place(home, "churn-risk", 2) / NAME).write_text("{")

        monkeypatch.setattr(service, "_card", lambda files, number: (read_card(files.home, CHURN, number), None))
        with pytest.raises(Unreadable, match="not complete JSON"):
            shown(home)

    def test_a_look_a_standing_and_a_pointer(self, home: Path) -> None:
        (home / "monitor" / "churn-risk" / "2026-11-23.json").write_text("{")
        standing.place(home, "churn-risk").write_text('{"schema": 2}')
        (home / "champions" / "churn-risk" / champion_pointer.NAME).write_text("{")
        found = shown(home)
        assert found.monitor is not None
        assert found.monitor.fault is not None
        assert "2026-11-23.json is not complete JSON" in found.monitor.fault
        assert [each.partition(" ")[0] for each in found.faults] == [
            "churn-risk/champion.json",
            "runs/churn-risk/standing.json",
        ]
        assert [each.version for each in found.versions] == [2, 1]
        assert found.serves, "the copy of the pointer is served"

    def test_a_changed_card_is_read_again(self, home: Path) -> None:
        assert shown(home).versions[0].ready is False
        put_card(home, 2, why=["another length"])
        assert shown(home).versions[0].ready is True


class TestOlderHomes:
    def test_versions_are_listed_from_their_reports(self, home: Path) -> None:
        """As 0.2 left it: no cards, no standing."""
        for version in (1, 2):
            (place(home, "churn-risk", version) / NAME).unlink()
        put_report(home, 1)
        put_report(home, 2, **carded.REFUSED)
        standing.place(home, "churn-risk").unlink()
        found = shown(home)
        two, one = found.versions
        assert (one.state, one.ready, one.card, one.made_at) == ("champion", True, None, None)
        assert (two.state, two.ready, two.why) == (None, False, carded.REFUSED["why"])
        assert found.champion is not None
        assert found.champion.by is None

    def test_a_version_with_neither_says_how_to_get_one(self, home: Path) -> None:
        (place(home, "churn-risk", 1) / NAME).unlink()
        one = shown(home).versions[1]
        assert one.card is not None
        assert one.card.startswith(
            "no card: it was fitted elsewhere, or its files were deleted; python -m training fit"
        )
        assert one.state == "champion"

    def test_what_the_registry_says_of_one_that_was_fitted_elsewhere(self, home: Path) -> None:
        tags = {"gates": "failed: calibration", "verdict": "refused by its gates"}
        put_standing(home, Version(3, (), tags), Version(1, ("champion",)))
        three = shown(home).versions[0]
        assert (three.version, three.ready, three.verdict, three.why) == (
            3,
            False,
            "refused by its gates",
            ["failed: calibration"],
        )


class TestVersion:
    def test_its_card(self, home: Path) -> None:
        found = service.version(home, CHURN, 2)
        assert found.card is not None
        assert [gate.passed for gate in found.card.gates] == [True, False]
        assert found.version.state == "challenger"

    def test_one_that_is_not_there(self, home: Path) -> None:
        with pytest.raises(NotFound, match=r"no such version of churn-risk: the newest are 2, 1") as wrong:
            service.version(home, CHURN, 3)
        assert wrong.value.more == {"choices": ["2", "1"]}
        with pytest.raises(NotFound, match="run python -m training fit lead-fit"):
            service.version(home, get_model("lead-fit"), 1)


class TestModel:
    def test_the_card_of_the_champion_and_the_newest_look(self, home: Path) -> None:
        champions = Champions(home)
        champions.refresh()
        found = service.model(home, champions, CHURN, 20)
        assert found.card is not None
        assert (found.card.version, found.card.by_band[0].band) == (1, "high")
        assert found.monitor is not None
        assert found.monitor.verdict == "someone should look"
        assert found.monitored == ["2026-11-23", "2026-11-01"]

    def test_nothing_of_it_names_an_account(self, home: Path) -> None:
        """The report does."""
        import msgspec

        (place(home, "churn-risk", 1) / NAME).unlink()
        path = put_report(home, 1)
        champions = Champions(home)
        said: Any = msgspec.to_builtins(service.model(home, champions, CHURN, 20))
        assert "4711" in path.read_text()
        assert said["card"]["metrics"]["auc"]["value"] == 0.848
        assert "4711" not in json.dumps(said)
