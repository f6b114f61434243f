"""A home holds together wherever it stands and whatever it is called: the store, MLflow and the files are in one folder."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import make_url

from features.kit.errors import UserMistake
from features.kit.settings import Settings
from models import artifact_location, registry
from models.catalog import get_model
from tests.conftest import NewRegistry
from tests.kit.scorers import make_scorer

ODD = "a b?c=d&e#f%20g%zz'ü\u4e2d"


def settings_of(home: Path) -> Settings:
    return Settings.from_env({"ACCOUNTSCORE_HOME": str(home)})


@pytest.fixture(autouse=True)
def as_in_a_new_process() -> None:
    """MLflow remembers by a run's id where its files are; a run that was copied has the id of the first."""
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory, new_registry: NewRegistry) -> Path:
    """A home of an odd name with a version."""
    home = tmp_path_factory.mktemp("homes") / ODD
    new_registry(home)
    scorer = home.parent / "scorer"
    make_scorer(scorer, n=300, boosters=[], tree_share=0.0)
    registry.log_version(settings_of(home), get_model("churn-risk"), scorer, parameters={}, metrics={})
    return home


def scorer_of(home: Path, to: Path) -> Path:
    settings = settings_of(home)
    return registry.download(settings, registry.get_version(settings, "churn-risk"), to)


def places(home: Path) -> set[str]:
    """The homes that MLflow's database names, as it writes them."""
    database = sqlite3.connect(home / "mlflow.db")
    found = {
        str(value).partition("/mlruns")[0]
        for table, column in artifact_location._COLUMNS
        for (value,) in database.execute(f"SELECT {column} FROM {table}")
        if str(value).startswith("file:")
    }
    database.close()
    return found


def test_all_is_in_the_folder_that_was_named(old: Path, tmp_path: Path) -> None:
    settings = settings_of(old)
    assert Path(str(make_url(settings.store_url).database)) == old / "store.db"
    assert registry.file_of(settings) == old / "mlflow.db"
    assert sorted(path.name for path in old.iterdir()) == [".mlflow.db.lock", "mlflow.db", "mlruns"]
    assert sorted(path.name for path in old.parent.iterdir()) == [old.name, "scorer"]
    assert (scorer_of(old, tmp_path) / "MANIFEST.json").is_file()


def test_a_url_put_together_as_text_leads_elsewhere(old: Path) -> None:
    """The sabotaged twin."""
    assert make_url(f"sqlite:///{old / 'store.db'}").database != str(old / "store.db")


def test_a_copy_uses_its_own_files(old: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(old, copy)
    before = {path for path in old.rglob("*") if path.is_file()}
    hidden = old.with_name("away")
    (old / "mlruns").rename(hidden)  # who reads there finds nothing
    try:
        assert (scorer_of(copy, tmp_path / "fetched") / "MANIFEST.json").is_file()
        version = registry.get_version(settings_of(copy), "churn-risk")
        (tmp_path / "note.txt").write_text("x")
        registry.attach(settings_of(copy), version.run_id, [tmp_path / "note.txt"])
        assert not (old / "mlruns").exists()
    finally:
        hidden.rename(old / "mlruns")
    assert len(list((copy / "mlruns").rglob("note.txt"))) == 1
    assert places(copy) == {copy.as_uri()}
    assert places(old) == {old.as_uri()}
    assert {path for path in old.rglob("*") if path.is_file()} == before


def test_without_the_guard_it_reads_in_the_old_one(old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact_location, "follow", lambda *_: None)
    copy = tmp_path / "copy"
    shutil.copytree(old, copy)
    version = registry.get_version(settings_of(copy), "churn-risk")
    (tmp_path / "stray.txt").write_text("x")
    registry.attach(settings_of(copy), version.run_id, [tmp_path / "stray.txt"])
    (stray,) = old.rglob("stray.txt")
    stray.unlink()
    assert places(copy) == {old.as_uri()}


def test_a_database_without_its_files_is_refused(old: Path, tmp_path: Path) -> None:
    shutil.copyfile(old / "mlflow.db", tmp_path / "mlflow.db")
    with pytest.raises(UserMistake, match=r"came from another home.*copy the folder"):
        registry.versions(settings_of(tmp_path), "churn-risk")


def test_a_registry_that_is_shared_by_homes_stays_as_it_is(old: Path, tmp_path: Path) -> None:
    shared = Settings.from_env(
        {"ACCOUNTSCORE_HOME": str(tmp_path), "ACCOUNTSCORE_TRACKING_URI": settings_of(old).tracking_uri}
    )
    assert registry.get_version(shared, "churn-risk").version == 1
    assert places(old) == {old.as_uri()}
