"""A model that is for a part of the accounts: who gets a score is kept per model, and every door says so."""

from __future__ import annotations

import datetime as dt
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from msgspec import UNSET
from sqlalchemy import insert, select

from features.kit.clock import make_clock, to_us
from features.kit.errors import BadInput
from features.kit.settings import Settings
from features.outcomes.expansion import EXPANSION
from features.simulate import simulate
from features.sources.loader import open_source
from models import registry
from models.catalog import get_model
from models.champion_pointer import Pointer
from models.population import EVERYBODY, Population, where
from models.scorer.artefact_schema import VerdictSpec
from models.scorer.writer import Origin
from serving.backup import backup as backups
from serving.batch.call_list import read_top, top_table
from serving.champion import Champion, Champions
from serving.connections.config import ConnectionConfig, Mapped
from serving.export.published_run import PublishedRun
from serving.inbox import repository as inbox
from serving.manifest import read_manifest, read_scores
from serving.privacy import repository as privacy
from serving.scorer_cache import KeptScorers
from serving.scoring import repository as stored
from serving.scoring.columns import eligibility_of, require_populations, stored_rows
from serving.scoring.repository import StoredSignals
from serving.scoring.request_parser import parse
from serving.scoring.rows import signal_rows
from serving.scoring.service import Terms, score
from serving.store.connect import Store, open_store
from serving.store.deletions import forget_scores
from serving.store.migrate import migrate
from serving.store.tables import decisions, eligibilities, signals, writebacks
from serving.vendors.inbound import Event
from serving.vendors.outbound import Target, WriteBack
from serving.worker.loop import Worker
from tests.kit.company import all_but, make_source
from tests.kit.databases import DATABASES, store_url
from tests.kit.running import AS_OF, END, Home, running_api
from tests.kit.scorers import make_scorer
from tests.kit.stores import new_store
from training import export
from training.fit import directions
from training.learn import LearnSettings, learn
from training.promote import GATES, PASSED, promote
from training.training_set import labelled_panel

NOW = dt.datetime(2026, 3, 1, 6, tzinfo=dt.UTC)
NOW_US = to_us(NOW)
PRO = where("plan").is_in("pro")
OTHERS = where("industry").not_in("software")


def champion_of(folder: Path, population: Population, **more: Any) -> Champion:
    definition = replace(get_model("churn-risk"), population=population, **more)
    scorer = make_scorer(folder, definition=definition, n=600)
    return Champion(definition, Pointer("churn-risk", 3, scorer.sha256, Path(), "2026-01-01"), scorer)


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Champion:
    """It reads the plan for its population, and not as an input."""
    return champion_of(tmp_path_factory.mktemp("scorer") / "pro", PRO)


@pytest.fixture(scope="module")
def for_all(tmp_path_factory: pytest.TempPathFactory) -> Champion:
    return champion_of(tmp_path_factory.mktemp("scorer") / "all", EVERYBODY)


def kept(plan: str | None, usual: str = "eligible", own: str | None = None) -> dict[str, StoredSignals]:
    values = {"number_0": 1.5, "word_0": "beta", "plan": plan}
    return {"acme": StoredSignals(NOW_US, usual, 1000.0, values, None, own)}


def code(champion: Champion, body: str, rows: dict[str, StoredSignals] | None = None) -> tuple[str | None, str]:
    records, reasons = parse(body.encode())
    answer = score(champion, records, reasons, rows or {}, Terms(NOW_US)).answer
    if answer.errors:
        return answer.errors[0].code, str(answer.errors[0].faults[0].found)
    (result,) = answer.results
    assert (result.probability is UNSET) == (result.no_score is not UNSET)
    return (None, "") if result.no_score is UNSET else (result.no_score.code, result.no_score.detail)


