"""Three nights of a company, published and gathered in a star: once for all tests of the star."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from features.source import Source, open_source
from serving.replay.scorers import KeptScorers
from serving.star import schema
from serving.star.export import Exported, export
from tests.serving.running import AS_OF, Home, make_home

RIPE = "2025-08-14"
"""A horizon, and the 30 days in which a customer may come back, before the end of the data."""
EARLIER = "2025-12-04"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = make_home(tmp_path_factory.mktemp("star"))
    assert made.run("serving", "migrate").returncode == 0
    return made


@pytest.fixture(scope="session")
def source(home: Home) -> Source:
    return open_source("sample", home.company)


@pytest.fixture(scope="session")
def nights(home: Home) -> dict[str, Path]:
    """OUT as it was after each of four runs: two earlier moments, `AS_OF`, and `AS_OF` again with fewer reasons."""
    out, found = home.path.parent / "out", {}
    runs = (("ripe", RIPE, []), ("first", EARLIER, []), ("second", AS_OF, []), ("again", AS_OF, ["--reasons", "2"]))
    for name, as_of, more in runs:
        done = home.run("serving", "batch", *home.source, "--as-of", as_of, "--out", str(out), "--no-history", *more)
        assert done.returncode == 0, done.stderr
        found[name] = home.path.parent / name
        shutil.copytree(out, found[name])
    return found


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
        for table in schema.TABLES:
            if (star / table.name).is_dir():
                connection.execute(f"CREATE VIEW {table.name} AS FROM '{star}/{table.name}/*.parquet'")
        yield connection


def bytes_of(folder: Path) -> dict[str, str]:
    files = [f for f in folder.rglob("*") if f.is_file() and f.name != ".lock"]
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
