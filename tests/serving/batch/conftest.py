"""A company whose nightly run is made in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.kit.clock import make_clock, parse_as_of
from features.sources.loader import open_source
from features.sources.source import Source
from serving.batch import run as running
from serving.batch.run import FinishedRun, Options
from serving.champion import Champions
from serving.scorer_cache import KeptScorers
from serving.store.connect import open_store
from tests.conftest import NewHome
from tests.kit.running import AS_OF, Home

CHUNK = 100


@pytest.fixture(scope="module")
def home(new_home: NewHome) -> Home:
    made = new_home(accounts=120, leads=400)
    assert made.run("serving", "migrate").returncode == 0
    return made


@pytest.fixture(scope="module")
def source(home: Home) -> Source:
    return open_source("sample", home.company)


@pytest.fixture(scope="session")
def panels() -> dict[Any, list[pa.Table]]:
    return {}


@pytest.fixture
def batch(
    home: Home, source: Source, panels: dict[Any, list[pa.Table]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., FinishedRun]]:
    """Run in this process. Panels are built once: they are not what is tested here."""
    original = running.panel_parts

    def parts(
        source: Source,
        entity: Any,
        as_of: Any,
        rows: int,
        engine: str,
        carried: Any,
        known: Any,
        ids: Any,
        _outcomes: Any,
    ) -> Iterator[pa.Table]:
        key = (entity, as_of, known, ids and tuple(ids))
        if key not in panels:
            panels[key] = list(original(source, entity, as_of, rows, known_before=known, ids=ids))
        return iter(panels[key])

    monkeypatch.setattr(running, "panel_parts", parts)
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
