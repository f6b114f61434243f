"""Parents that are no account, and accounts that are their own."""

from __future__ import annotations

from pathlib import Path

from features.readiness.parents import parent_lines
from features.sources.loader import open_source
from tests.kit.checked import account
from tests.kit.company import make_source


def test_parents_that_are_wrong_are_counted_and_weaken_nothing(tmp_path: Path) -> None:
    accounts = [account("a"), account("b", parent_id="a"), account("c", parent_id="gone"), account("d", parent_id="d")]
    found = list(parent_lines(make_source(tmp_path, {"accounts": accounts}), "accounts"))
    assert [(line.severity, line.column, line.rows) for line in found] == [("info", "parent_id", 1)] * 2
    assert "'gone'" in found[0].found
    assert "'d'" in found[1].found


def test_good_parents_and_none_are_no_matter(tmp_path: Path) -> None:
    accounts = [account("a"), account("b", parent_id="a")]
    source = make_source(tmp_path / "parents", {"accounts": accounts, "leads": [{"lead_id": "l", **account()}]})
    assert list(parent_lines(source, "accounts")) == list(parent_lines(source, "leads")) == []
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "accounts.sql").write_text("SELECT 'a' AS account_id, TIMESTAMP '2024-01-01' AS event_time")
    assert list(parent_lines(open_source(str(tmp_path / "none")), "accounts")) == []
