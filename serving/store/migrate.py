"""Applying migrations. Only `python -m serving migrate` imports this, and with it alembic."""

from __future__ import annotations

from pathlib import Path

from features.kit.errors import UserMistake
from serving.store.connect import Store, is_newer, newer_than_this
from serving.store.wipe import SINCE_EVER


def migrate(store: Store, to: str = "head") -> str:
    """Bring the store to a revision (default the newest) and return it. Repeating it changes nothing.

    Raises `UserMistake` for a store of a newer version.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    before = store.revision()
    if before is not None and is_newer(before):
        raise UserMistake(newer_than_this(store, before))
    with store.write() as connection:
        if before is None and store.dialect == "sqlite":
            connection.exec_driver_sql(f"PRAGMA user_version = {SINCE_EVER}")
        config.attributes["connection"] = connection
        command.upgrade(config, to)
    return store.revision() or "nothing"
