"""Old rows that were edited are noticed, and files that nobody wrote to are not read for it."""

from __future__ import annotations

import datetime as dt
import logging
import os
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.kit.clock import to_us
from features.panel.build import build_panel
from features.panel.incremental import Carried
from features.sources import fingerprint, loader
from features.sources.fingerprint import contents_of
from features.sources.source import Source
from tests.kit.company import at, make_source, random_company
from tests.kit.monthly_usage import make_company, opened, usage, write


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Usage scanned where it is, as tables of any size above the limit are; files written just now count as settled."""
    monkeypatch.setattr(fingerprint, "SETTLED_S", -1.0)
    monkeypatch.setattr(loader, "VIEW_ABOVE_ROWS", 5)
    return make_company(tmp_path / "company")


class TestContent:
    def test_fingerprint_is_of_the_content(self, tmp_path: Path) -> None:
        tables = random_company(1)
        first = make_source(tmp_path / "first", tables)
        shuffled = make_source(tmp_path / "second", {n: rows[::-1] for n, rows in tables.items()})
        assert fingerprint.fingerprint(first) == fingerprint.fingerprint(shuffled)
        tables["usage"][0]["quantity"] = 12345
        assert fingerprint.fingerprint(make_source(tmp_path / "third", tables)) != fingerprint.fingerprint(first)


NIGHT, NEXT = at("2024-06-01"), at("2024-06-02")


def kept(data: Path, folder: Path, as_of: dt.datetime = NEXT) -> bool:
    """Whether the state of the night before may be used."""
    source = opened(data)
    contents_of(source).keep_in(folder / "contents.json")
    return Carried.open(folder / "account", source, to_us(as_of)).at_us is not None


class TestCarriedState:
    def test_a_new_day_in_a_new_file_or_at_the_end_of_the_last_one_keeps_it(
        self, company: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "carried"
        build_panel(opened(company), "account", [NIGHT], carried=folder)
        assert kept(company, folder)
        write(company / "usage" / "6.parquet", [usage(at("2024-06-01T10:00:00"))])
        assert kept(company, folder)
        may = [usage(at(f"2024-05-{day:02d}")) for day in range(1, 9)]
        write(company / "usage" / "5.parquet", [*may, usage(at("2024-06-01T11:00:00"))])
        assert kept(company, folder), "a file that grew by new rows has the old ones still"
        night = build_panel(opened(company), "account", [NEXT], carried=folder)
        assert night["days_since_first_usage"].to_pylist() == [152.0]
        whole = build_panel(opened(company), "account", [NEXT])
        assert night.equals(whole)

    def test_an_old_row_edited_in_place_is_noticed(
        self, company: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """As many rows as before: only what they say is another."""
        folder = tmp_path / "carried"
        build_panel(opened(company), "account", [NIGHT], carried=folder)
        days = [usage(at(f"2024-01-{day:02d}")) for day in range(1, 9)]
        write(company / "usage" / "1.parquet", [usage(at("2023-12-01")), *days[1:]])
        with caplog.at_level(logging.WARNING, "features.panel.incremental"):
            night = build_panel(opened(company), "account", [NEXT], carried=folder)
        assert "carried.anew source=company reason=old_rows_changed tables=usage" in caplog.text
        assert night.equals(build_panel(opened(company), "account", [NEXT]))
        assert night["days_since_first_usage"].to_pylist() == [183.0]

    def test_relying_on_the_number_of_rows_misses_it(
        self, company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: counts alone take the edited history for the old one, and the first day is wrong."""
        folder = tmp_path / "carried"
        counted = fingerprint.Contents.before
        monkeypatch.setattr(fingerprint.Contents, "before", lambda *given: (counted(*given)[0], 0, 0))
        build_panel(opened(company), "account", [NIGHT], carried=folder)
        days = [usage(at(f"2024-01-{day:02d}")) for day in range(1, 9)]
        write(company / "usage" / "1.parquet", [usage(at("2023-12-01")), *days[1:]])
        night = build_panel(opened(company), "account", [NEXT], carried=folder)
        assert night["days_since_first_usage"].to_pylist() == [152.0]

    def test_a_row_slipped_in_or_taken_out_is_noticed(self, company: Path, tmp_path: Path) -> None:
        folder = tmp_path / "carried"
        build_panel(opened(company), "account", [NIGHT], carried=folder)
        write(company / "usage" / "2.parquet", [usage(at("2024-02-01"))])
        assert not kept(company, folder)
        (company / "usage" / "2.parquet").unlink()
        assert kept(company, folder)
        (company / "usage" / "3.parquet").unlink()
        assert not kept(company, folder)

    def test_files_put_together_are_the_same_rows(self, company: Path, tmp_path: Path) -> None:
        folder = tmp_path / "carried"
        build_panel(opened(company), "account", [NIGHT], carried=folder)
        both = [pq.read_table(company / "usage" / f"{month}.parquet") for month in (1, 3)]
        pq.write_table(pa.concat_tables(both), company / "usage" / "1.parquet")
        (company / "usage" / "3.parquet").unlink()
        assert kept(company, folder)

    def test_another_select_over_the_same_files_is_another_source(self, company: Path, tmp_path: Path) -> None:
        folder = tmp_path / "carried"
        build_panel(opened(company), "account", [NIGHT], carried=folder)
        select = (
            "SELECT * REPLACE (event_time - INTERVAL 1 DAY AS event_time) FROM read_parquet('${data}/usage/*.parquet')"
        )
        (company / "usage.sql").write_text(select)
        assert not kept(company, folder)

    def test_a_table_held_in_memory_is_looked_at_too(
        self, company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loader, "VIEW_ABOVE_ROWS", 1_000)
        folder = tmp_path / "carried"
        build_panel(opened(company), "account", [NIGHT], carried=folder)
        assert kept(company, folder)
        write(company / "usage" / "1.parquet", [usage(at(f"2024-01-{day:02d}"), 2) for day in range(1, 9)])
        assert not kept(company, folder)


