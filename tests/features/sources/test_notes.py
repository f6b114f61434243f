"""Where notes stand in a home, and what a line of them has."""

from __future__ import annotations

from pathlib import Path

from features.sources.notes import NoteLine, files_of
from tests.kit.notes import line, write_notes


def test_files_are_found_by_month_and_half_written_ones_are_not(tmp_path: Path) -> None:
    assert files_of(tmp_path) == []
    later, earlier = write_notes(tmp_path, month="2025-02"), write_notes(tmp_path, month="2025-01")
    (earlier.parent / ".2025-01.jsonl.partial").touch()
    assert files_of(tmp_path) == [earlier, later]


def test_a_line_has_no_free_text() -> None:
    assert set(NoteLine.__annotations__) == line("acme", "churned", "2024-01-01").keys()
    assert "note" not in NoteLine.__annotations__
