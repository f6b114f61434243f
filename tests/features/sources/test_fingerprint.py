"""Old rows that were edited are noticed, and files that nobody wrote to are not read for it."""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.kit.clock import to_us
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
    def test_the_fingerprint_depends_on_the_rows_and_not_on_their_order(self, tmp_path: Path) -> None:
        tables = random_company(1, accounts=3, days=30)
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

    def test_only_files_written_since_are_read_again(
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

    def test_the_twin_with_a_constant_identity_misses_the_edit(
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

    def test_the_fingerprint_does_not_depend_on_how_rows_lie_in_files(self, company: Path) -> None:
        first = fingerprint.fingerprint(opened(company))
        rows = pa.concat_tables([pq.read_table(p) for p in sorted((company / "usage").glob("*"))]).to_pylist()
        for path in (company / "usage").glob("*"):
            path.unlink()
        write(company / "usage" / "all.parquet", rows[::-1])
        assert fingerprint.fingerprint(opened(company)) == first
