"""Text files in encodings that DuckDB does not read are read through copies that are gone afterwards."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import pytest

from features.sources.legacy_encodings import readable
from features.sources.loader import open_source


class TestReadable:
    @pytest.mark.parametrize("encoding", ["windows-1252", "cp1252", "windows-1251", "utf-16be", "utf-32"])
    def test_rows_are_those_of_the_text(self, encoding: str, tmp_path: Path) -> None:
        words = "Жук" if encoding == "windows-1251" else "Größe – 5 €"
        mark = b"\xfe\xff" if encoding == "utf-16be" else b""
        (tmp_path / "it's.csv").write_bytes(mark + f"a,b\r\n1,{words}\r\n".encode(encoding))
        quoted = str(tmp_path / "it's.csv").replace("'", "''")
        query = f"SELECT b FROM read_csv('{quoted}', all_varchar = true, encoding = '{encoding}')"
        with pytest.raises(duckdb.Error):
            duckdb.sql(query).fetchall()
        with readable(query) as text:
            assert duckdb.sql(text).fetchall() == [(words,)]
            assert "accountscore-utf8-" in text
        assert not list(Path(tempfile.gettempdir()).glob("accountscore-utf8-*/*it's.csv"))

    def test_other_queries_are_left_as_they_are(self) -> None:
        query = "SELECT 'a', encoding FROM read_csv('b.csv', encoding = 'latin-1')"
        with readable(query) as text:
            assert text == query

    def test_a_source_names_the_encoding(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_bytes("id;since;name\r\n1;2025-01-01;Größe – 5 €\r\n".encode("cp1252"))
        (tmp_path / "accounts.sql").write_text(
            "SELECT id AS account_id, since AS event_time, name FROM read_csv('${data}/a.csv', encoding = 'windows-1252', sample_size = -1)"
        )
        assert open_source(str(tmp_path), tmp_path).query("SELECT name FROM accounts") == [("Größe – 5 €",)]
