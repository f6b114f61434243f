"""A home with a champion to watch, and the rows that it is watched by.

Two companies of one seed have the same rows until the change, so one model, made before it, serves both.
"""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import replace
from pathlib import Path

import numpy as np

from features.simulate import simulate
from features.sources.loader import open_source
from models import champion_pointer
from models.catalog import get_model
from models.scorer.scorer import Scorer
from models.scorer.writer import Origin
from tests.kit.company import LEAD_SIGNALS, all_but
from training import export
from training.fit import directions
from training.learn import LearnSettings, learn
from training.monitor.live_rows import LiveRows, observe
from training.training_set import labelled_panel

LEADS = get_model("lead-fit")
END, CHANGE = dt.date(2026, 1, 1), dt.date(2025, 7, 3)
NOW = dt.datetime(2025, 12, 18, tzinfo=dt.UTC)


def make_watched_home(folder: Path) -> None:
    """The companies `steady` and `changed`, and a champion that learnt from dates before the change."""
    for name, change in (("steady", END), ("changed", CHANGE)):
        simulate(folder / name, accounts=300, leads=5000, days=730, end=END, seed=7, usage_events=2_000, change=change)
    source = open_source("sample", folder / "steady")
    panel = labelled_panel(source, replace(LEADS, exclude=all_but(source, LEADS, *LEAD_SIGNALS)))
    learnt = learn(panel.rows, panel.split, LearnSettings(None, 1), lambda rows: directions(LEADS, rows))
    assert panel.rows.time is not None
    until = np.datetime64(int(panel.rows.time[panel.split.before_test].max()), "us").astype("datetime64[D]")
    assert until + LEADS.horizon_days < np.datetime64(CHANGE) + 28
    origin = Origin("sample", "0" * 64, "2024-01-01", str(until))
    metrics: dict[str, object] = {"metrics": {"auc": {"value": 0.81, "low": 0.78, "high": 0.84}}}
    export.write(folder / "scorer", LEADS, learnt, learnt.rows.x[panel.population], origin, metrics)
    with champion_pointer.locked(folder, LEADS.name):
        champion_pointer.put_live(folder, LEADS.name, folder / "scorer", 1)


@functools.cache
def watched(home: Path, company: str) -> LiveRows:
    return observe(Scorer.load(home / "scorer"), LEADS, open_source("sample", home / company), NOW)
