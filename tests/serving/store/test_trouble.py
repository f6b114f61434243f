"""What is said of a database that does not answer: what is wrong, and what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from serving.store import trouble
from serving.store.trouble import cannot_be_written, cannot_write, reading_uri, trouble_of

NAMED = "ACCOUNTSCORE_STORE_URL"


class PostgresError(Exception):
    def __init__(self, sqlstate: str) -> None:
        super().__init__("on db.internal: a row of somebody")
        self.sqlstate = sqlstate


class TestTroubleOf:
    def test_a_standby_takes_no_writes(self) -> None:
        said = trouble_of(PostgresError("25006"), "", NAMED, 3000)
        assert said.startswith("the database takes no writes (it is a standby, or was set read-only)")
        assert f"let {NAMED} name one that does" in said

    def test_a_lock_of_postgres_says_how_long_was_waited(self) -> None:
        assert "for 3 s" in trouble_of(PostgresError("55P03"), "", NAMED, 3000)
        assert "for 0.25 s" in trouble_of(PostgresError("55P03"), "", NAMED, 250)

    def test_a_lock_of_sqlite_names_the_file(self, tmp_path: Path) -> None:
        file = tmp_path / "store.db"
        holding, waiting = (sqlite3.connect(file, isolation_level=None, timeout=0) for _ in range(2))
        holding.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as caught:
            waiting.execute("BEGIN IMMEDIATE")
        for connection in (holding, waiting):
            connection.close()
        said = trouble_of(caught.value, str(file), NAMED, 3000)
        assert (
            said == f"the database {str(file)!r} has been in use by another process for 3 s: try again when it is done"
        )

    def test_a_file_that_cannot_be_opened_for_a_known_reason_says_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(trouble, "cannot_write", lambda _file: "the file system is read-only")
        error = sqlite3.OperationalError("unable to open database file")
        error.sqlite_errorname = "SQLITE_CANTOPEN"
        said = trouble_of(error, str(tmp_path / "store.db"), NAMED, 0)
        assert said == cannot_be_written(str(tmp_path / "store.db"), "the file system is read-only", NAMED)

    def test_an_extended_code_is_one_of_its_kind(self) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
        assert "the disk failed" in trouble_of(error, "/no/such/store.db", NAMED, 0)

    @pytest.mark.parametrize("error", [None, PostgresError("08006"), sqlite3.OperationalError("a broken statement")])
    def test_anything_else_repeats_no_message_of_the_driver(self, error: BaseException | None) -> None:
        assert trouble_of(error, "", NAMED, 0) == f"the store does not answer ({type(error).__name__})"


class TestFile:
    def test_a_file_that_is_not_there_can_be_made(self, tmp_path: Path) -> None:
        assert cannot_write(tmp_path / "store.db") is None

    def test_a_closed_file_is_read_as_one_that_nobody_changes(self, tmp_path: Path) -> None:
        file = tmp_path / "a store?#.db"
        sqlite3.connect(file).close()
        uri = reading_uri(file)
        assert uri.endswith("/a%20store%3F%23.db?mode=ro&immutable=1")
        connection = sqlite3.connect(uri, uri=True)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("CREATE TABLE t (a)")
        connection.close()

    @pytest.mark.parametrize(("beside", "content"), [("-shm", ""), ("-wal", "frames")])
    def test_a_file_that_somebody_has_open_is_read_under_their_locks(
        self, tmp_path: Path, beside: str, content: str
    ) -> None:
        (tmp_path / f"store.db{beside}").write_text(content)
        assert reading_uri(tmp_path / "store.db").endswith("?mode=ro")
