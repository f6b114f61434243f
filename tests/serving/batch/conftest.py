"""A company whose nightly run is made in this process, on few signals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from features.kit.clock import make_clock, parse_as_of
from features.sources.loader import open_source
from features.sources.source import Source
from serving.batch import run as running
from serving.batch.run import FinishedRun, Options
from serving.champion import Champions
from serving.scorer_cache import KeptScorers
from serving.store.connect import open_store
from tests.conftest import MakeOnce
from tests.kit.quick_night import few_signals, make_few_signals
from tests.kit.running import AS_OF, Home

CHUNK = 40


@pytest.fixture(scope="module")
def home(make_once: MakeOnce) -> Home:
    folder = make_once("few-signals", make_few_signals)
    return Home(folder / "home", folder / "company")


@pytest.fixture(scope="session")
def night(make_once: MakeOnce) -> Path:
    """OUT after the command has published a run of that company, of all its signals; metrics are in `batch.prom` in it."""

    def fill(out: Path) -> None:
        folder = make_once("few-signals", make_few_signals)
        Home(folder / "home", folder / "company").batch(
            out, "--max-age", "2d", "--metrics", str(out / "new/batch.prom")
        )

    return make_once("night", fill)


@pytest.fixture(scope="module")
def source(home: Home) -> Source:
    return open_source("sample", home.company)


@pytest.fixture(scope="session")
def panels() -> dict[Any, Any]:
    return {}


@pytest.fixture
def batch(
    home: Home, source: Source, panels: dict[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., FinishedRun]]:
    """Run in this process. Panels are built once: they are not what is tested here."""
    monkeypatch.setattr(running, "panel_parts", few_signals(panels))
    champions = Champions(home.path)
    champions.refresh()
    store = open_store(f"sqlite:///{home.path / 'store.db'}")

    def run(out: Path, as_of: str = AS_OF, **more: Any) -> FinishedRun:
        options = Options(chunk_rows=CHUNK, **{"record": False, **more})
        return running.run(
            source, parse_as_of(as_of), out, champions, store, make_clock(), KeptScorers(home.path), options
        )

    yield run
    store.close()
