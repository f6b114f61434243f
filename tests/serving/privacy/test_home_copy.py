"""The home's copy of what protects somebody, from which a store that was lost learns it."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.sources.suppression import FILE as REMOVED
from features.sources.suppression import Suppressed
from serving.privacy import home_copy
from serving.privacy.home_copy import FILE
from serving.privacy.protections import Protections

ERASED = {"kind": "account", "id_hash": "e" * 64, "erased_at": 3, "taken_back_at": None}
OBJECTION = {"entity": "lead", "id_hash": "o" * 64, "since": 4, "taken_back_at": None}
REMOVAL = {
    "source": "sample",
    "entity": "lead",
    "id_hash": "d" * 64,
    "occurred_at": 5,
    "state": "merged",
    "into": "lead_7",
}
HELD = Protections([ERASED], [OBJECTION], [REMOVAL])


class TestSave:
    def test_what_was_saved_is_loaded(self, tmp_path: Path) -> None:
        home_copy.save(tmp_path, HELD)
        assert home_copy.load(tmp_path) == HELD
        assert (tmp_path / FILE).stat().st_mode & 0o077 == 0

    def test_what_was_taken_back_or_brought_back_is_not_in_it(self, tmp_path: Path) -> None:
        ended = Protections(
            [{**ERASED, "taken_back_at": 9}], [{**OBJECTION, "taken_back_at": 9}], [{**REMOVAL, "state": "present"}]
        )
        home_copy.save(tmp_path, ended)
        assert home_copy.load(tmp_path) == Protections()

    def test_the_same_again_is_not_written(self, tmp_path: Path) -> None:
        home_copy.save(tmp_path, HELD)
        before = (tmp_path / FILE).stat().st_ino
        home_copy.save(tmp_path, HELD)
        assert (tmp_path / FILE).stat().st_ino == before
        home_copy.save(tmp_path, Protections())
        assert (tmp_path / FILE).stat().st_ino != before


class TestIsWritten:
    def test_a_home_without_the_file_tells_nothing(self, tmp_path: Path) -> None:
        assert home_copy.is_written(tmp_path, Protections())
        assert not home_copy.is_written(tmp_path, HELD)

    def test_a_file_that_cannot_be_read_tells_nothing_either(self, tmp_path: Path) -> None:
        (tmp_path / FILE).mkdir()
        assert not home_copy.is_written(tmp_path, Protections())


class TestLoad:
    @pytest.mark.parametrize("content", [None, "", '{"erased": [[1]]}', "[]"])
    def test_without_a_good_file_the_readers_file_tells_it_as_older_than_all_else(
        self, tmp_path: Path, content: str | None
    ) -> None:
        Suppressed({"account": {"e" * 64: None}}, {"sample": {"lead": {"d" * 64: "lead_7", "x" * 64: None}}}).save(
            tmp_path
        )
        if content is not None:
            (tmp_path / FILE).write_text(content)
        found = home_copy.load(tmp_path)
        assert found.tombstones == [{**ERASED, "erased_at": 0}]
        assert found.objections == []
        assert found.removals == [
            {**REMOVAL, "occurred_at": 0},
            {**REMOVAL, "id_hash": "x" * 64, "occurred_at": 0, "state": "deleted", "into": None},
        ]

    def test_a_home_whose_files_are_all_damaged_tells_nothing(self, tmp_path: Path) -> None:
        for name in (FILE, REMOVED):
            (tmp_path / name).write_text("{")
        assert home_copy.load(tmp_path) == Protections()
