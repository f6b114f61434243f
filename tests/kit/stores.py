"""Stores for tests: a copy of one that was migrated once, for alembic takes a tenth of a second for each."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from serving.store.connect import Store, open_store
from serving.store.migrate import migrate


def new_store(folder: Path) -> Store:
    """A migrated `store.db` in `folder`, which may be there already."""
    return open_store(new_file(folder))


def new_file(folder: Path) -> str:
    """As `new_store`; gives the URL."""
    file = folder / "store.db"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_migrated())
    return f"sqlite:///{file}"


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/store.db")
        migrate(store)
        store.close()
        return (Path(folder) / "store.db").read_bytes()
