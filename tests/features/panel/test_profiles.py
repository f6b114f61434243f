"""Profiles are read as of a moment, and say of money, renewal and plan what the signals say."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from features.kit.clock import DAY_US, to_us
from features.panel.build import build_panel
from features.panel.profiles import COLUMNS, MEASURES, profile_parts
from features.signals.signal import Entity
from features.sources.loader import open_source
from features.sources.source import Source
from tests.kit.company import at, make_source, random_company
from tests.kit.notes import line, write_notes

AS_OF = at("2024-05-16")


def profiles(
    source: Source, entity: Entity = "account", as_of: dt.datetime = AS_OF, rows: int = 100, ids: Any = None
) -> dict[str, dict[str, Any]]:
    found = pa.concat_tables(profile_parts(source, entity, as_of, rows, ids)).to_pylist()
    return {row.pop("entity_id"): row for row in found}


def account(key: str, day: str = "2024-01-01", **columns: Any) -> dict[str, Any]:
    return {"account_id": key, "event_time": at(day), **columns}


def contract(name: str, day: str, mrr: float = 100.0, status: str = "active", **columns: Any) -> dict[str, Any]:
    return {"subscription_id": name, "account_id": "a", "event_time": at(day), "status": status, "mrr": mrr, **columns}


class TestAccounts:
    def test_says_what_was_known(self, tmp_path: Path) -> None:
        told = {"name": "Acme", "domain": "acme.com", "owner": "Kim Lee", "parent_id": "g", "target_tier": "1"}
        tables = {
            "accounts": [account("a", **told), account("b"), account("g", "2024-01-02", name="Group")],
            "subscriptions": [
                contract("s", "2024-02-01", plan="pro", term_end=at("2025-02-01")),
                contract("t", "2024-03-01", 50.0, plan="basic", term_end=at("2024-09-01")),
                contract("u", "2024-03-01", 70.0, "ended", plan="zeta", term_end=at("2024-06-01")),
            ],
        }
        found = profiles(make_source(tmp_path, tables))
        assert found["a"] == {
            **told,
            "arr": 1_800.0,  # 12 x (100 + 50): what ended is not paid
            "renewal_us": to_us(at("2024-09-01")),  # of the one that ends first
            "plan": "pro",
            "acted_us": None,
        }
        assert found["b"] == {**dict.fromkeys(COLUMNS), "arr": 0.0}
        assert list(found) == ["a", "b", "g"]

    def test_nothing_that_came_later(self, tmp_path: Path) -> None:
        """A row at `as_of` itself, one known only later, and one of an account that came later."""
        tables = {
            "accounts": [
                account("a", owner="Kim"),
                account("a", "2024-05-16", owner="Lou"),
                account("a", "2024-04-01", owner="Max", known_time=at("2024-05-17")),
                account("b", "2024-05-16"),
            ],
            "subscriptions": [contract("s", "2024-02-01"), contract("s", "2024-05-16", 200.0)],
        }
        source = make_source(tmp_path, tables)
        found = profiles(source)
        assert (list(found), found["a"]["owner"], found["a"]["arr"]) == (["a"], "Kim", 1_200.0)
        later = profiles(source, as_of=at("2024-05-18"))
        assert (later["a"]["owner"], later["a"]["arr"], list(later)) == ("Lou", 2_400.0, ["a", "b"])

    def test_the_newest_version_counts_also_where_it_says_nothing(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"accounts": [account("a", owner="Kim"), account("a", "2024-02-01")]})
        assert profiles(source)["a"]["owner"] is None

    def test_an_account_is_not_its_own_parent(self, tmp_path: Path) -> None:
        """As after a merge of the two."""
        source = make_source(tmp_path, {"accounts": [account("a", parent_id="a"), account("b", parent_id="a")]})
        assert [row["parent_id"] for row in profiles(source).values()] == [None, "a"]

    def test_a_source_of_two_columns_has_profiles(self, tmp_path: Path) -> None:
        (tmp_path / "accounts.sql").write_text("SELECT 'a' AS account_id, TIMESTAMP '2024-01-01' AS event_time")
        assert profiles(open_source(str(tmp_path))) == {"a": dict.fromkeys(COLUMNS)}


class TestLeads:
    def test_a_company_and_its_domain_and_nothing_of_the_person(self, tmp_path: Path) -> None:
        def lead(name: str, email: str | None) -> dict[str, Any]:
            person = {"title": "canary", "department": "canary"}
            return {"lead_id": name, "event_time": at("2024-01-01"), "email": email, "company": f"Of {name}", **person}

        leads = [
            lead("l1", "canary@Acme.com "),
            lead("l2", "canary@gmail.com"),
            lead("l3", None),
            {**lead("l4", "canary"), "owner": "Kim", "account_id": "a"},
        ]
        found = profiles(make_source(tmp_path, {"leads": leads}), "lead")
        assert {name: (row["name"], row["domain"], row["owner"]) for name, row in found.items()} == {
            "l1": ("Of l1", "acme.com", None),
            "l2": ("Of l2", None, None),
            "l3": ("Of l3", None, None),
            "l4": ("Of l4", None, "Kim"),
        }
        assert {name: row["parent_id"] for name, row in found.items()} == {
            "l1": None,
            "l2": None,
            "l3": None,
            "l4": "a",
        }
        assert "canary" not in repr(found)


class TestActedUpon:
    """When somebody last acted, as the source says."""

    ACTIONS: ClassVar[list[dict[str, Any]]] = [
        {"kind": "call", "event_time": at("2024-03-01"), "account_id": "a"},
        {"kind": "visit", "event_time": at("2024-04-01"), "account_id": "a", "lead_id": "l1"},
        {"kind": "call", "event_time": at("2024-02-01"), "account_id": "a", "known_time": at("2024-05-16")},
        {"kind": "call", "event_time": at("2024-05-16"), "account_id": "b"},
        {"kind": "campaign", "event_time": at("2024-05-01")},
    ]

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        leads = [{"lead_id": name, "event_time": at("2024-01-01")} for name in ("l1", "l2")]
        tables = {"accounts": [account("a"), account("b")], "leads": leads, "actions": self.ACTIONS}
        return make_source(tmp_path / "crm", tables).folder

    def acted(self, source: Source, entity: Entity = "account", **given: Any) -> dict[str, Any]:
        return {name: row["acted_us"] for name, row in profiles(source, entity, **given).items()}

    def test_the_newest_that_was_known(self, folder: Path) -> None:
        source = open_source(str(folder), folder)
        april, may = to_us(at("2024-04-01")), to_us(at("2024-05-16"))
        assert self.acted(source) == {"a": april, "b": None}
        assert self.acted(source, as_of=at("2024-05-17")) == {"a": april, "b": may}
        assert self.acted(source, "lead") == {"l1": april, "l2": None}
        assert self.acted(source, ids=["b"]) == {"b": None}

    def test_notes_are_apart(self, folder: Path, tmp_path: Path) -> None:
        """They can be withdrawn, and lists read them from the store."""
        write_notes(
            tmp_path, line("a", "call", "2024-05-01", kind="action"), line("b", "call", "2024-05-01", kind="action")
        )
        source = open_source(str(folder), folder, home=tmp_path)
        assert source.rows("actions") == len(self.ACTIONS) + 2
        assert self.acted(source) == {"a": to_us(at("2024-04-01")), "b": None}

    def test_a_source_whose_actions_are_notes_alone(self, tmp_path: Path) -> None:
        folder = make_source(tmp_path / "crm", {"accounts": [account("a")]}).folder
        write_notes(tmp_path, line("a", "call", "2024-05-01", kind="action"))
        source = open_source(str(folder), folder, home=tmp_path)
        assert (source.rows("actions"), self.acted(source)) == (1, {"a": None})


class TestParts:
    @pytest.fixture
    def source(self, tmp_path: Path) -> Source:
        return make_source(tmp_path, random_company(3, accounts=9))

    @pytest.mark.parametrize("entity", ["account", "lead"])
    def test_the_entities_of_a_panel_with_its_money_renewal_and_plan(self, source: Source, entity: Entity) -> None:
        panel = build_panel(source, entity, [AS_OF])
        found = profiles(source, entity)
        assert list(found) == panel["entity_id"].to_pylist()
        if entity == "account":
            assert [row["arr"] for row in found.values()] == panel["value"].to_pylist()
            assert [row["plan"] for row in found.values()] == panel["plan"].to_pylist()
            days = [
                None if (us := row["renewal_us"]) is None else (us - to_us(AS_OF)) // DAY_US for row in found.values()
            ]
            assert days == panel["days_to_renewal"].to_pylist()
            assert len(set(days)) > 2

    def test_parts_are_as_large_as_asked_for_and_sorted(self, source: Source) -> None:
        parts = [part["entity_id"].to_pylist() for part in profile_parts(source, "account", AS_OF, 4)]
        assert [len(part) for part in parts[:-1]] == [4] * (len(parts) - 1)
        assert sorted(every := [name for part in parts for name in part]) == every

    def test_some_ids(self, source: Source) -> None:
        every = profiles(source)
        some = sorted(every)[2:4]
        assert profiles(source, ids=[*some, "nobody"]) == {name: every[name] for name in some}
        assert profiles(source, ids=[]) == {}


def test_no_column_is_read_from_a_person() -> None:
    """Twin: the columns of people that the tables have are not among those that profiles read."""
    read = {column for measures in MEASURES.values() for each in measures.values() for column in each.needs}
    assert read & {"title", "department", "seniority", "contact_id", "user_id"} == set()
    assert {each.table for measures in MEASURES.values() for each in measures.values()} == {
        "accounts",
        "leads",
        "subscriptions",
    }
