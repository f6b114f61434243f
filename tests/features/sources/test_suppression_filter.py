"""Who is gone is in no table of a source, whatever its files still say; a merged one's rows belong to the one that remains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from features.panel.build import build_panel
from features.sources.loader import open_source
from features.sources.source import Source
from features.sources.suppression import Suppressed, hash_of_id
from features.sources.time_bounds import Bounds
from tests.kit.company import at, make_source

DAY = {"event_time": at("2024-01-05")}


COMPANY: dict[str, list[dict[str, Any]]] = {
    "accounts": [{"account_id": name, "kind": "customer", **DAY} for name in ("a", "b", "c")],
    "contacts": [{"contact_id": f"{name}1", "account_id": name, **DAY} for name in ("a", "b")],
    "leads": [{"lead_id": "l1", "account_id": "a", **DAY}, {"lead_id": "l2", "account_id": None, **DAY}],
    "touches": [
        {"kind": "call", "account_id": "a", "lead_id": "l1", "contact_id": "a1", **DAY},
        {"kind": "call", "account_id": "a", **DAY},
        {"kind": "call", "lead_id": "l1", **DAY},
        {"kind": "call", "lead_id": "l2", **DAY},
        {"kind": "call", **DAY},
    ],
    "subscriptions": [
        {"subscription_id": f"s{name}", "account_id": name, "status": "active", "mrr": 10.0, **DAY}
        for name in ("a", "b")
    ],
    "usage": [{"account_id": name, "user_id": "u", **DAY} for name in ("a", "a", "b")],
    "lead_labels": [{"lead_id": "l1", "converted": True, **DAY}],
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACCOUNTSCORE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def opened(tmp_path: Path, home: Path, everywhere: Any = (), here: Any = (), tables: Any = COMPANY) -> Source:
    """The company without those who are gone; `here` has what one source knows of."""

    def marks(found: Any) -> dict[str, dict[str, str | None]]:
        kinds: dict[str, dict[str, str | None]] = {}
        for kind, name, remains in found:
            kinds.setdefault(kind, {})[hash_of_id(kind, name)] = remains
        return kinds

    Suppressed(marks(everywhere), {"crm": marks(here)}).save(home)
    return make_source(tmp_path / "crm", tables)


def rows(source: Source, table: str, *columns: str) -> list[Any]:
    found = source.query(f"SELECT {', '.join(columns)} FROM {table} ORDER BY ALL")
    return [row[0] if len(columns) == 1 else row for row in found]


def test_without_a_list_nobody_is_left_out(tmp_path: Path, home: Path) -> None:
    source = make_source(tmp_path / "crm", COMPANY)
    assert rows(source, "accounts", "account_id") == ["a", "b", "c"]
    assert source.suppression.digest == ""


def test_an_erased_account_is_nowhere(tmp_path: Path, home: Path) -> None:
    source = opened(tmp_path, home, [("account", "a", None)])
    assert rows(source, "accounts", "account_id") == ["b", "c"]
    assert rows(source, "subscriptions", "account_id") == rows(source, "usage", "account_id") == ["b"]
    # What may do without it stays without it; a call with nobody else is gone, one that named nobody stays.
    assert rows(source, "leads", "lead_id", "account_id") == [("l1", None), ("l2", None)]
    assert rows(source, "contacts", "contact_id", "account_id") == [("a1", None), ("b1", "b")]
    touches = rows(source, "touches", "account_id", "lead_id", "contact_id")
    assert touches == [(None, "l1", "a1"), (None, "l1", None), (None, "l2", None), (None, None, None)]
    panel = build_panel(source, "account", [at("2024-02-01")], only=[])
    assert sorted(panel["entity_id"].to_pylist()) == ["b", "c"]


def test_an_erased_person_is_nowhere(tmp_path: Path, home: Path) -> None:
    source = opened(tmp_path, home, [("lead", "l1", None), ("contact", "a1", None)])
    assert rows(source, "leads", "lead_id") == ["l2"]
    assert rows(source, "contacts", "contact_id") == ["b1"]
    assert rows(source, "lead_labels", "lead_id") == []
    touches = rows(source, "touches", "account_id", "lead_id", "contact_id")
    assert touches == [("a", None, None), ("a", None, None), (None, "l2", None), (None, None, None)]


def test_what_was_merged_belongs_to_the_one_that_remains(tmp_path: Path, home: Path) -> None:
    source = opened(tmp_path, home, here=[("account", "a", "b"), ("lead", "l1", "l2")])
    assert rows(source, "accounts", "account_id") == ["b", "c"]
    assert rows(source, "subscriptions", "subscription_id", "account_id") == [("sa", "b"), ("sb", "b")]
    assert rows(source, "usage", "account_id") == ["b", "b", "b"]
    assert rows(source, "contacts", "account_id") == ["b", "b"]
    assert rows(source, "leads", "lead_id") == rows(source, "lead_labels", "lead_id") == ["l2"]
    assert rows(source, "touches", "lead_id") == ["l2", "l2", "l2", None, None]


def test_entities_merged_into_a_new_one_take_its_id(tmp_path: Path, home: Path) -> None:
    """HubSpot gives the merged record a new id: until the source has it, the rows that there are take it."""
    source = opened(tmp_path, home, here=[("account", "a", "new"), ("account", "b", "new")])
    assert rows(source, "accounts", "account_id") == ["c", "new", "new"]
    panel = build_panel(source, "account", [at("2024-02-01")], only=[])
    assert sorted(panel["entity_id"].to_pylist()) == ["c", "new"]


def test_a_parent_that_is_gone_is_named_no_more_and_a_merged_one_by_the_one_that_remains(
    tmp_path: Path, home: Path
) -> None:
    parents = {"a": None, "b": "a", "c": "b", "d": "gone"}
    tables = {"accounts": [{"account_id": name, "parent_id": parent, **DAY} for name, parent in parents.items()]}

    def found(**suppressed: Any) -> dict[str, str | None]:
        return dict(rows(opened(tmp_path, home, **suppressed, tables=tables), "accounts", "account_id", "parent_id"))

    assert found(everywhere=[("account", "a", None)]) == {"b": None, "c": "b", "d": "gone"}
    assert found(everywhere=[("account", "gone", None)]) == {**parents, "d": None}
    assert found(here=[("account", "b", "d")]) == {"a": None, "c": "d", "d": "gone"}
    assert found() == parents


def test_a_deletion_in_one_source_does_not_affect_another(tmp_path: Path, home: Path) -> None:
    opened(tmp_path, home, here=[("account", "a", None)])
    assert rows(make_source(tmp_path / "other", COMPANY), "accounts", "account_id") == ["a", "b", "c"]


def test_numeric_ids_are_suppressed_too(tmp_path: Path, home: Path) -> None:
    opened(tmp_path, home, [("account", "2", None)])
    (tmp_path / "crm" / "accounts.sql").write_text(
        "SELECT n AS account_id, TIMESTAMP '2024-01-01' AS event_time FROM range(1, 4) t(n)"
    )
    assert rows(open_source(str(tmp_path / "crm"), tmp_path / "crm"), "accounts", "account_id") == ["1", "3"]


def test_a_table_that_stays_in_its_files_leaves_out_the_same_entities(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large event tables are scanned by statements on their own columns; these leave out the same."""
    monkeypatch.setattr("features.sources.loader.VIEW_ABOVE_ROWS", 1)
    source = opened(tmp_path, home, [("account", "b", None)], [("account", "a", "c")])
    assert "usage" in source.scans
    for known_since in (None, 0):
        recent = source.query(f"SELECT account_id FROM ({source.recent('usage', Bounds(0, known_since))})")
        assert recent == [("c",), ("c",)]


def test_the_sabotaged_twin_leaves_nobody_out(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that does not ask who is gone is caught by the first test of this file's kind."""
    monkeypatch.setattr(Suppressed, "of", lambda _self, _source: {})
    assert rows(opened(tmp_path, home, [("account", "a", None)]), "accounts", "account_id") == ["a", "b", "c"]
