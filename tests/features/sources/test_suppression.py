"""The list of suppressed ids: one file of the home, hashed, and never lost by damage to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.kit.errors import UserMistake
from features.sources.loader import open_source
from features.sources.suppression import FILE, Suppressed, hash_of_id
from tests.kit.company import at, make_source

ACME, OTHER = hash_of_id("account", "acme"), hash_of_id("account", "other")


def test_without_a_file_nobody_is_suppressed(tmp_path: Path) -> None:
    assert Suppressed.load(tmp_path) == Suppressed()
    assert Suppressed.load(tmp_path).of("crm") == {}


def test_what_is_saved_is_read_again_and_names_nobody(tmp_path: Path) -> None:
    saved = Suppressed({"account": {ACME: None}}, {"crm": {"lead": {hash_of_id("lead", "l1"): "l2"}}})
    saved.save(tmp_path)
    assert Suppressed.load(tmp_path) == saved
    assert "acme" not in (tmp_path / FILE).read_text()


def test_the_same_id_of_another_kind_has_another_hash() -> None:
    assert hash_of_id("account", "7") != hash_of_id("lead", "7")


def test_what_is_suppressed_everywhere_overrides_a_merge_in_one_source() -> None:
    """An account was merged in one CRM, and then erased: nothing of it remains anywhere."""
    both = Suppressed({"account": {ACME: None}}, {"crm": {"account": {ACME: "other", OTHER: "third"}}})
    assert both.of("crm") == {"account": {ACME: None, OTHER: "third"}}
    assert both.of("another") == {"account": {ACME: None}}


def test_an_unchanged_list_is_not_written_again(tmp_path: Path) -> None:
    suppressed = Suppressed({"account": {ACME: None}})
    suppressed.save(tmp_path)
    before = (tmp_path / FILE).stat().st_ino
    suppressed.save(tmp_path)
    assert (tmp_path / FILE).stat().st_ino == before
    Suppressed({"account": {OTHER: None}}).save(tmp_path)
    assert (tmp_path / FILE).stat().st_ino != before


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"everywhere": {}}'])
def test_a_damaged_file_brings_nobody_back(tmp_path: Path, damage: str) -> None:
    company = {"accounts": [{"account_id": "acme", "event_time": at("2024-01-01")}]}
    folder = make_source(tmp_path / "crm", company).folder
    (tmp_path / FILE).write_text(damage)
    with pytest.raises(UserMistake, match="privacy publish"):
        open_source(str(folder), folder, home=tmp_path)
