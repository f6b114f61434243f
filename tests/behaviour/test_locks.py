"""Every lock between processes is waited for no longer than it says, and who waits is told who has it."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.kit import file_lock as module
from features.kit.errors import AccountscoreError
from features.kit.file_lock import file_lock
from features.kit.settings import Settings
from features.sources.suppression import FILE
from models import champion_pointer, registry, standing
from models.catalog import get_model
from serving import manifest
from serving.export.folder import Folder
from serving.notes import export as notes_export
from serving.notes.repository import put as put_notes
from serving.privacy import suppression_export
from serving.worker import loop
from tests.kit.notes import note
from tests.kit.stores import new_store
from training import overlap

Held = contextlib.AbstractContextManager[Any]


def publishing(home: Path) -> Held:
    """Takes the lock of who is gone."""
    store = new_store(home)
    try:
        suppression_export.publish(store, home)
    finally:
        store.close()
    return contextlib.nullcontext()


def making(home: Path) -> Held:
    """Takes the lock of a registry that is not there yet."""
    (home / "mlflow.db").unlink(missing_ok=True)
    registry.versions(Settings.from_env({"ACCOUNTSCORE_HOME": str(home)}), "churn-risk")
    (home / "mlflow.db").unlink()
    return contextlib.nullcontext()


def telling(home: Path) -> Held:
    """Takes the lock of what people told."""
    store = new_store(home)
    try:
        with store.write() as connection:
            put_notes(connection, [note("acme")])
        notes_export.publish(store, home)
        shutil.rmtree(home / "notes")
    finally:
        store.close()
    return contextlib.nullcontext()


def standing_of(home: Path) -> Held:
    """Takes the lock of how versions stand."""
    standing.note(home, "churn-risk", [])
    return contextlib.nullcontext()


LOCKS: dict[str, tuple[Callable[[Path], Held], str]] = {
    "a promotion": (lambda home: champion_pointer.locked(home, "churn-risk"), "champions/churn-risk/.lock"),
    "promotions of one outcome": (
        lambda home: overlap.one_at_a_time(home, get_model("churn-risk")),
        "champions/.churn.lock",
    ),
    "a new registry": (making, ".mlflow.db.lock"),
    "who is gone": (publishing, ".removed.lock"),
    "what people told": (telling, ".notes.lock"),
    "how versions stand": (standing_of, "runs/churn-risk/.standing.json.lock"),
    "the worker": (loop.only_one, "worker.lock"),
    "who delivers": (lambda home: loop.only_one(home, "deliver"), "deliver.lock"),
    "a batch": (manifest.only_one, ".lock"),
    "a star": (Folder.opened, ".lock"),
}


@pytest.mark.parametrize("name", LOCKS)
def test_it_is_waited_for_until_its_deadline_and_the_holder_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, file = LOCKS[name]
    for holder in (champion_pointer, registry, suppression_export, notes_export, standing):
        monkeypatch.setattr(holder, "LOCK_SECONDS", 0.2)
    with take(tmp_path):
        pass  # free
    (tmp_path / FILE).unlink(missing_ok=True)  # what the home tells already needs no lock
    with file_lock(tmp_path / file, 0, AccountscoreError("not free")):
        began = time.monotonic()
        with pytest.raises(AccountscoreError, match=rf"process {os.getpid()} holds .*{file}"), take(tmp_path):
            pass
        assert time.monotonic() - began < 30


def test_every_lock_of_the_product_is_in_the_table() -> None:
    root = Path(module.__file__).parents[2]
    used = [
        path
        for package in ("features", "models", "training", "serving")
        for path in (root / package).rglob("*.py")
        if path != Path(module.__file__) and "file_lock(" in path.read_text()
    ]
    assert {path.stem for path in used} == {
        "champion_pointer",
        "suppression_export",
        "loop",
        "manifest",
        "folder",
        "overlap",
        "registry",
        "standing",
        "export",  # of notes
        "head",  # of the audit log: who does not get it goes on, and the next change makes it good (`test_head`)
        "run_card",  # of a name of its own: it tells who is alive, and nobody waits
    }
