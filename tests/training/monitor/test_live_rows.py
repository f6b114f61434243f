"""The rows that a live model is watched by: what was known by then, who was acted upon, and what cannot be read."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import numpy as np
import pytest

from features.kit.errors import BadInput, UserMistake
from features.sources.loader import SHIPPED, open_source
from models.catalog import get_model
from models.scorer.scorer import Scorer
from tests.kit.company import Rows, at, make_source
from tests.kit.notes import line, write_notes
from tests.kit.watched import LEADS, NOW, watched
from training.monitor.live_rows import acted_upon, observe


class TestRipeAndPending:
    def test_nothing_after_as_of_is_known(self, home: Path) -> None:
        source = open_source("sample", home / "steady")
        early = NOW - dt.timedelta(days=84)
        rows = observe(Scorer.load(home / "scorer"), LEADS, source, early)
        assert rows.so_far[rows.time == rows.time.max()].sum() == 0
        assert rows.ripe.sum() < watched(home, "steady").ripe.sum()


class TestRefusals:
    def test_a_source_that_lacks_a_signal_is_refused(self, home: Path, tmp_path: Path) -> None:
        shutil.copytree(SHIPPED / "sample", tmp_path / "sample")
        (tmp_path / "sample" / "touches.sql").unlink()
        source = open_source(str(tmp_path / "sample"), home / "steady")
        with pytest.raises(BadInput, match="no longer offers it"):
            observe(Scorer.load(home / "scorer"), LEADS, source, NOW)

    def test_a_date_before_the_end_of_training_is_refused(self, home: Path) -> None:
        with pytest.raises(UserMistake, match="give a later one"):
            observe(Scorer.load(home / "scorer"), LEADS, open_source("sample", home / "steady"), at("2025-01-01"))


class TestActions:
    def test_an_action_counts_within_the_window_and_once_known(self, tmp_path: Path) -> None:
        """Within the window of the row, known by now; of a lead's company when the action names no lead."""
        source = make_source(
            tmp_path / "s",
            {
                "accounts": [{"account_id": a, "event_time": at("2024-01-01")} for a in ("a", "b", "c")],
                "leads": [
                    {"lead_id": f"l{a}", "account_id": a, "event_time": at("2024-01-01")} for a in ("a", "b", "c")
                ],
                "actions": [
                    {"account_id": "a", "event_time": at("2025-03-10"), "kind": "call"},
                    {"account_id": "b", "event_time": at("2025-01-10"), "kind": "call"},
                    {"account_id": "c", "event_time": at("2025-03-10"), "known_time": at("2025-09-01"), "kind": "call"},
                    {"account_id": "c", "lead_id": "lb", "event_time": at("2025-03-10"), "kind": "offer"},
                ],
            },
        )
        as_of, now = int(at("2025-03-01").timestamp() * 1e6), int(at("2025-08-01").timestamp() * 1e6)
        times = np.full(3, as_of)

        def meant(model: str, names: str, now: int = now) -> list[bool]:
            found = acted_upon(source, get_model(model), np.array(names.split()), times, now)
            assert found is not None
            return [bool(v) for v in found]

        assert meant("churn-risk", "a b c") == [True, False, True], "the offer to the lead of b names the account c"
        assert meant("lead-fit", "la lb lc") == [True, True, False], "c's own call was not known by now"
        assert meant("lead-fit", "la lb lc", now + 365 * 86_400_000_000) == [True, True, True]

    def test_notes_add_to_the_actions_of_a_source_once_they_were_told(self, tmp_path: Path) -> None:
        rows: Rows = {"accounts": [{"account_id": a, "event_time": at("2024-01-01")} for a in ("a", "b")]}
        own: Rows = {"actions": [{"account_id": "b", "event_time": at("2025-03-10"), "kind": "call"}]}
        write_notes(tmp_path, line("a", "call", "2025-03-12", "2025-07-01", kind="action"))
        times = np.full(2, int(at("2025-03-01").timestamp() * 1e6))
        for tables, before in (({**rows, **own}, [False, True]), (rows, [False, False])):
            folder = make_source(tmp_path / f"s{len(tables)}", tables).folder
            source = open_source(str(folder), folder, home=tmp_path)
            for now, expected in (("2025-06-01", before), ("2025-08-01", [True, before[1]])):
                moment = int(at(now).timestamp() * 1e6)
                found = acted_upon(source, get_model("churn-risk"), np.array(["a", "b"]), times, moment)
                assert found is not None
                assert found.tolist() == expected, now
