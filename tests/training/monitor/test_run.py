"""On the sample company: what was estimated before labels ripened against what came true, with and without a change of regime."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.sources.loader import open_source
from models import monitor_card
from models.scorer.scorer import Scorer
from tests.kit import commands
from tests.kit.watched import LEADS, NOW, watched
from training.monitor.live_rows import LiveRows
from training.monitor.run import report_on

ROOT = Path(__file__).parents[3]


@functools.cache
def as_it_is(home: Path, company: str) -> dict[str, Any]:
    return report(home, company, watched(home, company))


def report(home: Path, company: str, rows: LiveRows, holdout: float = 0.0) -> dict[str, Any]:
    source = open_source("sample", home / company)
    return report_on(Scorer.load(home / "scorer"), LEADS, source, rows, NOW, LEADS.capacity_share, holdout)


def state(found: dict[str, Any], check: str) -> str:
    return next(c["state"] for c in found["checks"] if c["name"] == check)


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "ACCOUNTSCORE_HOME": str(home)}
    return commands.run("training", "monitor", "lead-fit", "--source", "sample", *words, env=env, cwd=ROOT)


class TestEstimatesAgainstWhatCameTrue:
    def test_without_a_change_every_estimate_holds(self, home: Path) -> None:
        found = as_it_is(home, "steady")
        for name, measure in found["ripe"]["quality"].items():
            told = measure["promised"]
            print(
                f"{name}: {told['value']} ({told['low']} to {told['high']}) estimated, {measure['came_true']} came true"
            )
            assert not measure["beyond_chance"], name
        assert (found["verdict"], found["why"]) == ("fine", [])

    def test_a_change_of_regime_is_seen_by_ripe_labels_and_not_by_estimates(self, home: Path) -> None:
        found = as_it_is(home, "changed")
        quality = found["ripe"]["quality"]
        for name, measure in quality.items():
            told = measure["promised"]
            print(
                f"{name}: {told['value']} ({told['low']} to {told['high']}) estimated, {measure['came_true']} came true"
            )
        assert quality["base_rate"]["beyond_chance"]
        # Fewer in the list, too; whether that alone is beyond chance is for the size of the company to say.
        precision = quality["precision_at_capacity"]
        assert precision["came_true"] < precision["promised"]["value"]
        assert found["verdict"] == "someone should look"
        assert state(found, "calibration") == "look"
        assert state(found, "estimated quality") == "fine", "the signals are as before: only what they mean has changed"

    def test_the_companies_are_the_same_before_the_change(self, home: Path) -> None:
        same = [
            (rows.p[rows.time == rows.time.min()].mean(), int((rows.time == rows.time.min()).sum()))
            for rows in (watched(home, "steady"), watched(home, "changed"))
        ]
        assert same[0][1] == pytest.approx(same[1][1], rel=0.05)
        assert same[0][0] == pytest.approx(same[1][0], rel=0.05)


class TestRipeAndPending:
    def test_rows_are_ripe_when_their_horizon_is_over(self, home: Path) -> None:
        rows = watched(home, "steady")
        over = rows.time + LEADS.horizon_days * 86_400_000_000 <= rows.as_of_us
        assert np.array_equal(rows.ripe, over)
        assert np.array_equal(rows.pending, ~over)
        found = as_it_is(home, "steady")
        assert found["rows"]["ripe"] + found["rows"]["pending"] == len(rows.p)
        assert found["ripe"]["rows"] == int(over.sum())
        assert found["pending"]["rows"] == int((~over).sum())


class TestWhatGoesWrong:
    def test_a_signal_that_stops_coming_raises_an_alarm(self, home: Path) -> None:
        rows = watched(home, "steady")
        scorer = Scorer.load(home / "scorer")
        name = "inbound_touches_28d"
        x = rows.x.copy()
        x[:, scorer.names.index(name)] = np.nan
        found = report(home, "steady", replace(rows, x=x))
        assert state(found, "missing values") == "look"
        assert name in next(w for w in found["why"] if w.startswith("missing values"))

    def test_scores_that_no_longer_rank_raise_an_alarm(self, home: Path) -> None:
        rows = watched(home, "steady")
        shuffled = np.random.default_rng(0).permutation(rows.p)
        found = report(home, "steady", replace(rows, p=shuffled))
        assert state(found, "ranking") == "look"


class TestActions:
    def test_rows_acted_upon_are_reported_apart(self, home: Path) -> None:
        """Half of the leads are acted upon with great success: no fault of the model. The twin that knows of no action calls."""
        rows = watched(home, "steady")
        acted = rows.group % 2 == 0
        won = np.where(acted & rows.ripe & (rows.band != "low"), 1.0, rows.y)
        found = report(home, "steady", replace(rows, y=won, acted=acted))
        assert found["verdict"] == "fine"
        assert found["by_action"]["acted_upon"]["bands"][0]["beyond_chance"]
        assert not found["by_action"]["left_alone"]["bands"][0]["beyond_chance"]
        assert state(report(home, "steady", replace(rows, y=won, acted=None)), "calibration") == "look"

    def test_an_action_on_the_holdout_raises_an_alarm(self, home: Path) -> None:
        rows = watched(home, "steady")
        held = rows.group % 10 == 0
        untouched = report(home, "steady", replace(rows, acted=~held, held_out=held), holdout=0.1)
        touched = report(home, "steady", replace(rows, acted=held, held_out=held), holdout=0.1)
        assert (state(untouched, "holdout"), state(touched, "holdout")) == ("fine", "look")

    def test_a_source_without_actions(self, home: Path) -> None:
        assert watched(home, "steady").acted is None
        assert as_it_is(home, "steady")["by_action"] == {}


class TestCommand:
    def test_fine_is_0_and_json_comes_when_asked_for(self, home: Path) -> None:
        done = run(home, "--data", str(home / "steady"), "--as-of", "2025-12-18", "--json")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
        assert (found["verdict"], found["version"]) == ("fine", 1)
        assert json.loads(Path(found["file"]).read_text())["schema"] == 1
        look = monitor_card.read(home, "lead-fit", "2025-12-18")
        assert look is not None
        assert (look.verdict, look.version, look.why) == ("fine", 1, [])
        assert {each.band for each in look.ripe.bands} >= {"all", "high"}
        moved = [each.psi or 0.0 for each in look.signals]
        assert len(moved) == len(found["signals"]) > 0
        assert moved == sorted(moved, reverse=True)
        assert "entity_id" not in Path(found["file"]).read_text()
        assert "Expected and observed outcomes" in done.stderr

    def test_look_is_4_and_says_why(self, home: Path) -> None:
        done = run(home, "--data", str(home / "changed"), "--as-of", "2025-12-18")
        assert done.returncode == 4, done.stderr
        assert done.stdout == "", "JSON comes when it is asked for"
        assert "lead-fit version 1 as of 2025-12-18: someone should look." in done.stderr
        assert "calibration: all bands:" in done.stderr
        assert "Traceback" not in done.stderr

    def test_no_champion_is_2(self, tmp_path: Path, home: Path) -> None:
        done = run(tmp_path, "--data", str(home / "steady"), "--as-of", "2025-12-18")
        assert done.returncode == 2
        assert "has no champion to watch" in done.stderr
