"""After an erasure no byte of it is left in any file of the home, while the API runs. Everything that can be packed is unpacked."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import zipfile
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest
from sqlalchemy import insert

from features.sources.suppression import FILE, hash_of_id
from models import registry
from models.catalog import get_model
from models.scorer.scorer import Scorer
from serving.manifest import is_whole, read_manifest
from serving.privacy import files, service
from serving.privacy import repository as privacy
from serving.store.connect import Store, open_store
from serving.store.tables import signals
from serving.store.wipe import wipe
from tests.conftest import NewRegistry
from tests.kit.databases import NewDatabase
from tests.kit.running import Home, quick_home, running_api
from tests.serving.test_store import signal_row
from tests.training.test_report import make_report
from training.report import page


def holding(home: Path, text: str) -> set[str]:
    """Files of a home in which a text stands, below the home: Parquet by column, gzip and zip unpacked. Copies of our own program,
    which MLflow keeps with a model, are not looked into."""
    found = set()
    for path in (p for p in home.rglob("*") if p.is_file() and "code" not in p.parts):
        parts = [path.read_bytes()]
        if parts[0][:2] == b"\x1f\x8b":
            parts.append(gzip.decompress(parts[0]))
        if path.suffix == ".parquet":
            parts += [repr(column.to_pylist()).encode() for column in pq.read_table(path).columns]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                parts += [packed.read(name) for name in packed.namelist()]
        if any(text.encode() in part for part in parts):
            found.add(str(path.relative_to(home)))
    return found


def kinds(found: set[str]) -> set[str]:
    """The files by what they are."""
    return {"store.db" if name.startswith("store.db") else name.split("/")[0] for name in found}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, new_registry: NewRegistry) -> Home:
    """A home with a published run, what a batch carries on, and a version whose report names three accounts, in MLflow too."""
    made = quick_home(tmp_path_factory.mktemp("home"), models=("churn-risk",))
    made.batch(made.path / "scores")
    manifest = read_manifest(made.path / "scores")
    ids = pq.read_table(made.path / "scores" / manifest["signals"]["account"]["file"])["entity_id"].to_pylist()[:3]
    scorer = made.company.parent / "churn-risk.scorer"
    missed = [{"entity_id": name, "probability": 0.01, "outcome": 1} for name in ids]
    report = make_report(Scorer.load(scorer), worst_misses=missed)
    kept = made.path / "runs" / "churn-risk" / "v1"
    kept.mkdir(parents=True)
    (kept / "report.html").write_text(page.render(get_model("churn-risk"), report, {}), encoding="utf-8")
    (kept / "report.json").write_text(json.dumps(report))
    settings = new_registry(made.path)
    reports = [kept / "report.html", kept / "report.json"]
    registry.log_version(settings, get_model("churn-risk"), scorer, parameters={}, metrics={}, files=reports)
    (made.path / "ids").write_text(" ".join(ids))
    return made


@pytest.fixture(scope="module")
def ids(home: Home) -> list[str]:
    names = (home.path / "ids").read_text().split()
    (home.path / "ids").unlink()
    return names


def test_it_is_in_no_file_while_the_api_runs(home: Home, ids: list[str]) -> None:
    victim, twin, stays = ids
    everywhere = {"store.db", "scores", "runs", "mlruns"}
    body = {"records": [{"entity_id": each} for each in ids]}
    with running_api(home) as url:
        asked = httpx.post(f"{url}/v1/churn-risk/score", json=body, headers={"idempotency-key": "k"}, timeout=60)
        assert asked.status_code == 200
        for each in ids:
            said = {"band": "low", "reason": f"canary of {each}", "author": "a", "model": "churn-risk"}
            assert httpx.put(f"{url}/v1/account/{each}/override", json=said, timeout=60).status_code == 200
            assert everywhere <= kinds(holding(home.path, each))
        post = {"content-type": "application/json"}
        done = httpx.post(f"{url}/v1/account/{victim}/erasure", headers=post, timeout=60).json()
        assert (done["found"], done["left"]) == (True, [])
        assert holding(home.path, victim) == set()
        again = httpx.post(f"{url}/v1/churn-risk/score", json=body, timeout=60).json()["results"]
        assert again[0]["no_score"]["code"] == "erased"
        # The sabotaged twin: the rows are deleted, and nothing else is done.
        store = open_store(f"sqlite:///{home.path / 'store.db'}")
        with store.write() as connection:
            privacy.erase(connection, "account", twin, 1)
        store.close()
        assert holding(home.path, twin) >= {"store.db-wal", "runs/churn-risk/v1/report.html"}
        told = home.run("serving", "privacy", "publish")
        assert (told.returncode, told.stderr) == (0, "")
        assert holding(home.path, twin) == set()
        assert everywhere <= kinds(holding(home.path, stays))
    assert hash_of_id("account", victim) in (home.path / FILE).read_text()
    scores = home.path / "scores"
    manifest = read_manifest(scores)
    assert is_whole(scores, manifest["run_id"])
    assert manifest["models"]["churn-risk"]["rows"] == manifest["signals"]["account"]["rows"]
    assert (
        json.loads((home.path / "runs/churn-risk/v1/report.json").read_text())["worst_misses"][0]["entity_id"] == stays
    )


def test_an_id_of_which_nothing_is_stored(home: Home) -> None:
    done = home.run("serving", "privacy", "erase", "account", "acc_nobody")
    assert done.returncode == 0
    assert "nothing is stored of account 'acc_nobody'" in done.stdout
    assert "privacy admit" in done.stdout


def test_a_batch_that_is_under_way_is_told_of(home: Home) -> None:
    from serving.manifest import only_one

    erased = privacy.Erased(frozenset([("account", "0" * 64)]))
    with only_one(home.path / "scores"):
        assert "a batch is going on" in files.remove_erased(home.path, erased)[0]
    assert files.remove_erased(home.path, erased) == []


class TestWipe:
    def fill(self, store: Store, name: str) -> None:
        with store.write() as connection:
            connection.execute(insert(signals), [signal_row(name, 1)])

    def erase(self, store: Store, name: str) -> None:
        with store.write() as connection:
            privacy.erase(connection, "account", name, 1)

    def test_somebody_who_reads_is_waited_for_and_then_told_of(self, store: Store, tmp_path: Path) -> None:
        self.fill(store, "victim")
        with store.read() as reader:
            reader.exec_driver_sql("SELECT count(*) FROM signals").all()
            self.erase(store, "victim")
            assert "could not be emptied" in wipe(store, 0.1)[0]
            assert holding(tmp_path, "victim")
        assert wipe(store) == []
        assert holding(tmp_path, "victim") == set()

    def test_what_an_older_version_deleted_without_overwriting_it(self, store: Store, tmp_path: Path) -> None:
        names = [f"victim-{n:04}" for n in range(400)]
        with store.write() as connection:
            connection.execute(insert(signals), [signal_row(name, 1) for name in names])
        store.close()
        old = sqlite3.connect(tmp_path / "store.db")
        old.executescript("PRAGMA user_version = 0; PRAGMA secure_delete = OFF; DELETE FROM signals;")
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        old.close()
        assert holding(tmp_path, "victim-00")
        shutil.copyfile(tmp_path / "store.db", tmp_path / "twin.sqlite")
        twin = sqlite3.connect(tmp_path / "twin.sqlite")  # without VACUUM
        twin.executescript("PRAGMA user_version = 1;")
        twin.close()
        other = open_store(f"sqlite:///{tmp_path}/twin.sqlite")
        assert wipe(other) == []
        other.close()
        assert wipe(store) == []
        assert {name for name in holding(tmp_path, "victim-00")} == {"twin.sqlite"}

    def test_postgres_says_what_its_owner_does(self, postgres: NewDatabase, tmp_path: Path) -> None:

        store = open_store(postgres())
        self.fill(store, "victim")
        done = service.erase(store, [], "account", "victim", 1, tmp_path)
        store.close()
        assert "VACUUM FULL" in done.left[0]
