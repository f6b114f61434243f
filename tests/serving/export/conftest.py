"""Three nights of a company, published and gathered in a star: once for all tests of the star."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from features.sources.loader import open_source
from features.sources.source import Source
from serving.export import star_schema
from serving.export.export import Exported, export
from serving.scorer_cache import KeptScorers
from tests.conftest import MakeOnce, NewHome
from tests.kit.running import AS_OF, Home
from tests.kit.star import RIPE

EARLIER = "2025-12-04"
RUNS = (("ripe", RIPE, []), ("first", EARLIER, []), ("second", AS_OF, []), ("again", AS_OF, ["--reasons", "2"]))
"""Two earlier moments, `AS_OF`, and `AS_OF` again with fewer reasons."""


@pytest.fixture(scope="session")
def made(make_once: MakeOnce, new_home: NewHome) -> Path:
    """A folder with a home in which four runs were published, and with OUT as it was after each."""

    def fill(folder: Path) -> None:
        shutil.copytree(new_home().path.parent, folder)
        home = Home(folder / "home", folder / "company")
        assert home.run("serving", "migrate").returncode == 0
        for name, as_of, more in RUNS:
            done = home.run(
                "serving", "batch", *home.source, "--as-of", as_of, "--out", str(folder / "out"), "--no-history", *more
            )
            assert done.returncode == 0, done.stderr
            shutil.copytree(folder / "out", folder / name)

    return make_once("star", fill)


@pytest.fixture(scope="session")
def home(made: Path) -> Home:
    return Home(made / "home", made / "company")


@pytest.fixture(scope="session")
def source(home: Home) -> Source:
    return open_source("sample", home.company)


@pytest.fixture(scope="session")
def nights(made: Path) -> dict[str, Path]:
    """OUT as it was after each of four runs."""
    return {name: made / name for name, _, _ in RUNS}


@pytest.fixture(scope="session")
def add(home: Home, source: Source) -> Any:
    def add(scores: Path, to: Path | str, **more: Any) -> Exported:
        return export(scores, str(to), KeptScorers(home.path), **{"source": source, **more})

    return add


@pytest.fixture(scope="session")
def star(nights: dict[str, Path], add: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three nights."""
    folder = tmp_path_factory.mktemp("gathered") / "star"
    for night in ("ripe", "first", "second"):
        add(nights[night], folder)
    return folder


@pytest.fixture
def ask(star: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for table in star_schema.TABLES:
            if (star / table.name).is_dir():
                connection.execute(f"CREATE VIEW {table.name} AS FROM '{star}/{table.name}/*.parquet'")
        yield connection
