"""Nightly runs in this process on few signals: a panel takes as long as it has columns, and tests of the run are not about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from features.panel.build import build_panel
from features.simulate import simulate
from models import champion_pointer
from models.catalog import DEMO, get_model
from tests.kit.nightly import some_signals
from tests.kit.running import END, Home
from tests.kit.scorers import copy_scorer
from tests.kit.stores import new_store

Parts = Callable[..., Iterator[pa.Table]]
"""As `features.panel.build.panel_parts`."""


def few_signals_home(folder: Path) -> Home:
    """A company of 70 accounts and 150 leads, a migrated store, and live scorers over `some_signals`, which learnt nothing true."""
    home = Home(folder / "home", folder / "company")
    simulate(home.company, accounts=70, leads=150, days=560, end=END, usage_events=5_000)
    for model in DEMO:
        copy_scorer(folder / model, model, signals=some_signals(get_model(model).entity), n=600)
        with champion_pointer.locked(home.path, model):
            champion_pointer.put_live(home.path, model, folder / model, 1)
    new_store(home.path).close()
    return home


def make_few_signals(folder: Path) -> None:
    """As `few_signals_home`, for `make_once`."""
    few_signals_home(folder)


def few_signals(made: dict[Any, pa.Table]) -> Parts:
    """Panels of `some_signals` alone; each is built once and kept in `made`."""

    def parts(
        source: Any, entity: Any, as_of: Any, rows: int, engine: str, _carried: Any, known: Any, ids: Any, outcomes: Any
    ) -> Iterator[pa.Table]:
        key = (entity, as_of, engine, known, ids and tuple(ids))
        if key not in made:
            only = [signal.name for signal in some_signals(entity)]
            made[key] = build_panel(
                source, entity, [as_of], engine, ids, only=only, known_before=known, outcomes=outcomes
            )
        panel = made[key]
        return (panel.slice(start, rows) for start in range(0, max(panel.num_rows, 1), rows))

    return parts
