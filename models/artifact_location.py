"""Rewrites MLflow's absolute artifact paths when a home was moved or copied.

MLflow stores absolute paths: without this a copied home reads and writes the files of the old one.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from features.kit.errors import UserMistake

FOLDER = "mlruns"
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)


def follow(database: Path, home: Path, experiment: str) -> None:
    """Rewrite the artifact paths of an experiment to `home`/mlruns where they name another home. Repeating it changes nothing.

    A registry that is not in the home, or whose files are in a bucket, is left alone. Raises `UserMistake` when the database was
    copied without its files.
    """
    if database.parent != home or not database.is_file() or not database.stat().st_size:
        return
    here = (home / FOLDER).as_uri()
    with closing(sqlite3.connect(database, timeout=10, isolation_level=None)) as connection:
        try:
            asked = "SELECT artifact_location FROM experiments WHERE name = ?"
            found = connection.execute(asked, (experiment,)).fetchone()
        except sqlite3.Error:  # of another version, or no database: MLflow reports it
            return
        if found is None or found[0] == here or not (found[0].startswith("file:") and found[0].endswith(f"/{FOLDER}")):
            return
        before = found[0]
        has_runs = connection.execute(
            "SELECT 1 FROM runs WHERE artifact_uri LIKE ? || '/%' LIMIT 1", (before,)
        ).fetchone()
        if has_runs is not None and not (home / FOLDER).is_dir():
            raise UserMistake(
                f"{str(database)!r} came from another home, and its files did not: copy the folder {before!r} to {str(home / FOLDER)!r}"
            )
        connection.execute("BEGIN IMMEDIATE")
        for table, column in _COLUMNS:
            if any(row[1] == column for row in connection.execute(f"PRAGMA table_info({table})")):
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR substr({column}, 1, ?) = ?",  # nosec B608
                    (here, len(before) + 1, before, len(before) + 1, before + "/"),
                )
        connection.execute("COMMIT")
