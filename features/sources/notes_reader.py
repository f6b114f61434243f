"""Adds the notes of a home to a source that was loaded: actions as rows of `actions`, outcomes as the table `told_outcomes`."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from features.kit.errors import UserMistake
from features.sources.casts import quote
from features.sources.notes import FOLDER, FORMAT, TOLD, NoteLine, files_of
from features.sources.schema import ENTITIES, TABLES
from features.sources.source import Source

_COLUMNS = {name: "BIGINT" if name.endswith("_us") else "VARCHAR" for name in NoteLine.__annotations__}


def add_notes(source: Source, home: Path) -> None:
    """Add the notes of a home to a source that was loaded. Raises `UserMistake` for a damaged file: an action or outcome
    that is missing in silence would make a wrong report."""
    if _read_all(source, home):
        _add_outcomes(source)
        _add_actions(source)


def read_outcomes_again(source: Source, home: Path) -> None:
    """Bring the outcomes that notes tell up to date in an open source; its actions stay as they were. Raises `UserMistake`
    as `add_notes`."""
    there = _read_all(source, home)
    source.connection.execute(f"DROP TABLE IF EXISTS {TOLD}")
    source.told_outcomes = 0
    if there:
        _add_outcomes(source)


def _read_all(source: Source, home: Path) -> bool:
    """The notes of a home as the temporary table `read_notes`; False when the home has no file of them."""
    files = files_of(home)
    for file in files:
        _check(file)
    try:
        if files:
            _read(source, files)
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise _unreadable(home / FOLDER, type(error).__name__) from None
    return bool(files)


def _check(file: Path) -> None:
    """Raises `UserMistake` for a file without a first line of a format that this version knows."""
    try:
        with file.open("rb") as opened:
            found = json.loads(opened.readline())["format"]
    except (OSError, ValueError, KeyError, TypeError):
        raise _unreadable(file, "its first line is damaged") from None
    if found != FORMAT:
        raise _unreadable(file, f"it has format {found!r}, this version knows {FORMAT}")


def _unreadable(path: Path, why: str) -> UserMistake:
    return UserMistake(
        f"{str(path)!r} cannot be read ({why}): it has what people told of outcomes and actions; "
        "run python -m serving privacy publish, which writes it anew"
    )


def _read(source: Source, files: list[Path]) -> None:
    """The notes as the table `read_notes`; of two lines of one note, as a reader may meet them between two writes, the
    later told one counts."""
    columns = ", ".join(f"{quote(name)}: '{kind}'" for name, kind in _COLUMNS.items())
    named = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
    merged = (
        "LEFT JOIN suppressed_hashes m ON m.kind = n.entity AND m.hashed = sha256(n.entity || ':' || n.entity_id)"
        if source.suppression.ids
        else ""
    )
    whose = "CASE WHEN m.hashed IS NULL THEN n.entity_id ELSE m.remains END" if merged else "n.entity_id"
    known = " UNION ALL ".join(
        f"SELECT '{entity}', {entity}_id FROM {quote(table)}" for entity, table in ENTITIES.items() if source.has(table)
    )
    source.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE read_notes AS WITH line AS ("
        f"SELECT * FROM read_json([{named}], format = 'newline_delimited', columns = {{{columns}}}) WHERE id IS NOT NULL"
        f"), newest AS (SELECT * FROM line QUALIFY row_number() OVER (PARTITION BY id ORDER BY known_us DESC, event_us) = 1"
        f"), of_whom AS (SELECT n.kind, n.entity, {whose} AS entity_id, n.word, n.event_us, n.known_us FROM newest n {merged}"
        f") SELECT *, greatest(event_us, known_us) AS visible_us FROM of_whom "
        f"WHERE (entity, entity_id) IN ({known or 'SELECT NULL, NULL'}) ORDER BY ALL"
    )


def _add_outcomes(source: Source) -> None:
    columns = "entity, entity_id, word, event_us, known_us, visible_us"
    rows = source.query("SELECT count(*) FROM read_notes WHERE kind = 'outcome'")[0][0]
    if rows:
        source.connection.execute(
            f"CREATE TABLE {TOLD} AS SELECT {columns} FROM read_notes WHERE kind = 'outcome' ORDER BY ALL"
        )
    source.told_outcomes = rows


def _add_actions(source: Source) -> None:
    """Rows in `actions`, which is made where the source has none; a table with a fault stays broken."""
    there = {row[0] for row in source.query("SELECT DISTINCT entity FROM read_notes WHERE kind = 'action'")}
    if not there or "actions" in source.broken:
        return
    rows = (
        "SELECT event_us, word AS kind, CASE entity WHEN 'account' THEN entity_id END AS account_id, "
        "CASE entity WHEN 'lead' THEN entity_id END AS lead_id, known_us, visible_us, true AS _is_note "
        "FROM read_notes WHERE kind = 'action' ORDER BY ALL"
    )
    if source.has("actions"):
        source.connection.execute("ALTER TABLE actions ADD COLUMN _is_note BOOLEAN DEFAULT false")
        source.connection.execute(f"INSERT INTO actions BY NAME ({rows})")
    else:
        source.connection.execute(f"CREATE TABLE actions AS {rows}")
        source.custom["actions"] = ()
        source.schemas["actions"] = "main"
    had = set(source.columns.get("actions", ()))
    told = {"event_time", "kind", *(f"{entity}_id" for entity in there)}
    source.columns["actions"] = (
        *(c.name for c in TABLES["actions"].columns if c.name in had | told),
        "known_time",
    )
    source.empty.pop("actions", None)
    source.told_actions = True