class TestFingerprint:
    def asked(self, data: Path, record: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[str]]:
        """The fingerprint, and the months whose files were read for it."""
        source = opened(data)
        read: list[str] = []
        contents_of(source).keep_in(record)
        query = Source.query

        def watched(self: Source, sql: str) -> Any:
            read.extend(month for month in "1356" if f"usage/{month}.parquet" in sql)
            return query(self, sql)

        with monkeypatch.context() as patched:
            patched.setattr(Source, "query", watched)
            return fingerprint.fingerprint(source), read

    def test_costs_the_files_that_were_written_since(
        self, company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record = tmp_path / "contents.json"
        first, read = self.asked(company, record, monkeypatch)
        assert read == ["1", "3", "5"]
        assert self.asked(company, record, monkeypatch) == (first, [])
        write(company / "usage" / "6.parquet", [usage(at("2024-06-01"))])
        second, read = self.asked(company, record, monkeypatch)
        assert read == ["6"]
        assert second != first
        assert second == fingerprint.fingerprint(opened(company)), "with a record and without it is the same"

    def test_an_edit_is_seen_although_the_time_of_the_file_was_put_back(
        self, company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        record, path = tmp_path / "contents.json", company / "usage" / "3.parquet"
        first, _ = self.asked(company, record, monkeypatch)
        before = path.stat()
        time.sleep(0.02)  # the clock of a file system ticks every few milliseconds
        write(path, [usage(at(f"2024-03-{day:02d}"), 2) for day in range(1, 9)])
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        second, read = self.asked(company, record, monkeypatch)
        assert read == ["3"]
        assert second != first

    def test_an_identity_that_never_changes_misses_it(
        self, company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin."""
        monkeypatch.setattr(fingerprint, "identity", lambda path: [0, 0, 0, 0])
        first, _ = self.asked(company, tmp_path / "contents.json", monkeypatch)
        write(company / "usage" / "3.parquet", [usage(at("2024-03-01"), 2)])
        assert self.asked(company, tmp_path / "contents.json", monkeypatch) == (first, [])

    def test_a_file_written_just_now_is_read_again(
        self, company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fingerprint, "SETTLED_S", 3_600.0)
        record = tmp_path / "contents.json"
        assert self.asked(company, record, monkeypatch)[1] == ["1", "3", "5"]
        assert self.asked(company, record, monkeypatch)[1] == ["1", "3", "5"]

    def test_does_not_depend_on_how_rows_lie_in_files(self, company: Path) -> None:
        first = fingerprint.fingerprint(opened(company))
        rows = pa.concat_tables([pq.read_table(p) for p in sorted((company / "usage").glob("*"))]).to_pylist()
        for path in (company / "usage").glob("*"):
            path.unlink()
        write(company / "usage" / "all.parquet", rows[::-1])
        assert fingerprint.fingerprint(opened(company)) == first
