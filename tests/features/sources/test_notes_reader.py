"""Notes of the home are added to every source that is opened, and replace nothing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from features.kit.errors import UserMistake
from features.sources.fingerprint import fingerprint
from features.sources.loader import open_source
from features.sources.notes import TOLD
from features.sources.source import Source
from features.sources.suppression import Suppressed, hash_of_id
from tests.kit.company import at, make_source
from tests.kit.notes import line, write_notes

COMPANY: dict[str, list[dict[str, Any]]] = {
    "accounts": [{"account_id": name, "event_time": at("2024-01-01")} for name in ("acme", "beta")],
    "leads": [{"lead_id": "l1", "event_time": at("2024-01-01")}],
    "usage": [{"account_id": "acme", "event_time": at("2025-01-01")}],
}
ACTIONS = [{"kind": "visit", "event_time": at("2024-05-01"), "account_id": "beta"}]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def opened(home: Path, company: Any = None) -> Source:
    folder = make_source(home.parent / "crm", COMPANY if company is None else company).folder
    return open_source(str(folder), folder, home=home)


def actions(source: Source) -> list[tuple[Any, ...]]:
    found = source.arrow("actions", ["kind", "account_id", "lead_id", "event_time", "known_time"]).to_pylist()
    return sorted(tuple(row.values()) for row in found)


def outcomes(source: Source) -> list[tuple[Any, ...]]:
    return source.query(f"SELECT entity, entity_id, word FROM {TOLD} ORDER BY ALL")


class TestActions:
    def test_a_source_without_actions_gets_the_table(self, home: Path) -> None:
        before = opened(home)
        write_notes(home, line("acme", "call", "2024-06-01", "2024-06-03", kind="action"))
        source = opened(home)
        assert (before.has("actions"), source.has("actions", "account_id"), source.has("actions", "lead_id")) == (
            False,
            True,
            False,
        )
        assert actions(source) == [("call", "acme", None, at("2024-06-01"), at("2024-06-03"))]
        assert source.observed == before.observed, "what people did is no observation of the company"

    def test_those_of_a_source_stay(self, home: Path) -> None:
        company = {**COMPANY, "actions": [{**ACTIONS[0], "custom": "x"}]}
        before = actions(opened(home, company))
        write_notes(home, line("l1", "call", "2024-06-01", entity="lead", kind="action"))
        source = opened(home, company)
        assert actions(source) == sorted(
            [*before, ("call", None, "l1", at("2024-06-01"), at("2024-06-01"))], key=lambda r: r[0]
        )
        assert source.custom["actions"] == ("custom",)

    def test_a_table_with_a_fault_stays_broken(self, home: Path) -> None:
        folder = make_source(home.parent / "crm", COMPANY).folder
        (folder / "actions.sql").write_text("SELECT 1 AS nothing")
        write_notes(home, line("acme", "call", "2024-06-01", kind="action"))
        source = open_source(str(folder), folder, keep_going=True, home=home)
        assert "actions" in source.broken
        assert not source.has("actions")


class TestOutcomes:
    def test_they_stand_beside_the_canonical_tables(self, home: Path) -> None:
        before = opened(home)
        write_notes(
            home, line("acme", "churned", "2024-06-01"), line("l1", "won", "2024-06-01", entity="lead"), month="2024-06"
        )
        write_notes(home, line("beta", "churned", "2024-07-01"), month="2024-07")
        source = opened(home)
        assert outcomes(source) == [
            ("account", "acme", "churned"),
            ("account", "beta", "churned"),
            ("lead", "l1", "won"),
        ]
        assert (source.tables, source.observed) == (before.tables, before.observed)

    def test_without_notes_there_is_no_table_and_the_same_fingerprint(self, home: Path) -> None:
        before = fingerprint(opened(home))
        write_notes(home)
        assert (opened(home).told_outcomes, fingerprint(opened(home))) == (0, before)
        write_notes(home, line("acme", "churned", "2024-06-01"))
        assert fingerprint(opened(home)) != before

    def test_those_about_nobody_here_are_left_out(self, home: Path) -> None:
        write_notes(home, line("stranger", "churned", "2024-06-01"), line("acme", "won", "2024-06-01", entity="lead"))
        assert opened(home).told_outcomes == 0

    def test_a_line_that_is_there_twice_counts_once_as_it_was_told_last(self, home: Path) -> None:
        """A correction moves a note to another month: a reader between the two writes sees both."""
        first = line("acme", "churned", "2024-06-01", "2024-06-02")
        write_notes(home, first, month="2024-06")
        write_notes(
            home, {**first, "event_us": first["event_us"] + 5, "known_us": first["known_us"] + 9}, month="2024-07"
        )
        assert opened(home).query(f"SELECT event_us - {first['event_us']} FROM {TOLD}") == [(5,)]


class TestSuppressed:
    def test_notes_of_the_erased_are_left_out_and_those_of_the_merged_move(self, home: Path) -> None:
        write_notes(
            home,
            line("acme", "churned", "2024-06-01"),
            line("acme", "call", "2024-06-01", kind="action"),
            line("l1", "won", "2024-06-01", entity="lead"),
        )
        Suppressed(
            {"lead": {hash_of_id("lead", "l1"): None}}, {"crm": {"account": {hash_of_id("account", "acme"): "beta"}}}
        ).save(home)
        source = opened(home)
        assert outcomes(source) == [("account", "beta", "churned")]
        assert [row[1] for row in actions(source)] == ["beta"]


class TestDamage:
    @pytest.mark.parametrize(
        "content",
        ["", "nonsense\n", "[]\n", '{"format": 99, "generation": 1}\n', '{"format": 1, "generation": 1}\n{"id": \n'],
    )
    def test_a_damaged_file_is_not_taken_for_no_notes(self, home: Path, content: str) -> None:
        write_notes(home).write_text(content)
        with pytest.raises(UserMistake, match="privacy publish"):
            opened(home)

    def test_a_later_field_does_not_stop_an_earlier_version(self, home: Path) -> None:
        write_notes(home, {**line("acme", "churned", "2024-06-01"), "later": dt.date(2024, 1, 1).isoformat()})
        assert opened(home).told_outcomes == 1
