"""Why a score moved, by the batch and by the worker: nothing happened means data 0, and what happened moves data of those alone whom
it happened to."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.kit.clock import to_us
from features.panel.build import build_panel
from features.signals.catalog import definitions
from features.sources.overlay import overlay
from features.sources.source import Source
from features.sources.suppression import Suppressed, hash_of_id
from models import champion_pointer
from serving.batch import between
from serving.batch import run as running
from serving.batch.run import Options
from serving.champion import Champions
from serving.decisions import repository as history
from serving.errors import NotFound
from serving.manifest import read_scores
from serving.score_change.schemas import ChangeAnswer
from serving.score_change.service import change
from serving.scorer_cache import KeptScorers
from serving.store.connect import Store
from serving.store.tables import decisions, removals
from serving.worker import score_dirty as worker
from serving.worker.score_dirty import Round, score_round
from tests.kit.company import at, make_source
from tests.kit.scorers import WORDS, make_scorer
from tests.kit.stores import new_store

THEN, NOW = at("2024-06-10"), at("2024-06-17")
DAY = dt.timedelta(days=1)
NAMES = {
    "account": [
        "account_age_days",
        "days_since_usage",
        "events_28d",
        "active_users_84d",
        "days_to_renewal",
        "employees",
        "industry",
        "region",
    ],
    "lead": [
        "lead_age_days",
        "inbound_touches_28d",
        "days_since_inbound",
        "intent_decayed",
        "company_contacts_known",
        "company_is_customer",
        "channel",
        "seniority",
    ],
}
MODEL = {"account": "churn-risk", "lead": "lead-fit"}
Tables = dict[str, list[dict[str, Any]]]


def company() -> Tables:
    """30 customers and 30 open leads, half of these at a company that is none yet; what they did ends before `THEN`, but for a renewal that
    was agreed on ahead."""
    rng = random.Random(4)
    tables: Tables = {name: [] for name in ("accounts", "subscriptions", "usage", "contacts", "leads", "touches")}

    def before(days: float) -> dt.datetime:
        return THEN - dt.timedelta(days=rng.uniform(0.01, days))

    for n in range(30):
        account, lead = {"account_id": f"a{n:02}"}, {"lead_id": f"l{n:02}"}
        firm = {"employees": rng.randrange(5, 500), "industry": rng.choice(WORDS), "region": rng.choice(WORDS)}
        tables["accounts"].append({**account, **firm, "event_time": before(400) - 100 * DAY})
        contract = {**account, "subscription_id": f"s{n:02}", "status": "active", "mrr": 100.0}
        ends = {"term_end": THEN + dt.timedelta(days=rng.uniform(-30, 90))}
        tables["subscriptions"].append({**contract, **ends, "event_time": THEN - 90 * DAY})
        for _ in range(rng.randrange(40)):
            tables["usage"].append({**account, "user_id": f"u{rng.randrange(5)}", "event_time": before(120)})
        for person in range(rng.randrange(3)):
            tables["contacts"].append(
                {"account_id": f"c{n:02}", "contact_id": f"c{n:02}p{person}", "event_time": before(50)}
            )
        tables["accounts"].append({"account_id": f"c{n:02}", "event_time": before(90)})
        of_company = {"account_id": f"c{n:02}" if n % 2 else None, "channel": rng.choice(WORDS)}
        tables["leads"].append({**lead, **of_company, "status": "open", "event_time": before(90)})
        for _ in range(rng.randrange(8)):
            kind = rng.choice(["email_open", "demo_request", "web_visit"])
            tables["touches"].append({**lead, "kind": kind, "direction": "in", "event_time": before(60)})
    agreed = {"known_time": THEN - 5 * DAY, "event_time": THEN + 3 * DAY, "term_end": THEN + 365 * DAY}
    tables["subscriptions"].append({**tables["subscriptions"][3], **agreed})
    return tables


def with_rows(**more: list[dict[str, Any]]) -> Tables:
    tables = company()
    for name, rows in more.items():
        tables[name] += rows
    return tables


def edited(table: str, key: str, name: str, **columns: Any) -> Tables:
    """A row changed in place, without a word about when."""
    tables = company()
    tables[table] = [row | columns if row[key] == name else row for row in tables[table]]
    return tables


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("causes")
    source = make_source(folder / "company", company())
    for seed, (entity, names) in enumerate(NAMES.items()):
        panel = build_panel(source, entity, [THEN, NOW], only=names)  # type: ignore[arg-type]
        rng = np.random.default_rng(seed)
        x = np.hstack([panel[n].to_numpy().astype(float)[:, None] for n in names[:6]])
        x = np.tile(np.hstack([x, rng.integers(0, len(WORDS), (len(x), 2))]), (8, 1))
        y = (np.nan_to_num(x[:, 1]) + rng.normal(scale=5, size=len(x)) > np.nanmedian(x[:, 1])).astype(float)
        known = {d.signal.name: d.signal for d in definitions(entity)}  # type: ignore[arg-type]
        put_live(folder, folder / entity, MODEL[entity], 1, signals=[known[n] for n in names], rows=(x, y))
    return folder


def put_live(home: Path, folder: Path, model: str, version: int, **more: Any) -> None:
    make_scorer(folder, model, **more)
    with champion_pointer.locked(home, model):
        champion_pointer.put_live(home, model, folder, version)


@pytest.fixture(autouse=True)
def few_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Panels of what the scorers read: a panel takes as long as it has columns. The carried state is tested where it is made."""

    def parts(
        source: Source,
        entity: str,
        as_of: Any,
        rows: int,
        _engine: str,
        _carried: Any,
        known: Any,
        ids: Any,
        _outcomes: Any,
    ) -> Iterator[pa.Table]:
        panel = build_panel(source, entity, [as_of], only=NAMES[entity], known_before=known, ids=ids)  # type: ignore[arg-type]
        return (panel.slice(start, rows) for start in range(0, max(panel.num_rows, 1), rows))

    def panel(source: Source, entity: str, as_ofs: Any, **more: Any) -> pa.Table:
        return build_panel(source, entity, as_ofs, **{"only": NAMES[entity], **more})  # type: ignore[arg-type]

    monkeypatch.setattr(running, "panel_parts", parts)
    monkeypatch.setattr(worker, "build_panel", panel)
    monkeypatch.setattr(between, "build_panel", panel)


