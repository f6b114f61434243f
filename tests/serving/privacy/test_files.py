"""After an erasure no byte of it is left in any file of the home, while the API runs."""

from __future__ import annotations

import json

import httpx
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from features.sources.suppression import FILE, hash_of_id
from models import registry
from models.catalog import get_model
from models.scorer.scorer import Scorer
from serving.manifest import is_whole, read_manifest
from serving.privacy import files
from serving.privacy import repository as privacy
from serving.store.connect import open_store
from serving.store.tables import latest_scores, profile_terms, profiles
from tests.conftest import NewRegistry
from tests.kit.erased_bytes import holding, kinds
from tests.kit.reports import make_report
from tests.kit.running import Home, quick_home, running_api
from training.report import page


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


def profiled(home: Home, ids: list[str]) -> dict[str, str]:
    """The domain that the profile of each has; it stands in no other place than what is made of profiles."""
    store = open_store(f"sqlite:///{home.path / 'store.db'}")
    with store.read() as connection:
        asked = select(profiles.c.entity_id, profiles.c.domain).where(profiles.c.entity_id.in_(ids))
        found = {row.entity_id: row.domain for row in connection.execute(asked)}
        for table in (profile_terms, latest_scores):
            there = connection.execute(select(table.c.entity_id).where(table.c.entity_id.in_(ids))).scalars()
            assert {*there} == found.keys()
    store.close()
    return found


def test_an_erased_id_is_in_no_file_while_the_api_runs(home: Home, ids: list[str]) -> None:
    victim, twin, stays = ids
    everywhere = {"store.db", "scores", "runs", "mlruns"}
    body = {"records": [{"entity_id": each} for each in ids]}
    domains = profiled(home, ids)
    assert len({*domains.values()}) == 3
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
        assert profiled(home, ids).keys() == {twin, stays}
        assert holding(home.path, domains[victim]) == set()
        assert httpx.get(f"{url}/v1/account/{victim}", timeout=60).status_code == 404
        again = httpx.post(f"{url}/v1/churn-risk/score", json=body, timeout=60).json()["results"]
        assert again[0]["no_score"]["code"] == "erased"
        # The sabotaged twin: the rows are deleted, and nothing else is done.
        store = open_store(f"sqlite:///{home.path / 'store.db'}")
        with store.write() as connection:
            privacy.erase(connection, "account", twin, 1)
        store.close()
        assert holding(home.path, twin) >= {"store.db-wal", "runs/churn-risk/v1/report.html"}
        assert kinds(holding(home.path, domains[twin])) == {"store.db"}
        told = home.run("serving", "privacy", "publish")
        assert (told.returncode, told.stderr) == (0, "")
        assert holding(home.path, twin) == holding(home.path, domains[twin]) == set()
        assert kinds(holding(home.path, domains[stays])) == {"store.db"}
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


def test_a_running_batch_is_reported(home: Home) -> None:
    from serving.manifest import only_one

    erased = privacy.Erased(frozenset([("account", "0" * 64)]))
    with only_one(home.path / "scores"):
        assert "a batch is going on" in files.remove_erased(home.path, erased)[0]
    assert files.remove_erased(home.path, erased) == []
