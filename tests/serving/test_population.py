"""A model that is for a part of the accounts: who gets a score is kept per model, and every door says so."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from features.kit.clock import make_clock, to_us
from features.kit.settings import Settings
from features.simulate import simulate
from features.sources.loader import open_source
from models import registry
from models.catalog import get_model
from models.population import where
from models.scorer.artefact_schema import VerdictSpec
from models.scorer.writer import Origin
from serving.batch.call_list import read_top, top_table
from serving.champion import Champions
from serving.connections.config import ConnectionConfig, Mapped
from serving.export.published_run import PublishedRun
from serving.inbox import repository as inbox
from serving.manifest import read_manifest, read_scores
from serving.scorer_cache import KeptScorers
from serving.store.connect import open_store
from serving.store.tables import decisions, eligibilities, signals, writebacks
from serving.vendors.inbound import Event
from serving.vendors.outbound import Target, WriteBack  # type: ignore[attr-defined]
from serving.worker.loop import Worker
from tests.kit.company import all_but
from tests.kit.running import AS_OF, END, Home, running_api
from tests.kit.stores import new_store
from training import export
from training.fit import directions
from training.learn import LearnSettings, learn
from training.promote import GATES, PASSED, promote
from training.training_set import labelled_panel

OTHERS = where("industry").not_in("software")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A narrowed model is learnt and promoted as `fit` and `promote` do it, on few signals; the others nobody trained."""
    folder = tmp_path_factory.mktemp("narrowed")
    made = Home(folder / "home", folder / "company")
    simulate(made.company, accounts=150, leads=40, days=560, end=END, usage_events=4_000, seed=7)
    source = open_source("sample", made.company)
    definition = replace(get_model("churn-risk"), population=OTHERS, themes=("firmographic", "commercial"))
    definition = replace(
        definition, exclude=all_but(source, definition, "mrr", "days_to_renewal", "employees", "region")
    )
    panel = labelled_panel(source, definition)
    assert "industry" not in panel.table.column_names  # it is read for the population, and is no input
    directed = partial(directions, definition)
    learnt = learn(panel.rows, panel.split, LearnSettings(budget_s=None, trials=1), directed)
    origin, ready = (
        Origin(source.name, "0" * 64, "2024-09-01", "2025-08-31"),
        VerdictSpec(code="ready", says="ready", ready=True),
    )
    export.write(folder / "scorer", definition, learnt, learnt.rows.x[panel.population], origin, {}, ready)
    settings = Settings.from_env({"ACCOUNTSCORE_HOME": str(made.path)})
    registry.log_version(settings, definition, folder / "scorer", parameters={}, metrics={}, tags={GATES: PASSED})
    assert promote(settings, "churn-risk")["champion"] == 1
    return made


@pytest.fixture(scope="module")
def night(home: Home) -> Path:
    done = home.run("serving", "batch", *home.source, "--as-of", AS_OF, "--out", str(home.path / "scores"))
    assert done.returncode == 0, done.stderr
    (home.path / "said").write_text(done.stdout + done.stderr)
    return home.path / "scores"


def by_hand(night: Path) -> tuple[set[str], set[str]]:
    """Of the eligible, by the panel that was published: whom the model is for, and the others."""
    panel = pq.read_table(night / read_manifest(night)["signals"]["account"]["file"])
    panel = panel.filter(pc.equal(panel["eligibility"], "eligible"))
    of_it = pc.fill_null(pc.not_equal(panel["industry"], "software"), False)
    inside, outside = (set(panel.filter(mask)["entity_id"].to_pylist()) for mask in (of_it, pc.invert(of_it)))
    assert inside
    assert outside
    return inside, outside