Batch = Callable[..., None]
Work = Callable[..., None]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first night leaves is kept here, of each kind: nobody was scored before, and it is the same in all tests."""
    return tmp_path_factory.mktemp("first")


def put_first(kept: Path, store: Store, out: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(kept / "store.db")) as one,
        contextlib.closing(sqlite3.connect(store.engine.url.database or "")) as other,
    ):
        one.backup(other)
    if (kept / "out").exists():
        shutil.copytree(kept / "out", out)


@pytest.fixture
def batch(home: Path, store: Store, tmp_path: Path, first: Path) -> Batch:
    def night(source: Source, as_of: dt.datetime, store: Store, out: Path) -> None:
        champions = Champions(home)
        champions.refresh()
        options = Options(chunk_rows=11)
        running.run(source, as_of, out, champions, store, lambda: as_of, kept_scorers(home), options)

    # Before the test, which may sabotage the next one.
    kept = first / "batch"
    if not kept.exists():
        with contextlib.closing(new_store(kept)) as empty:
            night(make_source(first / "company", company()), THEN, empty, kept / "out")

    def run(tables: Tables, as_of: dt.datetime = NOW, sabotaged: bool = False) -> None:
        if as_of == THEN and tables == company() and not sabotaged:
            put_first(kept, store, tmp_path / "out")
        else:
            night(make_source(tmp_path / f"{as_of:%d}" / "company", tables), as_of, store, tmp_path / "out")

    return run


@pytest.fixture
def work(home: Path, store: Store, tmp_path: Path, first: Path) -> Work:
    def score(source: Source, as_of: dt.datetime, store: Store, ids: dict[str, list[str]]) -> None:
        champions = Champions(home)
        champions.refresh()
        wanted = ids or {"account": [f"a{n:02}" for n in range(30)], "lead": [f"l{n:02}" for n in range(30)]}
        found = Round({(entity, name): -1 for entity, names in wanted.items() for name in names}, 0, 0)
        score_round(store, source, "company", [], found, champions, lambda: as_of)

    kept = first / "work"
    if not kept.exists():
        with contextlib.closing(new_store(kept)) as empty:
            score(make_source(first / "company", company()), THEN, empty, {})

    def run(tables: Tables | Source, as_of: dt.datetime = NOW, **ids: list[str]) -> None:
        if as_of == THEN and tables == company() and not ids:
            put_first(kept, store, tmp_path / "out")
            return
        source = tables if isinstance(tables, Source) else make_source(tmp_path / f"w{as_of:%d}" / "company", tables)
        score(source, as_of, store, ids)

    return run


@functools.cache
def kept_scorers(home: Path) -> KeptScorers:
    """Verified once: loading a scorer takes longer than a change."""
    return KeptScorers(home)


def told(home: Path, store: Store, entity: str, until: dt.datetime = NOW) -> dict[str, ChangeAnswer]:
    """What `/change` says of everybody."""
    found, scorers = {}, kept_scorers(home)
    for n in range(30):
        name = f"{entity[0]}{n:02}"
        try:
            answer = change(store, scorers, MODEL[entity], entity, name, None, to_us(until), to_us(until))
        except NotFound:  # it has no two scores
            continue
        parts = {**{"data": 0.0, "time": 0.0, "unsplit": 0.0}, **_given(answer)}
        assert sum(parts.values()) == pytest.approx(answer.log_odds, abs=1e-12)
        for part in ("data", "time"):
            assert sum(s.effect for s in answer.signals if s.part == part) == pytest.approx(parts[part], abs=1e-12)
        found[name] = answer
    return found


def _given(answer: ChangeAnswer) -> dict[str, float]:
    names = ("data", "time", "unsplit", "version")
    return {n: v for n in names if isinstance(v := getattr(answer.parts, n), float)}


def moved_by_data(answers: Mapping[str, ChangeAnswer]) -> set[str]:
    assert len(answers) > 20
    assert {answer.split for answer in answers.values()} == {"recorded"}
    assert any(answer.parts.time for answer in answers.values())
    return {name for name, answer in answers.items() if answer.parts.data}


def from_then(home: Path, tables: Tables, folder: Path, entity: str) -> dict[str, dict[str, Any]]:
    """The definition: the panel at `NOW` of a source that was told nothing since `THEN`."""
    old = {name: [r for r in rows if (r.get("known_time") or r["event_time"]) < THEN] for name, rows in tables.items()}
    panel = build_panel(make_source(folder, old), entity, [NOW], only=NAMES[entity])  # type: ignore[arg-type]
    return {row["entity_id"]: row for row in panel.to_pylist()}


LEARNT = with_rows(
    usage=[
        {"account_id": "a07", "user_id": "new", "event_time": NOW - DAY},
        {"account_id": "a08", "user_id": "late", "event_time": THEN - DAY, "known_time": THEN + DAY},
    ],
    contacts=[{"account_id": "c09", "contact_id": "new", "event_time": THEN + DAY}],
    touches=[{"lead_id": "l04", "kind": "demo_request", "direction": "in", "event_time": THEN + DAY}],
    subscriptions=[company()["subscriptions"][5] | {"event_time": THEN + DAY, "term_end": NOW + 300 * DAY}],
)
"""An event, a late one, a person at a company with a lead, a touch of a lead, and a renewal ..."""
LEARNT_OF = {"account": {"a05", "a07", "a08"}, "lead": {"l04", "l09"}}


def restated() -> Tables:
    """A row changed in place, and events that were loaded again with other times: nobody says when."""
    tables = edited("accounts", "account_id", "a10", employees=2)
    tables["usage"] = [
        row | {"event_time": row["event_time"] - 20 * DAY} if row["account_id"] == "a11" else row
        for row in tables["usage"]
    ]
    return tables


class TestBatch:
    def test_without_new_rows_data_is_zero(self, batch: Batch, home: Path, store: Store, tmp_path: Path) -> None:
        batch(company(), THEN)
        batch(company())
        for entity, model in MODEL.items():
            assert moved_by_data(told(home, store, entity)) == set()
            rows = [row for row in read_scores(tmp_path / "out", model).to_pylist() if row["change"]]
            assert len(rows) > 20
            assert {row["change"]["data"] for row in rows} == {0}
            assert any(row["change"]["time"] for row in rows)
        agreed = [s for s in told(home, store, "account")["a03"].signals if s.signal == "days_to_renewal"]
        assert [(s.part, s.after) for s in agreed] == [("time", 358.0)], "a renewal that was agreed on ahead"

    @pytest.mark.parametrize(
        ("tables", "of"), [(LEARNT, LEARNT_OF), (restated(), {"account": {"a10", "a11"}, "lead": set()})]
    )
    def test_only_entities_with_new_data_have_a_data_part(
        self, batch: Batch, home: Path, store: Store, tables: Tables, of: dict[str, set[str]], tmp_path: Path
    ) -> None:
        batch(company(), THEN)
        batch(tables)
        for entity, expected in of.items():
            assert moved_by_data(told(home, store, entity)) == expected
            points = {r["entity_id"]: r["change"] for r in read_scores(tmp_path / "out", MODEL[entity]).to_pylist()}
            assert {name for name, change in points.items() if change and change["data"]} <= expected

    def test_time_is_what_a_source_without_the_new_rows_gives(
        self, batch: Batch, home: Path, store: Store, tmp_path: Path
    ) -> None:
        """Much happened; time is what a source that was told nothing of it gives."""
        rng, tables = random.Random(1), company()
        since = {
            n: [r | {"event_time": THEN + rng.uniform(0, 7) * DAY} for r in tables[n][::3]]
            for n in ("usage", "touches")
        }
        tables = with_rows(**since)
        batch(company(), THEN)
        batch(tables)
        for entity, model in MODEL.items():
            scorer, answers = kept_scorers(home), told(home, store, entity)
            assert len(moved_by_data(answers)) > 5
            expected = from_then(home, tables, tmp_path / entity, entity)
            for name, answer in answers.items():
                own = scorer.get(model, answer.after.scorer.removeprefix("sha256:"))
                x, _, _ = own.encode_records([{n: expected[name][n] for n in NAMES[entity]}])
                aged = float(own.log_odds(x)[0])
                assert answer.parts.time == pytest.approx(aged - answer.before.log_odds, abs=1e-12)

    @pytest.mark.slow
    def test_the_twin_that_ignores_known_times_is_seen(
        self, batch: Batch, home: Path, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: the old rows are those of today, so that all is time."""
        parts: Any = running.panel_parts  # type: ignore[attr-defined]
        monkeypatch.setattr(running, "panel_parts", lambda *given: parts(*given[:6], None, *given[7:]))
        batch(company(), THEN)
        batch(LEARNT)
        assert moved_by_data(told(home, store, "account")) == set()

    @pytest.mark.slow
    def test_the_twin_that_ignores_edited_rows_is_seen(
        self, batch: Batch, home: Path, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: the edit is told as the passing of time."""
        monkeypatch.setattr(running, "sums", lambda *_: {})
        batch(company(), THEN, sabotaged=True)
        batch(restated())
        assert moved_by_data(told(home, store, "account")) == set()

    def test_a_merge_is_data_of_the_one_that_remains(
        self, batch: Batch, home: Path, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        batch(company(), THEN)
        gone = Suppressed(sources={"company": {"account": {hash_of_id("account", "a20"): "a21"}}})
        monkeypatch.setenv("ACCOUNTSCORE_HOME", str(tmp_path / "home"))
        (tmp_path / "home").mkdir()
        gone.save(tmp_path / "home")
        batch(company())
        answers = told(home, store, "account")
        assert moved_by_data({n: a for n, a in answers.items() if n != "a20"}) == {"a21"}

    def test_a_first_score_has_no_causes(self, batch: Batch, store: Store, tmp_path: Path) -> None:
        new = [company()["accounts"][0] | {"account_id": "new", "event_time": THEN + DAY}]
        contract = [
            company()["subscriptions"][0] | {"account_id": "new", "subscription_id": "n", "event_time": THEN + DAY}
        ]
        batch(company(), THEN)
        assert read_scores(tmp_path / "out", "churn-risk")["change"].null_count == 60
        batch(with_rows(accounts=new, subscriptions=contract))
        rows = {row["entity_id"]: row for row in read_scores(tmp_path / "out", "churn-risk").to_pylist()}
        assert rows["new"]["probability"] is not None
        assert rows["new"]["change"] is rows["new"]["change_texts"] is None

    def test_a_score_whose_rows_were_redated_is_not_split(
        self, batch: Batch, home: Path, store: Store, tmp_path: Path
    ) -> None:
        """By the source of today it was not there yet when it was scored."""
        batch(company(), THEN)
        batch(edited("accounts", "account_id", "a12", event_time=THEN + DAY))
        answers = told(home, store, "account")
        assert {name for name, answer in answers.items() if answer.split != "recorded"} == {"a12"}
        rows = {row["entity_id"]: row for row in read_scores(tmp_path / "out", "churn-risk").to_pylist()}
        assert rows["a12"]["change"] is None
        assert rows["a12"]["previous_score"] is not None


class TestWorker:
    def test_without_new_rows_data_is_zero(self, work: Work, home: Path, store: Store) -> None:
        work(company(), THEN)
        work(company())
        for entity in MODEL:
            assert moved_by_data(told(home, store, entity)) == set()

    def test_only_entities_with_new_data_have_a_data_part(self, work: Work, home: Path, store: Store) -> None:
        work(company(), THEN)
        work(LEARNT)
        for entity, expected in LEARNT_OF.items():
            assert moved_by_data(told(home, store, entity)) == expected

    def test_a_crm_told_of_a_change(self, work: Work, home: Path, store: Store, tmp_path: Path) -> None:
        source = make_source(tmp_path / "company", company())
        news = {"account_id": "a10", "employees": 2, "event_time": THEN + DAY, "known_time": THEN + DAY}
        work(source, THEN)
        work(overlay(source, "accounts", [news]))
        assert moved_by_data(told(home, store, "account")) == {"a10"}

    def test_scores_of_different_moments(self, work: Work, home: Path, store: Store) -> None:
        """Each is compared with its own last score, in one round."""
        event = {"account_id": "a02", "user_id": "new", "event_time": THEN + 2 * DAY}
        other = {"account_id": "a05", "user_id": "new", "event_time": THEN + 2 * DAY}
        tables = with_rows(usage=[event, other])
        work(tables, THEN)
        work(tables, THEN + 4 * DAY, account=["a02", "a03", "a04"])
        work(tables)
        assert moved_by_data(told(home, store, "account")) == {"a05"}, "what happened to a02 was told before"
        assert moved_by_data_of(told(home, store, "account", THEN + 4 * DAY)) == {"a02"}

    def test_a_merge_is_data_of_the_one_that_remains(
        self, work: Work, home: Path, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        work(company(), THEN)
        merged = company()
        for name in ("usage", "contacts", "subscriptions"):
            merged[name] = [r | {"account_id": "a21"} if r["account_id"] == "a20" else r for r in merged[name]]
        row = {
            "source": "company",
            "entity": "account",
            "id_hash": hash_of_id("account", "a20"),
            "state": "merged",
            "into": "a21",
        }
        with store.write() as connection:
            connection.execute(removals.insert().values(**row, occurred_at=to_us(THEN + DAY)))
        work(merged)
        assert moved_by_data(told(home, store, "account")) - {"a20"} == {"a21"}

    def test_the_twin_that_takes_a_merge_for_time_is_seen(
        self, work: Work, home: Path, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """The sabotaged twin: nobody asks who was merged."""
        monkeypatch.setattr(worker, "merged_into", lambda *_: set())
        with pytest.raises(AssertionError):
            self.test_a_merge_is_data_of_the_one_that_remains(work, home, store, monkeypatch, tmp_path)


def moved_by_data_of(answers: Mapping[str, ChangeAnswer]) -> set[str]:
    return {name for name, answer in answers.items() if answer.parts.data}


class TestBoth:
    def test_the_batch_explains_the_change_since_the_worker_too(
        self, batch: Batch, work: Work, home: Path, store: Store
    ) -> None:
        """An event between the night and the worker's score is no data of the next night's."""
        tables = with_rows(usage=[{"account_id": "a02", "user_id": "new", "event_time": THEN + 2 * DAY}])
        source_then = company()
        batch(source_then, THEN)
        work(tables, THEN + 4 * DAY, account=["a02", "a03"])
        batch(tables)
        answers = told(home, store, "account")
        assert moved_by_data(answers) == set()
        assert {answers[n].before.as_of for n in ("a02", "a03")} == {"2024-06-14T00:00:00Z"}
        since_then = change(store, kept_scorers(home), "churn-risk", "account", "a02", to_us(THEN), None, to_us(NOW))
        assert since_then.split == "recorded"
        assert since_then.parts.data != 0

    def test_a_new_version_is_a_cause_of_its_own(self, batch: Batch, home: Path, store: Store, tmp_path: Path) -> None:
        batch(company(), THEN)
        try:
            names = {d.signal.name: d.signal for d in definitions("account")}
            put_live(home, tmp_path / "second", "churn-risk", 2, signals=[names[n] for n in NAMES["account"]], seed=9)
            batch(LEARNT)
            answers = told(home, store, "account")
            assert moved_by_data(answers) == LEARNT_OF["account"]
            assert all(answer.parts.version for answer in answers.values())
        finally:
            with champion_pointer.locked(home, "churn-risk"):
                champion_pointer.put_live(home, "churn-risk", home / "account", 1)


class TestOlderRecords:
    def test_older_records_are_not_split(self, batch: Batch, home: Path, store: Store) -> None:
        batch(company(), THEN)
        batch(company())
        with store.write() as connection:
            connection.execute(decisions.update().values(old_rows=None))
        answers = told(home, store, "account")
        assert {answer.split for answer in answers.values()} == {"not_recorded"}
        assert all(_given(answer).keys() == {"unsplit", "version"} for answer in answers.values())

    def test_an_answer_from_the_store_is_split_as_the_score_that_it_repeats(
        self, batch: Batch, home: Path, store: Store
    ) -> None:
        batch(company(), THEN)
        batch(LEARNT)
        first = told(home, store, "account")["a07"]
        record = history.one(store, first.after.id)
        assert record is not None
        asked = {**{k: v for k, v in record.items() if k != "id"}, "cause": "request", "run_id": None, "old_rows": None}
        with store.write() as connection:
            history.put(connection, [asked])
        second = told(home, store, "account")["a07"]
        assert second.after.id != first.after.id
        assert (second.parts, second.signals) == (first.parts, first.signals)
