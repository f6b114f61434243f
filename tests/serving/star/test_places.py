"""Where a star is kept: a folder, a database, CSV. It gathers night by night, and the same export changes nothing."""

from __future__ import annotations

import csv
import datetime as dt
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from features.kit import atomic_files
from features.kit.errors import UserMistake
from features.sources.overlay import overlay
from features.sources.source import Source
from serving.errors import BatchBusy
from serving.export import star_schema
from serving.export.database import TABLES, Database
from serving.export.folder import Folder
from serving.manifest import read_manifest
from serving.store.connect import open_store
from tests.kit.databases import DATABASES
from tests.kit.running import AS_OF, Home
from tests.serving.star.conftest import bytes_of


class TestDatabase:
    @pytest.fixture(params=DATABASES)
    def url(self, request: pytest.FixtureRequest, tmp_path: Path) -> str:
        if request.param == "sqlite":
            return f"sqlite:///{tmp_path}/bi.db"
        return str(request.getfixturevalue("postgres")("template0"))

    @staticmethod
    def dump(url: str) -> dict[str, list[Any]]:
        store = open_store(url)
        with store.read() as connection:
            found = {
                name: sorted(map(tuple, connection.execute(table.select()).all()), key=repr)
                for name, table in TABLES.items()
            }
        store.close()
        return found

    def test_it_has_what_the_folder_has_to_the_bit(
        self, url: str, nights: dict[str, Path], add: Any, star: Path
    ) -> None:
        for night in ("ripe", "first", "second"):
            add(nights[night], url)
        held = self.dump(url)
        for table in star_schema.TABLES:
            rows = pd.read_parquet(star / table.name)
            assert len(held[table.name]) == len(rows) > 0, table.name
        columns = [c.name for c in star_schema.SCORE_FACT.columns]
        by_key = {row[0]: dict(zip(columns, row, strict=True)) for row in held["score_fact"]}
        for row in pq.read_table(star / "score_fact").to_pylist():
            assert {**by_key[row["score_key"]], "as_of": None} == {**row, "as_of": None}
        happened = {row[0]: (row[5], row[4]) for row in held["outcome_fact"]}
        told = pq.read_table(star / "outcome_fact").to_pylist()
        assert happened == {row["score_key"]: (row["happened"], row["entity_id"]) for row in told}

    def test_again_changes_nothing_and_the_same_moment_takes_its_place(
        self, url: str, nights: dict[str, Path], add: Any
    ) -> None:
        add(nights["ripe"], url)
        add(nights["second"], url)
        before = self.dump(url)
        assert add(nights["second"], url).added.rows == {}
        assert self.dump(url) == before
        assert add(nights["again"], url).added.replaced == 1
        after = self.dump(url)
        assert len(after["run_dim"]) == 2
        assert len(after["score_fact"]) == len(before["score_fact"])
        assert len(after["reason_fact"]) < len(before["reason_fact"])
        assert after["outcome_fact"] == before["outcome_fact"]

    def test_stopped_in_the_middle_nothing_is_there(
        self, url: str, nights: dict[str, Path], add: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The new run and the taking away of the old one are one transaction; committing early would show half of it."""
        add(nights["second"], url)
        before = self.dump(url)
        insert = Database._insert

        def stopping(self: Database, table: Any, parts: Any) -> int:
            if table.name == "reason_fact":
                raise Stop
            return insert(self, table, parts)

        with monkeypatch.context() as patch:
            patch.setattr(Database, "_insert", stopping)
            with pytest.raises(Stop):
                add(nights["again"], url)
            assert self.dump(url) == before
            patch.setattr(Database, "_copy" if url.startswith("p") else "_many", _committing(url))
            with pytest.raises((Stop, sa.exc.SQLAlchemyError)):
                add(nights["again"], url)
        assert self.dump(url) != before, "the sabotaged twin"

    def test_a_table_of_others_is_not_touched(self, url: str, nights: dict[str, Path], add: Any) -> None:
        store = open_store(url)
        with store.write() as connection:
            connection.execute(sa.text("CREATE TABLE score_fact (mine integer)"))
        with pytest.raises(UserMistake, match="'score_fact' that is not the star's"):
            add(nights["second"], url)
        with store.read() as connection:
            assert set(sa.inspect(connection).get_table_names()) == {"score_fact"}
        store.close()

    def test_csv_and_other_databases_are_mistakes(self, nights: dict[str, Path], add: Any, tmp_path: Path) -> None:
        with pytest.raises(UserMistake, match="--csv is for a folder"):
            add(nights["second"], f"sqlite:///{tmp_path}/bi.db", csv=True)
        with pytest.raises(UserMistake, match="--to names 'mysql'"):
            add(nights["second"], "mysql://host/bi")

    def test_a_reader_of_one_file_needs_nothing_beside_it(
        self, nights: dict[str, Path], add: Any, tmp_path: Path
    ) -> None:
        add(nights["second"], f"sqlite:///{tmp_path}/bi.db")
        assert [f.name for f in tmp_path.iterdir()] == ["bi.db"]
        with sqlite3.connect(f"file:{tmp_path}/bi.db?mode=ro&immutable=1", uri=True) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        connection.close()


def _committing(url: str) -> Any:
    """Writes as the right one, and commits too early."""
    right = Database._copy if url.startswith("p") else Database._many

    def early(self: Database, table: Any, part: pa.Table) -> None:
        right(self, table, part)
        driver = self._connection.connection.driver_connection
        driver.commit() if url.startswith("p") else driver.execute("COMMIT")  # type: ignore[union-attr]
        if url.startswith("s"):
            driver.execute("BEGIN")  # type: ignore[union-attr]

    return early


class Stop(Exception):
    """The test's own."""


class TestGathering:
    def test_again_changes_nothing(self, nights: dict[str, Path], add: Any, tmp_path: Path) -> None:
        first = add(nights["second"], tmp_path)
        before = {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*.parquet")}
        again = add(nights["second"], tmp_path)
        assert first.added.rows["score_fact"] > 1_000
        assert again.added.rows == {}
        assert {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*.parquet")} == before

    def test_elsewhere_it_gives_the_same_bytes(self, nights: dict[str, Path], add: Any, tmp_path: Path) -> None:
        for place in ("one", "two"):
            add(nights["second"], tmp_path / place, csv=True)
        assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")

    def test_a_run_of_the_same_moment_takes_the_place_of_the_one_before(
        self, nights: dict[str, Path], add: Any, tmp_path: Path
    ) -> None:
        add(nights["first"], tmp_path, csv=True)
        add(nights["second"], tmp_path)
        done = add(nights["again"], tmp_path)
        assert done.added.replaced == 1
        runs = {read_manifest(nights[night])["run_id"] for night in ("first", "again")}
        for table in ("run_dim", "score_fact", "reason_fact", "account_dim", "lead_dim", "arr_at_risk"):
            assert set(pd.read_parquet(tmp_path / table)["run_id"]) == runs, table
            assert {f.stem for f in (tmp_path / "csv" / table).iterdir()} == {
                f.stem for f in (tmp_path / table).iterdir()
            }
        assert pd.read_parquet(tmp_path / "reason_fact")["rank"].max() == 5
        assert len(pd.read_parquet(tmp_path / "model_dim")) == 2

    def test_stopped_at_any_file_it_shows_whole_runs_only(
        self, nights: dict[str, Path], add: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert _stopped_everywhere(nights, add, tmp_path, monkeypatch) >= 8

    def test_a_run_s_own_row_written_first_would_be_caught(
        self, nights: dict[str, Path], add: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin."""
        from serving.export.published_run import PublishedRun

        right = PublishedRun.tables
        monkeypatch.setattr(PublishedRun, "tables", lambda self: reversed(list(right(self))))
        with pytest.raises(AssertionError, match="not whole"):
            _stopped_everywhere(nights, add, tmp_path, monkeypatch)

    def test_a_damaged_run_and_a_file_for_a_folder_are_refused(
        self, nights: dict[str, Path], add: Any, tmp_path: Path
    ) -> None:
        shutil.copytree(nights["second"], tmp_path / "out")
        victim = tmp_path / "out" / read_manifest(tmp_path / "out")["signals"]["account"]["file"]
        victim.write_bytes(victim.read_bytes()[:-1])
        with pytest.raises(UserMistake, match="damaged"):
            add(tmp_path / "out", tmp_path / "star")
        with pytest.raises(UserMistake, match="is a file"):
            add(nights["second"], victim)

    def test_two_at_once(self, nights: dict[str, Path], add: Any, tmp_path: Path) -> None:
        with Folder.opened(tmp_path), pytest.raises(BatchBusy, match="another export"):
            add(nights["second"], tmp_path)
        add(nights["second"], tmp_path)


def _stopped_everywhere(nights: dict[str, Path], add: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Stop at each file in turn; every run that `run_dim` names must have all its rows. Returns how many files there are."""
    add(nights["second"], folder / "whole")
    expected, step = bytes_of(folder / "whole"), 0
    rename = atomic_files.rename
    while True:
        step += 1
        star, left = folder / f"stopped-{step}", [step]

        def stopping(old: Path, new: Path, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Stop
            rename(old, new)

        with monkeypatch.context() as patch:
            patch.setattr(atomic_files, "rename", stopping)
            try:
                add(nights["second"], star)
                return step - 1
            except Stop:
                pass
        if (star / "run_dim").is_dir() and list((star / "run_dim").glob("*.parquet")):
            assert bytes_of(star) == expected, f"file {step}: the star shows a run that is not whole"
        add(nights["second"], star)
        assert bytes_of(star) == expected


class TestCsv:
    def test_no_cell_is_a_formula_and_numbers_are_numbers(
        self, nights: dict[str, Path], source: Source, add: Any, tmp_path: Path
    ) -> None:
        hostile = [
            "=HYPERLINK(1)",
            "+1+2",
            "-2+3",
            "@SUM(1)",
            "\t=1",
            "\r=1",
            "＝1",
            'a "quoted", name',
            "two\nlines",
            "-12.5",
        ]
        ids = [row[0] for row in source.query("SELECT DISTINCT account_id FROM accounts ORDER BY 1 LIMIT 10")]
        moment = dt.datetime(2025, 12, 31, tzinfo=dt.UTC)
        changed = overlay(
            source,
            "accounts",
            [
                {"account_id": i, "event_time": moment, "known_time": moment, "name": name}
                for i, name in zip(ids, hostile, strict=True)
            ],
        )
        add(nights["second"], tmp_path, source=changed, csv=True)
        file = next((tmp_path / "csv" / "account_dim").iterdir())
        with file.open(encoding="utf-8-sig", newline="") as opened:
            read = {row["account_id"]: row["name"] for row in csv.DictReader(opened)}
        for entity, name in zip(ids, hostile, strict=True):
            kept = name in ('a "quoted", name', "two\nlines", "-12.5")
            assert read[entity] == (name if kept else f"'{name.strip()}")  # a source trims its texts
        parquet = pd.read_parquet(tmp_path / "account_dim").set_index("account_id")["name"]
        assert parquet[ids].tolist() == [name.strip() for name in hostile], "what is no spreadsheet's is as it was"
        reasons = pd.read_csv(next((tmp_path / "csv" / "reason_fact").iterdir()))
        whole = pd.read_parquet(tmp_path / "reason_fact")
        assert reasons["effect"].dtype == float
        assert (reasons["effect"] < 0).any()
        assert reasons["effect"].tolist() == whole["effect"].tolist(), "to the bit, minus signs included"

    def test_as_it_is_it_would_be_caught(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin of the rule itself: a formula behind a sign that was forgotten."""
        from serving import csv_injection

        table = pa.table({"name": ["@SUM(1)", "\t=1", "\r=1", None], "n": [-1, 0, 1, None]})
        assert csv_injection.harmless_table(table).to_pydict() == {
            "name": ["'@SUM(1)", "'\t=1", "'\r=1", None],
            "n": [-1, 0, 1, None],
        }
        monkeypatch.setattr(csv_injection, "_FORMULA", "^[=+-]")
        assert csv_injection.harmless_table(table)["name"].to_pylist() == table["name"].to_pylist()

    def test_duckdb_and_pandas_read_it(self, nights: dict[str, Path], add: Any, tmp_path: Path) -> None:
        add(nights["second"], tmp_path, csv=True)
        for table in star_schema.TABLES:
            if table is not star_schema.OUTCOME_FACT:
                count = sum(pq.read_metadata(f).num_rows for f in (tmp_path / table.name).iterdir())
                file = next((tmp_path / "csv" / table.name).iterdir())
                assert pd.read_csv(file).columns.tolist() == [c.name for c in table.columns]
                if len(list((tmp_path / table.name).iterdir())) == 1:
                    assert duckdb.sql(f"SELECT count(*) FROM '{file}'").fetchall() == [(count,)]


class TestDoor:
    def test_the_command_says_what_it_did_and_that_it_was_done(
        self, home: Home, nights: dict[str, Path], tmp_path: Path
    ) -> None:
        command = ("export", "--scores", str(nights["second"]), "--to", str(tmp_path / "star"))
        first, again = home.run("serving", *command), home.run("serving", *command)
        assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
        accounts = read_manifest(nights["second"])["signals"]["account"]["rows"]
        assert f"{accounts:,} account_dim" in first.stdout
        assert "already" in again.stdout

    def test_the_batch_does_it_itself_and_goes_on_with_it(self, home: Home, star: Path, tmp_path: Path) -> None:
        """A place that fails is told after the run was published; the same command again adds it there."""
        command = ("batch", *home.source, "--as-of", AS_OF, "--out", str(tmp_path / "out"), "--no-history")
        blocked = tmp_path / "blocked"
        blocked.write_text("a file")
        export = ("--export", str(tmp_path / "star"), "--export", str(blocked / "deeper"))
        failed = home.run("serving", *command, *export)
        assert failed.returncode == 7, failed.stdout + failed.stderr
        assert "is published, but not in" in failed.stderr
        assert "Traceback" not in failed.stderr
        assert read_manifest(tmp_path / "out")["models"]
        blocked.unlink()
        assert home.run("serving", *command, *export).returncode == 0
        one, two = bytes_of(tmp_path / "star"), bytes_of(blocked / "deeper")
        assert one == two
        assert any(name.startswith("arr_at_risk/") for name in one)

    def test_nothing_published_is_a_mistake(self, home: Home, tmp_path: Path) -> None:
        done = home.run("serving", "export", "--scores", str(tmp_path), "--to", str(tmp_path / "star"))
        assert done.returncode == 2
        assert "no run was published there" in done.stderr
        assert not (tmp_path / "star").exists()


@pytest.mark.parametrize("kind", ["folder", "database"])
def test_a_run_for_a_moment_after_the_clock_makes_way(
    nights: dict[str, Path], add: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What an earlier version exported by mistake would be the newest run of every report."""
    to = str(tmp_path / "star") if kind == "folder" else f"sqlite:///{tmp_path}/bi.db"
    add(nights["second"], to)
    add(nights["first"], to)
    monkeypatch.setenv("ACCOUNTSCORE_NOW", read_manifest(nights["first"])["as_of"])
    done = add(nights["first"], to).added
    assert (done.rows, done.replaced) == ({}, 1)
    assert add(nights["first"], to).added.replaced == 0
    with pytest.raises(UserMistake, match="after the clock"):
        add(nights["second"], to)
