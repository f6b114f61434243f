"""What to write in the place of a name that a SELECT has wrong: followed to the letter, the source opens."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.kit.errors import BadInput
from features.sources import name_advice
from features.sources.loader import open_source
from tests.kit.broken_sources import (
    READ,
    USAGE,
    Case,
    assert_advice_works,
    broken,
    followed,
)

CASES = [
    Case(
        "a word of SQL",
        'line 1: syntax error at or near "AS"',
        "SELECT account_id, at AS event_time FROM (SELECT account_id, event_time AS at FROM read_csv('${data}/usage.csv'))",
        {"usage.csv": USAGE},
    ),
    Case("a misspelt word", "SELEKT", READ.replace("SELECT", "SELEKT"), {"usage.csv": USAGE}),
    Case("an open quote", "unterminated", READ + " WHERE account_id <> 'b", {"usage.csv": USAGE}),
    Case(
        "a misspelt column",
        'column "acount_id" not found',
        READ.replace("account_id", "acount_id AS account_id"),
        {"usage.csv": USAGE},
    ),
    Case(
        "a column with blanks",
        "Acount Id",
        "SELECT \"Acount Id\" AS account_id, event_time FROM read_csv('${data}/u.csv')",
        {"u.csv": "Account Id,event_time\na,2024-01-01\nb,2024-01-02\n"},
    ),
    Case(
        "a table that is a file",
        "usage_events does not exist",
        "SELECT account_id, event_time FROM usage_events",
        {"usage_events.csv": USAGE},
    ),
    Case(
        "a misspelt function",
        "strftim",
        READ.replace("quantity", "CAST(strftim(event_time, '%d') AS INTEGER) AS quantity"),
        {"usage.csv": USAGE},
        "sum(quantity)",
        3,
    ),
    Case("a misspelt reader", "read_cs does not exist", READ.replace("read_csv", "read_cs"), {"usage.csv": USAGE}),
    Case(
        "a type that is none",
        "STRINGG does not exist",
        READ.replace("account_id", "account_id::STRINGG AS account_id"),
        {"usage.csv": USAGE},
    ),
    Case("a misspelt file", "No files found", READ, {"usages.csv": USAGE}),
    Case("a file in a folder", "No files found", READ, {"exports/usage.csv": USAGE}),
    Case("the folder without its sign", "No files found", READ.replace("${data}", "{data}"), {"usage.csv": USAGE}),
    Case(
        "a comma that lacks",
        "write a comma before event_time",
        READ.replace("account_id, event_time, quantity", "account_id AS account_id event_time"),
        {"usage.csv": USAGE},
    ),
    Case("a bracket that is open", "syntax error", READ[:-1], {"usage.csv": USAGE}),
]


class TestAdvice:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_followed_to_the_letter_the_source_opens(self, case: Case, tmp_path: Path) -> None:
        assert_advice_works(case, tmp_path)

    def test_an_empty_folder_is_not_said_to_be_absent(self, tmp_path: Path) -> None:
        source, data = broken(Case("", "", READ.replace("usage.csv", "exports")), tmp_path)
        (data / "exports").mkdir()
        with pytest.raises(BadInput, match=r"put the files into '.*exports', which is a folder"):
            open_source(str(source), data)
        (data / "exports/usage.csv").write_text(USAGE)
        assert open_source(str(source), data).query("SELECT count(*) FROM usage") == [(2,)]

    TWO = 'SELECT account_id, at AS event_time FROM (SELECT account_id, event_time AS "at" FROM read_csv(\'${data}/usage.csv\')) WHERE "at" IS NOT NUL'

    def test_a_word_of_sql_is_named_before_another_fault(self, tmp_path: Path) -> None:
        source, data = broken(Case("", "", self.TWO, {"usage.csv": USAGE}), tmp_path)
        with pytest.raises(BadInput, match="NULL in the place of NUL"):
            followed(source, data)
        assert followed(source, data).query("SELECT count(*) FROM usage") == [(2,)]

    def test_the_twin_that_asks_for_a_whole_parse_has_no_advice_for_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(name_advice, "_gets_further", lambda run, tried: name_advice._parses(tried))
        with pytest.raises(AssertionError, match="nothing to follow in: mend the SELECT at the caret"):
            followed(*broken(Case("", "", self.TWO, {"usage.csv": USAGE}), tmp_path))
