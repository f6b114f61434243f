"""The month before is the newest run that scored for a moment 28 days before or more, or the oldest there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from serving.runs import run_card
from serving.runs.comparison import month_before
from serving.runs.run_card import BandSums, RunCard, ScoredModel


def run(home: Path, as_of: str, count: int, began: str | None = None, **more: Any) -> None:
    sums = {"high": BandSums(count=count, expected=count / 2, value=10.0, at_stake=5.0)}
    given: dict[str, Any] = {
        "state": "published",
        "source": "sample",
        "as_of": as_of,
        "started_at": "x",
        "models": {"churn-risk": ScoredModel(version=1, rows=9, scored=9, bands=sums)},
    }
    name = f"{(began or as_of).replace('-', '')}T020000Z-aaaaaa"
    run_card.Written(home, name).write(RunCard(**{**given, **more}))


def days(home: Path, model: str = "churn-risk") -> tuple[str, str, int] | None:
    found = month_before(home, model)
    return None if found is None else (found.then.as_of, found.now.as_of, found.days)


def test_without_two_runs_there_is_nothing_to_compare(tmp_path: Path) -> None:
    assert days(tmp_path) is None
    run(tmp_path, "2026-03-01", 5)
    assert days(tmp_path) is None


def test_the_newest_of_those_that_are_a_month_old(tmp_path: Path) -> None:
    for day in ("2026-01-15", "2026-02-01", "2026-02-02", "2026-02-27", "2026-03-01"):
        run(tmp_path, day, 5)
    assert days(tmp_path) == ("2026-02-01", "2026-03-01", 28)


def test_the_oldest_where_none_is_a_month_old(tmp_path: Path) -> None:
    for day in ("2026-02-20", "2026-02-25", "2026-03-01"):
        run(tmp_path, day, 5)
    assert days(tmp_path) == ("2026-02-20", "2026-03-01", 9)


def test_only_published_runs_of_the_model_with_sums_count(tmp_path: Path) -> None:
    run(tmp_path, "2026-01-10", 5)
    run(tmp_path, "2026-01-20", 5, state="failed")
    run(tmp_path, "2026-01-21", 5, models={"lead-fit": ScoredModel(bands={"high": BandSums(count=1)})})
    run(tmp_path, "2026-01-22", 5, models={"churn-risk": ScoredModel(rows=9, scored=9)})
    (tmp_path / run_card.FOLDER / "20260123T020000Z-aaaaaa.json").write_text("{")
    run(tmp_path, "not a day", 5, "2026-01-24")
    run(tmp_path, "2026-03-01", 5)
    run(tmp_path, "2026-03-02", 5, state="failed")
    assert days(tmp_path) == ("2026-01-10", "2026-03-01", 50)
    assert days(tmp_path, "lead-fit") is None


def test_the_same_moment_twice_is_no_change(tmp_path: Path) -> None:
    run(tmp_path, "2026-03-01", 5, "2026-03-01")
    run(tmp_path, "2026-03-01", 6, "2026-03-02")
    assert days(tmp_path) is None


def test_sums_are_added_over_bands(tmp_path: Path) -> None:
    run(tmp_path, "2026-02-01", 4)
    two = {"high": BandSums(count=1, expected=0.5, value=3.0, at_stake=2.0), "low": BandSums(count=2, expected=0.25)}
    run(tmp_path, "2026-03-01", 0, models={"churn-risk": ScoredModel(version=2, bands=two)})
    found = month_before(tmp_path, "churn-risk")
    assert found is not None
    assert found.now.total == BandSums(count=3, expected=0.75, value=3.0, at_stake=2.0)
    assert (found.then.total.count, found.then.version, found.now.version) == (4, 1, 2)