class TestNight:
    def test_the_run_counts_who_is_outside_the_population(self, home: Home, night: Path) -> None:
        inside, outside = by_hand(night)
        scores = read_scores(night, "churn-risk")
        found = {
            why: set(scores.filter(pc.equal(pc.fill_null(scores["no_score"], ""), why or ""))["entity_id"].to_pylist())
            for why in (None, "outside_population")
        }
        assert found == {None: inside, "outside_population": outside}
        assert read_manifest(night)["models"]["churn-risk"]["population"] == "industry is not software"
        said = (home.path / "said").read_text()
        assert f"{len(outside)} of them outside its population (industry is not software)" in said
        assert "lead-fit: no champion, not scored" in said  # a model that is not live stops nobody

    def test_the_store_has_eligibility_beside_the_signals(self, home: Home, night: Path) -> None:
        inside, outside = by_hand(night)
        store = open_store(f"sqlite:///{home.path}/store.db")
        with store.read() as connection:
            own = {row.entity_id: row for row in connection.execute(select(eligibilities))}
            rows = {
                row.entity_id: row for row in connection.execute(select(signals).where(signals.c.entity == "account"))
            }
        store.close()
        assert own.keys() == rows.keys()
        assert {(r.model, r.as_of) for r in own.values()} == {("churn-risk", next(iter(rows.values())).as_of)}
        assert {i for i, r in own.items() if r.code == "outside_population"} == outside
        assert {i for i, r in own.items() if r.code == "eligible"} == inside

    def test_the_call_list_says_whom_it_is_of(self, night: Path) -> None:
        inside, outside = by_hand(night)
        top = read_top(night, "churn-risk", 1000)
        assert {row["entity_id"] for row in top.rows} == inside
        assert (top.scored, top.outside) == (len(inside), len(outside))
        assert f"of those of whom industry is not software; {len(outside)} eligible accounts are not" in str(
            top_table(top, "USD").title
        )

    def test_the_star_counts_the_revenue_of_its_population(self, home: Home, night: Path) -> None:
        run = PublishedRun(night, KeptScorers(home.path))
        found = run.at_risk("churn-risk")
        assert {"software", "(not on record)"}.isdisjoint(found["industry"].to_pylist())
        panel = pq.read_table(night / read_manifest(night)["signals"]["account"]["file"])
        paying = pc.and_(
            pc.greater(panel["value"], 0), pc.fill_null(pc.not_equal(panel["industry"], "software"), False)
        )
        assert sum(found["arr"].to_pylist()) == pytest.approx(sum(panel.filter(paying)["value"].to_pylist()))

    def test_the_api_answers_by_the_store(self, home: Home, night: Path) -> None:
        inside, outside = by_hand(night)
        records = [{"entity_id": name} for name in (min(inside), min(outside))]
        with running_api(home) as url:
            first, second = httpx.post(f"{url}/v1/churn-risk/score", json={"records": records}, timeout=60).json()[
                "results"
            ]
            about = httpx.get(f"{url}/v1/churn-risk", timeout=60).json()
            other = httpx.post(f"{url}/v1/lead-fit/score", json={"records": [{"signals": {}}]}, timeout=60)
            ready = httpx.get(f"{url}/readyz", timeout=60).json()
        assert 0 < first["probability"] < 1
        assert second["no_score"]["code"] == "outside_population"
        assert about["population"] == "industry is not software"
        # Any subset of models may be live: what is not says so.
        assert (other.status_code, other.json()["code"]) == (503, "no_model")
        assert {name: model["serves"] for name, model in ready["models"].items()}["lead-fit"] is False


class TestWorker:
    def test_a_crm_change_moves_an_account_into_the_population_and_out(
        self, home: Home, night: Path, tmp_path: Path
    ) -> None:
        _, outside = by_hand(night)
        name = min(outside)
        objects = {"company": Mapped("accounts", "acc_{id}", {"industry": "industry"}, {})}
        back = WriteBack("dry-run", {"churn-risk": Target("company", {"score": "risk"})}, minimum_change=1)
        config = ConnectionConfig(
            "crm", "hubspot", "https://x.example", "sample", home.company, objects, writeback=back
        )
        config = replace(config, settle_seconds=0.0)
        champions, clock = Champions(home.path), make_clock(AS_OF)
        champions.refresh()
        store = new_store(tmp_path)
        seen = []
        for number, industry in enumerate(["retail", "software"]):
            moment = 1_764_547_200_000_000 + number
            event = Event(
                (number,),
                "company.change",
                "change",
                "company",
                name.removeprefix("acc_"),
                moment,
                "industry",
                industry,
            )
            with store.write() as connection:
                inbox.put(connection, inbox.events_of(config, [event], to_us(clock())))
            Worker(store, {"crm": config}, champions, clock).once()
            with store.read() as connection:
                newest = select(decisions.c.score, decisions.c.no_score).order_by(decisions.c.id.desc()).limit(1)
                own = connection.execute(select(eligibilities.c.code, eligibilities.c.as_of)).one()
                at = connection.execute(select(signals.c.as_of)).scalar_one()
                written = connection.execute(select(writebacks.c.score)).scalar_one()
                seen.append((connection.execute(newest).one(), own.code, own.as_of == at, written))
        store.close()
        (first, second) = seen
        assert first[0].score == first[3] is not None
        assert first[1:3] == ("eligible", True)
        assert tuple(second[0]) == (None, "outside_population")
        assert second[1:] == ("outside_population", True, None)  # the CRM's field is emptied
