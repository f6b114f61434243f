"""Runs newest first; of a killed one its lock says that it is over; of an older home the newest run is listed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models import card_file
from serving.runs import run_card, service
from serving.runs.run_card import RunCard
from serving.runs.schemas import RunShown

MODELS = {"churn-risk": {"version": 3, "rows": 70, "scored": 60, "no_score": {"already_leaving": 10}}}


def put(home: Path, day: int, **more: Any) -> str:
    name = f"202611{day:02}T020000Z-aaaaaa"
    content = {
        "state": "published",
        "source": "sample",
        "as_of": f"2026-11-{day:02}",
        "started_at": f"2026-11-{day:02}T02:00:00Z",
        "models": MODELS,
        **more,
    }
    card_file.write(home / "batches" / f"{name}.json", content)
    return name


def listed(home: Path, limit: int = 20, before: str | None = None) -> list[RunShown]:
    return service.runs(home, limit, before).runs


class TestRuns:
    def test_the_newest_first_with_what_each_did(self, tmp_path: Path) -> None:
        put(tmp_path, 1)
        put(tmp_path, 2, state="failed", exit_code=7, why="the disk is full", models={})
        two, one = listed(tmp_path)
        assert (two.state, two.exit_code, two.why) == ("failed", 7, "the disk is full")
        (model,) = one.models
        assert (model.model, model.version, model.rows, model.scored) == ("churn-risk", 3, 70, 60)
        assert model.no_score == {"already_leaving": 10}

    def test_pages_hold_every_run_once(self, tmp_path: Path) -> None:
        names = [put(tmp_path, day) for day in range(1, 8)]
        seen: list[str] = []
        before: str | None = None
        for _ in range(4):
            answer = service.runs(tmp_path, 3, before)
            seen += [run.id for run in answer.runs]
            before = answer.next
            put(tmp_path, 20)  # a run that begins meanwhile is on no later page
            if before is None:
                break
        assert seen == names[::-1]

    def test_a_page_of_what_is_not_there(self, tmp_path: Path) -> None:
        put(tmp_path, 7)
        assert service.runs(tmp_path, 3, "20260101T000000Z-000000").runs == []
        assert service.runs(tmp_path / "no", 3, None).runs == []

    def test_one_that_is_going_on_and_one_that_was_killed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        began = datetime(2026, 11, 23, 2, tzinfo=UTC)
        card = RunCard(state="running", source="sample", as_of="2026-11-23", started_at="2026-11-23T02:00:00Z")
        with run_card.begin(tmp_path, began, card):
            assert [run.state for run in listed(tmp_path)] == ["running"]
        (killed,) = listed(tmp_path)
        assert killed.state == "unfinished"
        assert killed.why is not None
        assert "the same command goes on where it was stopped" in killed.why
        monkeypatch.setattr(service, "is_held", lambda _path: True)
        assert listed(tmp_path)[0].state == "running", "the twin without the lock believes the card"

    @pytest.mark.parametrize("content", ["", '{"schema": 1, "sta', '{"schema": 2}', "{}", "[]"])
    def test_a_card_that_cannot_be_read_is_listed_as_that(self, tmp_path: Path, content: str) -> None:
        put(tmp_path, 1)
        name = put(tmp_path, 2)
        (tmp_path / "batches" / f"{name}.json").write_text(content)
        two, one = listed(tmp_path)
        assert (two.id, two.state, two.source) == (name, "unreadable", None)
        assert two.why is not None
        assert name in two.why
        assert one.state == "published"


class TestOlderHomes:
    """Before 0.3 no run wrote a card."""

    def test_the_newest_run_is_listed_from_its_report(self, tmp_path: Path) -> None:
        (tmp_path / "scores").mkdir()
        report = {
            "source": "sample",
            "as_of": "2026-11-02",
            "run_id": "34e1504b5f90243b",
            "exit_code": 0,
            "started": 1_793_577_600.0,
            "seconds": 12.5,
            "rows": {"churn-risk": 70},
            "scored": {"churn-risk": 60},
        }
        (tmp_path / "scores" / "last_run.json").write_text(json.dumps(report))
        manifest = {"run_id": "34e1504b5f90243b", "models": {"churn-risk": {"version": 3, "rows": 70}}}
        (tmp_path / "scores" / "manifest.json").write_text(json.dumps(manifest))
        (run,) = listed(tmp_path)
        assert (run.state, run.run_id, run.seconds) == ("published", "34e1504b5f90243b", 12.5)
        assert (run.started_at, run.ended_at) == ("2026-11-02T00:00:00Z", "2026-11-02T00:00:12Z")
        assert (run.models[0].version, run.models[0].rows, run.models[0].scored) == (3, 70, 60)
        (tmp_path / "scores" / "last_run.json").unlink()
        (run,) = listed(tmp_path)
        assert (run.state, run.models[0].rows, run.models[0].scored) == ("published", 70, None)

    def test_one_that_failed(self, tmp_path: Path) -> None:
        (tmp_path / "scores").mkdir()
        report = {"source": "sample", "as_of": "2026-11-02", "exit_code": 2, "error": "source: 1 fault\n  - a row"}
        (tmp_path / "scores" / "last_run.json").write_text(json.dumps(report))
        (run,) = listed(tmp_path)
        assert (run.state, run.why, run.exit_code) == ("failed", "source: 1 fault", 2)

    @pytest.mark.parametrize("content", ["{", '{"rows": [1]}', '{"started": "soon", "models": 1}', "[]"])
    def test_what_cannot_be_read_is_no_run(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "scores").mkdir()
        (tmp_path / "scores" / "last_run.json").write_text(content)
        assert listed(tmp_path) == []
