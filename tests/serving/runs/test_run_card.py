"""The card of a run: there from its begin, whole at its end, and its lock free when its process died."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.kit.file_lock import is_held
from serving.runs import run_card
from serving.runs.run_card import PUBLISHED, RUNNING, RunCard

BEGAN = datetime(2026, 11, 23, 2, 0, 0, tzinfo=UTC)
CARD = RunCard(state=RUNNING, source="sample", as_of="2026-11-23", started_at="2026-11-23T02:00:00Z")


class TestBegin:
    def test_it_runs_until_the_block_ends(self, tmp_path: Path) -> None:
        with run_card.begin(tmp_path, BEGAN, CARD) as written:
            (name,) = run_card.names(tmp_path)
            assert name.startswith("20261123T020000Z-")
            assert run_card.read(tmp_path, name) == CARD
            assert is_held(run_card.lock_of(tmp_path, name))
            written.write(RunCard(state=PUBLISHED, source="sample", as_of="2026-11-23", started_at="", run_id="a" * 16))
        found = run_card.read(tmp_path, name)
        assert found is not None
        assert (found.state, found.run_id) == (PUBLISHED, "a" * 16)
        assert not is_held(run_card.lock_of(tmp_path, name))
        assert [path.name for path in (tmp_path / "batches").iterdir()] == [f"{name}.json"], "no lock is left behind"
        assert json.loads((tmp_path / "batches" / f"{name}.json").read_text())["schema"] == 1

    def test_two_of_one_second_have_two_names(self, tmp_path: Path) -> None:
        with run_card.begin(tmp_path, BEGAN, CARD), run_card.begin(tmp_path, BEGAN, CARD):
            assert len(run_card.names(tmp_path)) == 2

    def test_old_cards_are_deleted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(run_card, "MOST_CARDS", 3)
        for second in range(6):
            with run_card.begin(tmp_path, BEGAN.replace(second=second), CARD):
                pass
        assert [name[13:16] for name in run_card.names(tmp_path)] == ["05Z", "04Z", "03Z"]
        assert len(list((tmp_path / "batches").iterdir())) == 3


class TestNames:
    def test_other_files_are_no_runs(self, tmp_path: Path) -> None:
        (tmp_path / "batches").mkdir()
        for name in ("notes.json", "20261123T020000Z-aaaaaa.json", "20261123T020000Z-aaaaaa.json.bak", "x.txt"):
            (tmp_path / "batches" / name).write_text("{}")
        assert run_card.names(tmp_path) == ["20261123T020000Z-aaaaaa"]
        assert run_card.names(tmp_path / "no home") == []
