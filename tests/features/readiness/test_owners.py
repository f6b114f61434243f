"""Ids that name no row of their owner, also when only their writing differs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from features.sources.loader import open_source
from tests.kit.checked import account, lines, query_of, wrapped
from tests.kit.company import at, make_source


class TestOwners:
    @pytest.mark.parametrize(
        ("written", "said"),
        [("123.0", "'.0'"), ("1.23e2", "exponent"), (" 123", "spaces"), ("00123", "leading zeros")],
    )
    def test_the_same_id_in_another_spelling_is_found_and_the_advice_mends_it(
        self, tmp_path: Path, written: str, said: str
    ) -> None:
        used = [{"account_id": written, "event_time": at("2024-02-01")}]
        source = make_source(tmp_path, {"accounts": [account("123")], "usage": used})
        (line,) = lines(source, "usage", "it names a row of accounts")
        assert line.severity == "weakens"
        assert repr(written) in line.found
        assert said in line.found
        for table in ("usage", "accounts"):
            source = wrapped(tmp_path, table, query_of(line))
        assert lines(source, "usage", "it names a row of accounts") == []

    def test_an_id_that_is_nowhere_gets_no_advice_about_spelling(self, tmp_path: Path) -> None:
        used = [{"account_id": "zzz", "event_time": at("2024-02-01")}]
        (line,) = lines(make_source(tmp_path, {"accounts": [account("123")], "usage": used}), "usage", "it names a row")
        assert "written alike" not in line.found


class TestIdsThatWereNumbers:
    def test_ids_that_a_file_made_numbers_join_when_the_advice_is_followed(self, tmp_path: Path) -> None:
        (tmp_path / "accounts.sql").write_text(
            "SELECT CAST(id AS DOUBLE) AS account_id, TIMESTAMP '2024-01-01' AS event_time FROM (VALUES (100057), (1000000000000000)) v(id)"
        )
        (tmp_path / "usage.sql").write_text(
            "SELECT id AS account_id, TIMESTAMP '2024-02-01' AS event_time FROM (VALUES ('100057'), ('1000000000000000')) v(id)"
        )
        (fault,) = open_source(str(tmp_path), keep_going=True).faults
        assert fault.found.startswith("its type is DOUBLE")
        query = re.search(r"SELECT \* REPLACE .*\(THIS SELECT\)", fault.next_step)
        assert query, fault.next_step
        (tmp_path / "accounts.sql").write_text(query[0].replace("THIS SELECT", (tmp_path / "accounts.sql").read_text()))
        source = open_source(str(tmp_path))
        assert lines(source, "usage", "it names a row of accounts") == []
        assert sorted(source.query("SELECT account_id FROM accounts")) == [
            ("1000000000000000",),
            ("100057",),
        ]
