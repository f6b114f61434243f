"""Why a SELECT cannot be run: the message says a next step, and followed to the letter, the source opens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.broken_sources import (
    PARQUET,
    READ,
    USAGE,
    Case,
    assert_advice_works,
    broken,
    followed,
    values,
)

CASES = [
    Case(
        "not in the GROUP BY",
        "GROUP BY",
        "SELECT account_id, event_time FROM read_csv('${data}/usage.csv') GROUP BY account_id",
        {"usage.csv": USAGE},
        is_=1,
    ),
    Case(
        "a SELECT in Latin-1",
        "byte 8 is no UTF-8",
        "SELECT 'ü' AS feature, account_id, event_time FROM read_csv('${data}/usage.csv')".encode("latin-1"),
        {"usage.csv": USAGE},
    ),
    Case("a SELECT in UTF-16", "UTF-8", READ.encode("utf-16"), {"usage.csv": USAGE}),
    Case(
        "one empty file of several",
        "1.csv (0 bytes)",
        "SELECT account_id, event_time FROM read_csv('${data}/days/*.csv')",
        {"days/1.csv": "", "days/2.csv": USAGE},
    ),
    Case(
        "an empty file beside another",
        "b.csv (0 bytes)",
        READ + " AS a JOIN read_csv('${data}/b.csv') AS b USING (account_id)",
        {"usage.csv": USAGE, "b.csv": ""},
        is_=0,
    ),
    Case(
        "an ambiguous column",
        "Ambiguous reference",
        "SELECT account_id, a.event_time FROM read_csv('${data}/usage.csv') a JOIN read_csv('${data}/usage.csv') b USING (event_time)",
        {"usage.csv": USAGE},
    ),
    Case(
        "what stands behind the semicolon",
        '"acount_id" not found',
        READ.replace("account_id", "acount_id AS account_id") + "; -- all of it",
        {"usage.csv": USAGE},
    ),
    Case("text for Parquet", "No magic bytes", READ.replace("read_csv", "read_parquet"), {"usage.csv": USAGE}),
    Case("Parquet for text", "it is a Parquet file", READ, {"usage.csv": PARQUET}),
    Case("what is not packed", "not a GZIP stream", READ.replace(".csv'", ".csv.gz'"), {"usage.csv.gz": USAGE}),
    Case(
        "half of a line of JSON",
        "Malformed JSON",
        READ.replace("read_csv('${data}/usage.csv')", "read_json('${data}/usage.json')"),
        {"usage.json": '{"account_id": "a", "event_time": "2024-01-01", "quantity": 1}\n{"account_id": "b", "ev'},
        is_=1,
    ),
]


class TestAdvice:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_followed_to_the_letter_the_source_opens(self, case: Case, tmp_path: Path) -> None:
        assert_advice_works(case, tmp_path)

    def test_several_faults_are_followed_together(self, tmp_path: Path) -> None:
        case = Case("", "", READ, values("a,03.04.2024,51-200", "b,13.04.2024,7"))
        assert followed(*broken(case, tmp_path)).query("SELECT sum(quantity) FROM usage") == [(58,)]
