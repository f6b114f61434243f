"""Text files that a source holds in memory: bounded in memory and on disk, and a fault of their table beyond that."""

from __future__ import annotations

import contextlib
import gzip
from pathlib import Path

import pytest

from features.sources import held_text, loader
from features.sources.loader import open_source


class TestHeldText:
    @pytest.fixture
    def sparse(self, tmp_path: Path) -> Path:
        """A source with one good table and two of text files whose rows are three bytes and have 60 columns."""
        made = tmp_path / "sparse"
        made.mkdir()
        columns = ", ".join(f"c{k}: 'BIGINT'" for k in range(60))
        lines = b"{}\n" * 150_000  # 75 MB as rows
        (tmp_path / "s.ndjson.gz").write_bytes(gzip.compress(lines))
        (tmp_path / "s.ndjson").write_bytes(lines)
        for table, file in (("usage", "s.ndjson.gz"), ("touches", "s.ndjson")):
            (made / f"{table}.sql").write_text(
                "SELECT 'a' AS account_id, TIMESTAMP '2025-01-01' AS event_time, 'email' AS kind, * "
                f"FROM read_json('{tmp_path}/{file}', format = 'newline_delimited', columns = {{{columns}}})"
            )
        (tmp_path / "good.csv").write_text("account_id,event_time\n" + "a,2025-01-01\n" * 1_000)
        (made / "accounts.sql").write_text(f"SELECT * FROM '{tmp_path}/good.csv'")
        return made

    def test_text_files_are_held_within_a_bound(
        self, sparse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, most in (("FREE_HELD_BYTES", 2**24), ("BUFFERS_BYTES", 2**23), ("GROWTH", 10)):
            monkeypatch.setattr(held_text, name, most)
        opened = open_source(str(sparse), keep_going=True, home=tmp_path)
        assert opened.tables == ("accounts",)
        found = {fault.where.rpartition("/")[2]: fault for fault in opened.faults}
        assert found.keys() == {"usage.sql", "touches.sql"}
        assert found["touches.sql"].found == "text files of 450.0 kB that become more than 16.8 MB in memory"
        assert "in the SELECT name only the columns that are needed" in found["usage.sql"].next_step
        for name in ("memory_limit", "max_temp_directory_size"):  # as they were before
            setting = f"SELECT parse_formatted_bytes(current_setting('{name}'))"
            assert opened.query(setting)[0][0] > 10**9, name

    def test_without_their_bound_the_same_files_are_held(
        self, sparse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin."""
        monkeypatch.setattr(loader, "bounded", lambda connection, path, query: contextlib.nullcontext())
        opened = open_source(str(sparse), keep_going=True, home=tmp_path)
        assert opened.tables == ("accounts", "touches", "usage"), opened.faults
        held = opened.query("SELECT sum(memory_usage_bytes) FROM duckdb_memory()")[0][0]
        assert held > 10**8
