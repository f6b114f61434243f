"""A star in a folder, Parquet and CSV: it gathers night by night, and the same export changes nothing."""

from __future__ import annotations

import csv
import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.kit import atomic_files
from features.kit.errors import UserMistake
from features.sources.overlay import overlay
from features.sources.source import Source
from serving.errors import BatchBusy
from serving.export import star_schema
from serving.export.folder import Folder
from serving.manifest import read_manifest
from tests.kit.published import bytes_of_folder


class Stop(Exception):
    """The test's own."""


class TestGathering:
    def test_the_same_export_again_changes_nothing(self, nights: dict[str, Path], add: Any, tmp_path: Path) -> None:
        first = add(nights["second"], tmp_path)
        before = {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*.parquet")}
        again = add(nights["second"], tmp_path)
        assert first.added.rows["score_fact"] > 300
        assert again.added.rows == {}
        assert {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*.parquet")} == before

    def test_two_folders_get_the_same_bytes(self, nights: dict[str, Path], add: Any, tmp_path: Path) -> None:
        for place in ("one", "two"):
            add(nights["second"], tmp_path / place, csv=True)
        assert bytes_of_folder(tmp_path / "one") == bytes_of_folder(tmp_path / "two")

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

    def test_an_export_stopped_at_any_file_shows_only_whole_runs(
        self, nights: dict[str, Path], add: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert _stopped_everywhere(nights, add, tmp_path, monkeypatch) >= 8

    def test_the_twin_that_writes_the_run_row_first_is_caught(
        self, nights: dict[str, Path], add: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin."""
        from serving.export.published_run import PublishedRun

        right = PublishedRun.tables
        monkeypatch.setattr(PublishedRun, "tables", lambda self: reversed(list(right(self))))
        with pytest.raises(AssertionError, match="not whole"):
            _stopped_everywhere(nights, add, tmp_path, monkeypatch)

    def test_a_damaged_run_and_a_file_as_folder_are_refused(
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
    expected, step = bytes_of_folder(folder / "whole"), 0
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
            assert bytes_of_folder(star) == expected, f"file {step}: the star shows a run that is not whole"
        add(nights["second"], star)
        assert bytes_of_folder(star) == expected


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

    def test_duckdb_and_pandas_read_it(self, nights: dict[str, Path], add: Any, tmp_path: Path) -> None:
        add(nights["second"], tmp_path, csv=True)
        for table in star_schema.TABLES:
            if table is not star_schema.OUTCOME_FACT:
                count = sum(pq.read_metadata(f).num_rows for f in (tmp_path / table.name).iterdir())
                file = next((tmp_path / "csv" / table.name).iterdir())
                assert pd.read_csv(file).columns.tolist() == [c.name for c in table.columns]
                if len(list((tmp_path / table.name).iterdir())) == 1:
                    assert duckdb.sql(f"SELECT count(*) FROM '{file}'").fetchall() == [(count,)]
