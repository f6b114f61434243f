"""What is erased, deleted or merged in the store is so for the next batch and the next training, whatever the files still say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sqlalchemy import insert

from features.sources.loader import open_source
from features.sources.suppression import FILE, hash_of_id
from models.catalog import get_model
from serving.manifest import read_manifest
from serving.privacy import repository as privacy
from serving.privacy import suppression_export
from serving.store.connect import Store, open_store
from serving.store.deletions import source_key
from serving.store.tables import removals
from tests.conftest import NewHome
from tests.kit.running import Home
from tests.kit.stores import new_store
from training.training_set import labelled_panel

pytestmark = pytest.mark.both_databases


def remove(store: Store, *rows: tuple[str, str, str | None], source: str = "sample") -> None:
    with store.write() as connection:
        for entity_id, state, into in rows:
            row = {"source": source_key(source), "entity": "account", "occurred_at": 1, "state": state}
            connection.execute(insert(removals).values(**row, id_hash=hash_of_id("account", entity_id), into=into))


class TestWhatIsTold:
    def told(self, store: Store, source: str = "sample") -> dict[str, Any]:
        return dict(suppression_export.read(store).of(source).get("account", {}))

    def test_deleted_merged_and_brought_back(self, store: Store) -> None:
        remove(store, ("d", "deleted", None), ("m", "merged", "x"), ("p", "present", None))
        assert self.told(store) == {hash_of_id("account", "d"): None, hash_of_id("account", "m"): "x"}
        assert self.told(store, "another") == {}

    def test_merged_again_and_again(self, store: Store) -> None:
        remove(store, ("a", "merged", "b"), ("b", "merged", "c"), ("c", "present", None), ("e", "merged", "f"))
        remove(store, ("f", "deleted", None), ("g", "merged", "h"), ("h", "merged", "g"))
        remains = {"a": "c", "b": "c", "e": None, "f": None, "g": None, "h": None}
        assert self.told(store) == {hash_of_id("account", name): into for name, into in remains.items()}

    def test_merged_into_one_that_was_erased(self, store: Store) -> None:
        remove(store, ("a", "merged", "b"))
        with store.write() as connection:
            privacy.erase(connection, "account", "b", 1)
        assert self.told(store) == {hash_of_id("account", "a"): None, hash_of_id("account", "b"): None}
        assert '"b"' not in json.dumps(self.told(store))

    def test_a_source_given_by_its_folder(self, store: Store) -> None:
        remove(store, ("d", "deleted", None), source="/srv/crm/company")
        assert self.told(store, "company") == {hash_of_id("account", "d"): None}

    def test_publishing_again_touches_nothing(self, store: Store, tmp_path: Path) -> None:
        remove(store, ("d", "deleted", None))
        suppression_export.publish(store, tmp_path)
        before = (tmp_path / FILE).stat().st_mtime_ns
        suppression_export.publish(store, tmp_path)
        assert (tmp_path / FILE).stat().st_mtime_ns == before


@pytest.fixture(scope="module")
def home(new_home: NewHome) -> Home:
    made = new_home(models=("lead-fit",))
    new_store(made.path).close()
    return made


class TestEveryReader:
    """One company whose files keep everybody; commands in processes of their own."""

    def learnt_from(self, home: Home) -> set[str]:
        """Leads among the rows of the next training, opened as `python -m training` does it."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ACCOUNTSCORE_HOME", str(home.path))
            source = open_source("sample", home.company)
        return set(labelled_panel(source, get_model("lead-fit")).table["entity_id"].to_pylist())

    def published(self, out: Path) -> tuple[str, set[str]]:
        manifest = read_manifest(out)
        return manifest["run_id"], set(
            pq.read_table(out / manifest["signals"]["lead"]["file"])["entity_id"].to_pylist()
        )

    def holding(self, out: Path, name: str) -> list[str]:
        """Published files in which an id stands."""
        tables = ((path, pq.read_table(path)) for path in sorted(out.rglob("*.parquet")))
        return [
            path.name
            for path, rows in tables
            if "entity_id" in rows.column_names and pc.any(pc.equal(rows["entity_id"], name)).as_py()
        ]

    def test_an_erased_lead_is_in_no_batch_no_older_run_and_no_training(self, home: Home, tmp_path: Path) -> None:
        victim = sorted(self.learnt_from(home))[0]
        home.batch(tmp_path)
        first, ids = self.published(tmp_path)
        assert victim in ids
        assert self.holding(tmp_path, victim)
        done = home.run("serving", "privacy", "erase", "lead", victim)
        assert done.returncode == 0, done.stderr
        assert victim not in (home.path / FILE).read_text()
        assert victim not in self.learnt_from(home)
        home.batch(tmp_path)
        second, ids = self.published(tmp_path)
        assert victim not in ids
        assert first != second
        assert self.holding(tmp_path, victim) == []
        assert not (tmp_path / first).exists()
        assert home.run("serving", "privacy", "admit", "lead", victim).returncode == 0
        assert victim in self.learnt_from(home)

    @pytest.mark.slow
    def test_the_sabotaged_twin_tells_nobody(self, home: Home) -> None:
        victim = sorted(self.learnt_from(home))[1]
        store = open_store(f"sqlite:///{home.path / 'store.db'}")
        with store.write() as connection:
            privacy.erase(connection, "lead", victim, 1)
        store.close()
        assert victim in self.learnt_from(home)
        assert home.run("serving", "privacy", "publish").returncode == 0
        assert victim not in self.learnt_from(home)
