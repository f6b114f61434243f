"""The memory of the nightly batch is bounded: what does not fit waits on the disk, and too little is said."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import duckdb
import pytest

from features.kit.errors import UserMistake
from features.kit.memory import memory_bytes
from features.sources.loader import open_source
from features.sources.source import MEMORY_SHARE
from serving.batch.command import batch
from tests.kit.running import AS_OF, Home, quick_home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return quick_home(tmp_path_factory.mktemp("memory"))


def setting(source: Any, name: str) -> str:
    return str(source.connection.sql(f"SELECT current_setting('{name}')").fetchall()[0][0])


def test_data_beyond_the_limit_spill_to_a_folder_that_is_deleted_with_the_source(home: Home) -> None:
    source = open_source("sample", home.company, memory_mb=100)
    spill = Path(setting(source, "temp_directory"))
    source.connection.execute(
        "CREATE TABLE much AS SELECT random() AS a, random() AS b FROM range(12_000_000)"
    )  # 192 MB
    assert source.connection.sql("SELECT count(*) FROM much").fetchall() == [(12_000_000,)]
    assert sum(file.stat().st_size for file in spill.iterdir()) > 50_000_000
    del source
    gc.collect()
    assert not spill.exists()


def test_without_a_bound_it_is_a_share_of_the_memory(home: Home) -> None:
    bounded, free = open_source("sample", home.company, memory_mb=100), open_source("sample", home.company)
    assert setting(bounded, "memory_limit") == "95.3 MiB"
    bound = f"{int(MEMORY_SHARE * memory_bytes() / 1e6)}MB"
    assert duckdb.sql(f"SET memory_limit = '{bound}'; SELECT current_setting('memory_limit')").fetchall() == [
        (setting(free, "memory_limit"),)
    ]
    assert setting(free, "temp_directory") != setting(bounded, "temp_directory")


def test_too_little_memory_is_an_error_with_the_next_step(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCOUNTSCORE_HOME", str(home.path))
    with pytest.raises(UserMistake, match=r"--memory 1 is too little .* nothing was published.* --memory 2"):
        batch(
            source="sample",
            as_of=AS_OF,
            out=tmp_path / "out",
            data=home.company,
            memory=1,
            summary=tmp_path / "run.json",
            metrics=None,
        )
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert "--memory" in (tmp_path / "run.json").read_text()
