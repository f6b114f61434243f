"""Writes the newest score of each entity into `latest_scores`, in the transaction of its decision record.

Lists read this one table: finding the newest of many decision records for each of 1,000,000 leads, and then sorting
them, would take seconds for each page. Copies of the profile are kept equal by `serving.store.profile_copies`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Dialect, and_, case, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.compiler import SQLCompiler

from features.kit.clock import SKEW_US
from serving.decisions.repository import BATCH
from serving.privacy.repository import not_to_score
from serving.scoring.rows import at_stake
from serving.store.deletions import parts
from serving.store.listed import forget_listed
from serving.store.profile_copies import COPIES, copies_among
from serving.store.tables import latest_scores
from serving.store.text import kept

_SCORED = (
    "band",
    "probability",
    "score",
    "value",
    "at_stake",
    "no_score",
    "first_theme",
    "entity",
    "as_of",
    "recorded_at",
    "version",
    "first_signal",
    "first_text",
)
"""Columns that are the decision record's; all but `change` and those of the nightly run are overwritten."""
_OF_RECORD = (
    "model",
    "entity_id",
    "band",
    "probability",
    "score",
    "value",
    "no_score",
    "entity",
    "as_of",
    "recorded_at",
    "version",
)
_COLUMNS = ("model", "entity_id", *_SCORED, "change", "run_as_of", "run_score", *COPIES)


def row(record: Mapping[str, Any]) -> dict[str, Any]:
    """The list row of a decision record (`serving.decisions.repository.decision`), without the profile's copies."""
    # A list of lists: signal, theme, value, direction, effect, share, text, members; the strongest is first.
    reasons = msgspec.json.decode(record["reasons"])
    signal, theme, text = (reasons[0][0], reasons[0][1], kept(reasons[0][6])) if reasons else (None, None, None)
    of_run = record["cause"] == BATCH
    return {
        **{name: record[name] for name in _OF_RECORD},
        "at_stake": at_stake(record["probability"], record["value"]),
        "first_theme": theme,
        "first_signal": signal,
        "first_text": text,
        "change": None,
        "run_as_of": record["as_of"] if of_run else None,
        "run_score": record["score"] if of_run else None,
    }


def put(connection: Connection, records: Sequence[Mapping[str, Any]], now_us: int) -> None:
    """Store the newest scores in the caller's transaction, after the profiles. Storing them again changes nothing.

    Records for an earlier moment than the stored one are skipped, and those for a moment after the clock (`now_us`),
    which are no part of an entity's history. Entities that objected, were erased or were deleted in the CRM are not
    listed. `records` has no (model, entity_id) twice.
    """
    rows = [row(each) for each in records]
    wanted = [each for each in rows if each["as_of"] <= now_us + SKEW_US]
    for entity in sorted({each["entity"] for each in wanted}):
        own = [each for each in wanted if each["entity"] == entity]
        ids = sorted({each["entity_id"] for each in own})
        hidden = not_to_score(connection, entity, ids)
        for part in parts(sorted(hidden)):
            forget_listed(connection, entity, part)
        copies = copies_among(connection, entity, ids)
        _upsert(connection, [{**each, **copies[each["entity_id"]]} for each in own if each["entity_id"] not in hidden])


def _upsert(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    # Executed by the driver, as decision records are: SQLAlchemy's processing of each value costs as much as the insert.
    statement = _statement(connection.dialect)
    if statement.positional:
        names = statement.positiontup or []
        connection.exec_driver_sql(str(statement), [tuple(each[name] for name in names) for each in rows])
    else:
        connection.exec_driver_sql(str(statement), [dict(each) for each in rows])


@functools.lru_cache(maxsize=8)
def _statement(dialect: Dialect) -> SQLCompiler:
    insert: Any = sqlite.insert if dialect.name == "sqlite" else postgresql.insert
    statement = insert(latest_scores)
    new, old = statement.excluded, latest_scores.c
    # A later nightly run: against the run before it. The same run again: as it was. Between two runs: against the newest.
    later_run = new.run_as_of > old.run_as_of
    change = case(
        (new.run_as_of.is_(None), new.score - old.run_score),
        (later_run, new.score - old.run_score),
        (new.run_as_of == old.run_as_of, old.change + (new.score - old.score)),
        else_=None,
    )
    is_newest_run = and_(new.run_as_of.is_not(None), or_(old.run_as_of.is_(None), new.run_as_of >= old.run_as_of))
    setting = {name: new[name] for name in _SCORED}
    setting["change"] = change
    setting["run_as_of"] = case((is_newest_run, new.run_as_of), else_=old.run_as_of)
    setting["run_score"] = case((is_newest_run, new.run_score), else_=old.run_score)
    # The profile's copies are not set: SQLite would write their indexes again, whether they changed or not.
    statement = statement.on_conflict_do_update(
        index_elements=["model", "entity_id"], set_=setting, where=new.as_of >= old.as_of
    )
    compiled = statement.compile(dialect=dialect, column_keys=list(_COLUMNS))
    assert isinstance(compiled, SQLCompiler)
    return compiled
