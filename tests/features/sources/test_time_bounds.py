"""Which rows of an event table are read: the same by SQL on its own files and on the table that is held in memory."""

from __future__ import annotations

import itertools

import duckdb
import pytest

from features.sources.time_bounds import Bounds, Scan, rows_of

ROWS = [
    ("on time", 10, None),
    ("known with it", 20, 20),
    ("late", 20, 35),
    ("known before", 30, 5),
    ("at the edge", 30, 30),
    ("new", 40, 41),
]
"""Name, event and known moment in microseconds."""


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("SET TimeZone = 'UTC'")
    made.execute("CREATE TABLE held (name VARCHAR, event_us BIGINT, known_us BIGINT)")
    made.executemany(
        "INSERT INTO held VALUES (?, ?, ?)",
        [(name, event, event if known is None else known) for name, event, known in ROWS],
    )
    made.execute("CREATE TABLE stays (name VARCHAR, event_time TIMESTAMP, known_time TIMESTAMP)")
    made.executemany("INSERT INTO stays VALUES (?, make_timestamp(?), make_timestamp(?))", ROWS)
    made.execute(
        "CREATE VIEW zoned AS SELECT name, event_time::TIMESTAMPTZ AS event_time, known_time::TIMESTAMPTZ AS known_time FROM stays"
    )
    return made


def expected(bounds: Bounds) -> set[str]:
    """By the definition in `Bounds`."""
    found = set()
    for name, event, learnt in ROWS:
        known = event if learnt is None else learnt
        recent = bounds.since_us is None or event >= bounds.since_us
        if bounds.since_us is not None and bounds.known_since_us is not None:
            recent = recent or known >= bounds.known_since_us
        ended = bounds.until_us is not None and event >= bounds.until_us
        if recent and not ended and not (bounds.late and known <= event):
            found.add(name)
    return found


EVERY = [
    Bounds(since, known, until, late)
    for since, known, until, late in itertools.product((None, 20, 30), (None, 30, 36), (None, 30, 40), (False, True))
    if since is not None or known is None
]


@pytest.mark.parametrize("bounds", EVERY)
def test_files_and_memory_give_the_rows_of_the_definition(
    connection: duckdb.DuckDBPyConnection, bounds: Bounds
) -> None:
    queries = [
        rows_of('"held"', bounds),
        Scan("SELECT * FROM stays", "TIMESTAMP", True).rows(bounds),
        Scan("SELECT * FROM zoned", "TIMESTAMP WITH TIME ZONE", True).rows(bounds),
    ]
    for query in queries:
        names = [row[0] for row in connection.execute(f"SELECT name FROM ({query})").fetchall()]
        assert sorted(names) == sorted(expected(bounds))


def test_without_a_known_time_nothing_is_late(connection: duckdb.DuckDBPyConnection) -> None:
    scan = Scan("SELECT name, event_time FROM stays", "TIMESTAMP", False)
    assert connection.execute(scan.rows(Bounds(late=True))).fetchall() == []
    recent = connection.execute(scan.rows(Bounds(since_us=30, known_since_us=30))).fetchall()
    assert sorted(row[0] for row in recent) == ["at the edge", "known before", "new"]