class TestAnswer:
    ASK = '{"records": [{"entity_id": "acme"}]}'

    def test_by_what_is_stored(self, champion: Champion, for_all: Champion) -> None:
        assert code(champion, self.ASK, kept("pro"))[0] is None
        outside = ("outside_population", "The model is for those of whom plan is pro.")
        assert code(champion, self.ASK, kept("free")) == outside
        assert code(champion, self.ASK, kept(None)) == (outside[0], outside[1][:-1] + "; plan is not known.")
        assert code(for_all, self.ASK, kept("free"))[0] is None  # the twin: for everybody

    def test_what_the_outcome_says_goes_first(self, champion: Champion) -> None:
        assert code(champion, self.ASK, kept("free", "not_customer"))[0] == "not_customer"
        assert code(champion, self.ASK, kept("free", "eligible", "already_leaving"))[0] == "already_leaving"

    def test_a_version_put_live_since_is_for_others(self, champion: Champion, for_all: Champion) -> None:
        """What was stored for another version's population does not hold for this one."""
        assert code(champion, self.ASK, kept("pro", own="outside_population"))[0] is None
        assert code(champion, self.ASK, kept("free", own="eligible"))[0] == "outside_population"
        assert code(for_all, self.ASK, kept("free", own="outside_population"))[0] is None

    def test_by_what_a_request_lays_over_it(self, champion: Champion) -> None:
        ask = '{"records": [{"entity_id": "acme", "signals": {"plan": "%s"}}]}'
        assert code(champion, ask % "pro", kept("free"))[0] is None
        assert code(champion, ask % "free", kept("pro"))[0] == "outside_population"

    def test_by_what_a_request_brings(self, champion: Champion, for_all: Champion) -> None:
        ask = '{"records": [{"signals": {"number_0": 1.0%s}}]}'
        assert code(champion, ask % ', "plan": "pro"')[0] is None
        assert code(champion, ask % ', "plan": "free"')[0] == "outside_population"
        assert code(champion, ask % "") == (
            "outside_population", "The model is for those of whom plan is pro; plan is not known.",
        )  # fmt: skip
        # The twin: a signal that neither the scorer nor its population reads is still a fault.
        assert code(for_all, ask % ', "plan": "pro"') == ("bad_signals", "no such signal")
        assert code(champion, ask % ', "plam": "pro"') == ("bad_signals", "no such signal")

    def test_a_value_of_the_wrong_type_is_a_fault(self, champion: Champion) -> None:
        body = '{"records": [{"signals": {"number_0": 1.0, "plan": 3}}]}'
        assert code(champion, body) == ("bad_signals", "a number")

    def test_another_outcome_is_never_told_by_the_usual_one(self, tmp_path: Path) -> None:
        other = champion_of(tmp_path / "s", EVERYBODY, outcome=EXPANSION)
        assert code(other, self.ASK, kept("pro"))[0] == "unknown_entity"
        assert code(other, self.ASK, kept("pro", "not_customer", own="eligible"))[0] is None


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

    def test_each_model_has_its_own(self, store: Store) -> None:
        self.put(store, churn_risk="outside_population", expansion="eligible")
        assert (self.own(store), self.own(store, "expansion"), self.own(store, "other")) == (
            "outside_population", "eligible", None,
        )  # fmt: skip

    def test_a_newer_one_takes_its_place_and_an_older_one_does_not(self, store: Store) -> None:
        self.put(store, churn_risk="eligible")
        self.put(store, at=NOW - dt.timedelta(days=1), churn_risk="not_customer")
        assert self.own(store) == "eligible"

    def test_one_of_another_moment_is_not_that_of_these_signals(self, store: Store) -> None:
        """A model that was not live when the newest signals were computed has none."""
        self.put(store, at=NOW - dt.timedelta(days=1), churn_risk="not_customer")
        self.put(store)
        assert self.own(store) is None

    def test_erasing_and_deleting_leave_none(self, store: Store) -> None:
        for name in ("acme", "gone", "stays"):
            self.put(store, name, churn_risk="eligible", expansion="eligible")
        with store.write() as connection:
            done = privacy.erase(connection, "account", "acme", 1)
            forget_scores(connection, "account", ["gone"])
        assert done["eligibilities"] == 2
        assert self.rows(store) == [("stays", "churn-risk"), ("stays", "expansion")]
        self.put(store, churn_risk="eligible")  # what was erased stays away
        assert ("acme", "churn-risk") not in self.rows(store)

    def test_what_is_for_a_moment_after_the_clock_makes_way(self, store: Store) -> None:
        with store.write() as connection:
            row = stored.eligibility_row("churn-risk", "account", "acme", NOW + dt.timedelta(days=9), "not_customer")
            connection.execute(insert(eligibilities), [row])
        self.put(store, churn_risk="eligible")
        assert self.own(store) == "eligible"

    def test_a_backup_has_them(self, store: Store, tmp_path: Path) -> None:
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
        assert code(champion, TestAnswer.ASK, found)[0] is None
        assert code(champion, TestAnswer.ASK.replace("acme", "left"), found)[0] == "not_customer"
        old.close()


class TestPanel:
    def test_the_source_must_still_tell_it(self, champion: Champion) -> None:
        panel = pa.table({"entity_id": ["a"], "eligibility": ["eligible"], "value": [1.0]})
        with pytest.raises(
            BadInput,
            match=r"field population, plan: the source does not offer the signal. Rule: version 3 is for those of whom plan is pro",
        ):
            eligibility_of(champion, panel)

    def test_it_is_asked_before_anything_is_scored(self, champion: Champion, for_all: Champion, tmp_path: Path) -> None:
        rows = [{"account_id": name, "event_time": NOW - dt.timedelta(days=9), "industry": "retail"} for name in "ab"]
        source = make_source(tmp_path, {"accounts": rows})
        lead = replace(champion, definition=get_model("lead-fit"))
        require_populations(source, [for_all, lead])  # the twins: for everybody; of an entity that is not there
        with pytest.raises(
            BadInput, match=r"for the live models: 1 fault\n.*models/churn_risk.py, field population, plan"
        ):
            require_populations(source, [for_all, champion, lead])

    def test_signals_and_who_gets_a_score_are_kept_together(self, champion: Champion, for_all: Champion) -> None:
        columns = {
            "entity_id": ["a", "b", "c"],
            "eligibility": ["eligible", "eligible", "internal"],
            "value": [1.0] * 3,
        }
        panel = pa.table({**columns, "plan": ["pro", None, "pro"]})
        other = replace(for_all, definition=replace(for_all.definition, name="other"))
        rows, own = stored_rows(panel, signal_rows(panel), NOW, [champion, other], "run")
        assert [row["eligibility"] for row in rows] == columns["eligibility"]
        assert [(r["model"], r["entity_id"], r["code"]) for r in own] == [
            ("churn-risk", "a", "eligible"), ("churn-risk", "b", "outside_population"), ("churn-risk", "c", "internal"),
            ("other", "a", "eligible"), ("other", "b", "eligible"), ("other", "c", "internal"),
        ]  # fmt: skip


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own
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
    def test_the_run_leaves_the_others_out_and_counts_them(self, home: Home, night: Path) -> None:
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

    def test_the_store_keeps_it_with_the_signals(self, home: Home, night: Path) -> None:
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
    def test_a_change_takes_an_account_in_and_out(self, home: Home, night: Path, tmp_path: Path) -> None:
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
