"""The store keeps who gets a score of each model, with the signals."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET
from sqlalchemy import insert, select

from features.kit.clock import to_us
from models.catalog import get_model
from models.champion_pointer import Pointer
from models.population import Population, where
from serving.backup import backup as backups
from serving.champion import Champion
from serving.privacy import repository as privacy
from serving.scoring import repository as stored
from serving.scoring.repository import StoredSignals
from serving.scoring.request_parser import parse
from serving.scoring.service import Terms, score
from serving.store.connect import Store, open_store
from serving.store.deletions import forget_scores
from serving.store.migrate import migrate
from serving.store.tables import eligibilities, signals
from tests.kit.databases import DATABASES, store_url
from tests.kit.scorers import make_scorer

NOW = dt.datetime(2026, 3, 1, 6, tzinfo=dt.UTC)
NOW_US = to_us(NOW)
PRO = where("plan").is_in("pro")


def champion_of(folder: Path, population: Population, **more: Any) -> Champion:
    definition = replace(get_model("churn-risk"), population=population, **more)
    scorer = make_scorer(folder, definition=definition, n=600)
    return Champion(definition, Pointer("churn-risk", 3, scorer.sha256, Path(), "2026-01-01"), scorer)


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Champion:
    """It reads the plan for its population, and not as an input."""
    return champion_of(tmp_path_factory.mktemp("scorer") / "pro", PRO)


def code(champion: Champion, body: str, rows: dict[str, StoredSignals] | None = None) -> tuple[str | None, str]:
    records, reasons = parse(body.encode())
    answer = score(champion, records, reasons, rows or {}, Terms(NOW_US)).answer
    if answer.errors:
        return answer.errors[0].code, str(answer.errors[0].faults[0].found)
    (result,) = answer.results
    assert (result.probability is UNSET) == (result.no_score is not UNSET)
    return (None, "") if result.no_score is UNSET else (result.no_score.code, result.no_score.detail)


ASK = '{"records": [{"entity_id": "acme"}]}'


@pytest.mark.both_databases
class TestStore:
    def put(self, store: Store, name: str = "acme", at: dt.datetime = NOW, **codes: str) -> None:
        row = stored.row("account", name, at, "eligible", 1.0, {"plan": "pro"}, "test")
        own = [
            stored.eligibility_row(model.replace("_", "-"), "account", name, at, code) for model, code in codes.items()
        ]
        with store.write() as connection:
            stored.put(connection, [row], NOW_US, own)

    def own(self, store: Store, model: str = "churn-risk") -> str | None:
        return stored.fetch(store, "account", ["acme"], model, NOW_US)["acme"].own

    def rows(self, store: Store) -> list[tuple[str, str]]:
        with store.read() as connection:
            return sorted(map(tuple, connection.execute(select(eligibilities.c.entity_id, eligibilities.c.model))))

    def test_each_model_has_its_own_eligibility(self, store: Store) -> None:
        self.put(store, churn_risk="outside_population", expansion="eligible")
        assert (self.own(store), self.own(store, "expansion"), self.own(store, "other")) == (
            "outside_population",
            "eligible",
            None,
        )

    def test_a_newer_eligibility_replaces_an_older_one_and_not_the_reverse(self, store: Store) -> None:
        self.put(store, churn_risk="eligible")
        self.put(store, at=NOW - dt.timedelta(days=1), churn_risk="not_customer")
        assert self.own(store) == "eligible"

    def test_eligibility_of_another_moment_does_not_count(self, store: Store) -> None:
        """A model that was not live when the newest signals were computed has none."""
        self.put(store, at=NOW - dt.timedelta(days=1), churn_risk="not_customer")
        self.put(store)
        assert self.own(store) is None

    def test_erasing_and_deleting_remove_eligibilities(self, store: Store) -> None:
        for name in ("acme", "gone", "stays"):
            self.put(store, name, churn_risk="eligible", expansion="eligible")
        with store.write() as connection:
            done = privacy.erase(connection, "account", "acme", 1)
            forget_scores(connection, "account", ["gone"])
        assert done["eligibilities"] == 2
        assert self.rows(store) == [("stays", "churn-risk"), ("stays", "expansion")]
        self.put(store, churn_risk="eligible")  # what was erased stays away
        assert ("acme", "churn-risk") not in self.rows(store)

    def test_eligibility_for_a_moment_after_the_clock_is_replaced(self, store: Store) -> None:
        with store.write() as connection:
            row = stored.eligibility_row("churn-risk", "account", "acme", NOW + dt.timedelta(days=9), "not_customer")
            connection.execute(insert(eligibilities), [row])
        self.put(store, churn_risk="eligible")
        assert self.own(store) == "eligible"

    def test_a_backup_holds_eligibilities(self, store: Store, tmp_path: Path) -> None:
        self.put(store, churn_risk="outside_population")
        backups.backup(store, tmp_path / "copy.db")
        self.put(store, at=NOW + dt.timedelta(microseconds=1), churn_risk="eligible")
        done = backups.restore(store, tmp_path / "copy.db", NOW_US, overwrite=True)
        assert done.taken_back["eligibilities"].lost == 1
        assert self.own(store) == "outside_population"

    @pytest.mark.parametrize("database", DATABASES)
    def test_rows_of_an_older_store_hold_for_the_usual_outcome(
        self, database: str, request: pytest.FixtureRequest, tmp_path: Path, champion: Champion
    ) -> None:
        request.param = database
        old = open_store(store_url(request, tmp_path / "old", "template0"))
        migrate(old, "0007")
        row = stored.row("account", "acme", NOW, "eligible", 1.0, {"plan": "pro", "number_0": 1.0}, "test")
        with old.write() as connection:
            connection.execute(insert(signals), [row, {**row, "entity_id": "left", "eligibility": "not_customer"}])
        migrate(old)
        old.require_revision()
        found = stored.fetch(old, "account", ["acme", "left"], "churn-risk", NOW_US)
        assert code(champion, ASK, found)[0] is None
        assert code(champion, ASK.replace("acme", "left"), found)[0] == "not_customer"
        old.close()
