"""Applying migrations. Only `python -m serving migrate` imports this, and with it alembic."""

from __future__ import annotations

from pathlib import Path

from serving.store.connect import Store
from serving.store.wipe import SINCE_EVER


def migrate(store: Store, to: str = "head") -> str:
    """Bring the store to a revision (default the newest) and return it. Repeating it changes nothing."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    is_new = store.revision() is None
    with store.write() as connection:
        if is_new and store.dialect == "sqlite":
            connection.exec_driver_sql(f"PRAGMA user_version = {SINCE_EVER}")
        config.attributes["connection"] = connection
        command.upgrade(config, to)
    return store.revision() or "nothing"
