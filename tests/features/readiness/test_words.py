"""Words of a column that nobody understands are counted."""

from __future__ import annotations

from pathlib import Path

from tests.kit.checked import account, lines, query_of, wrapped
from tests.kit.company import at, make_source


class TestWords:
    def test_other_spellings_are_told_and_unknown_words_weaken(self, tmp_path: Path) -> None:
        rows = [
            {"account_id": "a", "event_time": at("2024-02-01"), "kind": word} for word in ("Call", "call", "fax", "fax")
        ]
        source = make_source(tmp_path, {"accounts": [account()], "touches": rows})
        (read,) = lines(source, "touches", "another spelling")
        assert (read.severity, read.rows, read.found) == ("info", 1, "'Call' as call (1)")
        (strange,) = lines(source, "touches", "its words are those")
        assert (strange.severity, strange.rows, strange.found) == ("weakens", 2, "'fax' (2)")
        assert "demo_request" in strange.needed
        source = wrapped(tmp_path, "touches", query_of(strange).replace("'...'", "'call'"))
        assert lines(source, "touches", "its words are those") == []
        assert source.query("SELECT DISTINCT kind FROM touches") == [("call",)]
