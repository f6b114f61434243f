"""The nightly batch on a real local Spark: the bytes that one machine publishes, scored by Spark's Python workers."""

from __future__ import annotations

import contextlib
import shutil
import zipfile
from collections.abc import Callable, Set
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.kit.clock import make_clock, parse_as_of
from features.kit.errors import AccountscoreError
from features.sources.loader import open_source
from models.champion_pointer import Pointer, read_pointer
from models.scorer.scorer import Scorer
from serving.batch import run as running
from serving.batch import spark
from serving.champion import Champion, Champions
from serving.manifest import read_manifest
from serving.scorer_cache import KeptScorers
from serving.scoring.columns import ScoredColumns, score_columns, to_score
from tests.conftest import MakeOnce
from tests.kit.published import bytes_of
from tests.kit.quick_night import few_signals, make_few_signals
from tests.kit.running import AS_OF, Home
from tests.kit.scorers import make_scorer
from tests.kit.stores import new_store

pytestmark = [
    pytest.mark.spark,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]
CHUNK = 10


@pytest.fixture(scope="module")
def home(make_once: MakeOnce) -> Home:
    folder = make_once("few-signals", make_few_signals)
    shutil.rmtree(folder / "home/champions/lead-fit")
    return Home(folder / "home", folder / "company")


def publish(home: Home, out: Path, engine: str) -> Path:
    """The run of the accounts in this process, with panels of few signals; returns OUT."""
    champions = Champions(home.path)
    champions.refresh()
    with pytest.MonkeyPatch.context() as patch, contextlib.closing(new_store(home.path)) as store:
        patch.setattr(running, "panel_parts", few_signals({}))
        running.run(
            open_source("sample", home.company),
            parse_as_of(AS_OF),
            out,
            champions,
            store,
            make_clock(),
            KeptScorers(home.path),
            running.Options(engine=engine),
        )
    return out


@pytest.fixture(scope="module")
def here(home: Home) -> Path:
    """OUT of the run on one machine."""
    return publish(home, home.path.parent / "here", "duckdb")


@pytest.fixture(scope="module")
def pointer(home: Home) -> Pointer:
    found = read_pointer(home.path, "churn-risk")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def champion(pointer: Pointer) -> Champion:
    from models.catalog import get_model

    return Champion(get_model("churn-risk"), pointer, Scorer.load(pointer.path))


@pytest.fixture(scope="module")
def signals(here: Path, home: Home) -> pq.ParquetFile:
    """The signals of that run, in chunks of ten rows."""
    path = home.path.parent / "chunks.parquet"
    pq.write_table(pq.read_table(here / read_manifest(here)["signals"]["account"]["file"]), path, row_group_size=CHUNK)
    return pq.ParquetFile(path)


def nobody(_panel: pa.Table) -> Set[str]:
    return set()


def first_two(panel: pa.Table) -> Set[str]:
    return set(panel["entity_id"].to_pylist()[:2])


def plain(scored: ScoredColumns) -> list[object]:
    """Everything of a chunk, the texts in the place of their numbers."""
    told = scored.told
    if told is None:
        return [scored.no_score.to_pylist(), scored.log_odds.tobytes(), scored.probability.tobytes(), scored.themes]
    assert scored.themes is not None
    return [
        scored.no_score.to_pylist(),
        scored.log_odds.tobytes(),
        scored.probability.tobytes(),
        scored.themes.tobytes(),
        told.counts.tolist(),
        told.rows.tolist(),
        told.signals.tolist(),
        told.effects.tobytes(),
        told.shares.tobytes(),
        np.array(told.texts, dtype=object)[told.places].tolist(),
    ]


def choosing(champion: Champion, quiet: Callable[[pa.Table], Set[str]]) -> spark.Choose:
    return lambda panel: to_score(champion, panel, quiet(panel))


def test_spark_publishes_the_same_bytes(home: Home, here: Path, tmp_path: Path) -> None:
    publish(home, tmp_path, "spark")
    assert read_manifest(tmp_path) == read_manifest(here)
    assert bytes_of(tmp_path) == bytes_of(here)


@pytest.mark.parametrize("reasons", [0, 5])
def test_any_chunks_are_scored_as_without_spark(
    champion: Champion, signals: pq.ParquetFile, reasons: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark, "CHUNKS_AT_ONCE", 1)  # several jobs
    numbers = [number for number in range(signals.num_row_groups) if number != 1]  # as when chunk 1 was done before
    found = spark.score_chunks(
        champion.scorer, champion.pointer.path, signals, numbers, reasons, choosing(champion, first_two)
    )
    expected = {
        number: score_columns(champion, panel, reasons, first_two(panel))
        for number in numbers
        for panel in [signals.read_row_group(number)]
    }
    assert {number: plain(scored) for number, scored in found} == {n: plain(s) for n, s in expected.items()}
    assert sum(len(s.at) for s in expected.values()) > CHUNK


def test_the_workers_score_and_not_this_process(
    champion: Champion, signals: pq.ParquetFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise AssertionError("scored in the process that drives the run")

    monkeypatch.setattr(spark, "explained", broken)
    found = list(
        spark.score_chunks(champion.scorer, champion.pointer.path, signals, [0], 5, choosing(champion, nobody))
    )
    assert [number for number, _ in found] == [0]


def test_a_wrong_scorer_on_the_cluster_is_noticed(champion: Champion, signals: pq.ParquetFile, tmp_path: Path) -> None:
    """The sabotaged twin: the files of another scorer are shipped under this one's name."""
    other = tmp_path / "other"
    make_scorer(other, n=600)
    meant = Scorer.load(champion.pointer.path)
    meant.sha256 = "0" * 64
    with pytest.raises(
        AccountscoreError, match=r"worker failed \(.*holds another scorer: sha256 .*nothing was published"
    ):
        list(spark.score_chunks(meant, other, signals, [0], 5, choosing(champion, nobody)))


def test_only_code_and_scorer_files_go_to_the_cluster(champion: Champion, home: Home) -> None:
    """Our code and the scorer's files, nothing else of this machine."""
    from features.panel.engines import spark_session

    name = spark._ship(spark_session(), champion.pointer.path, champion.scorer)
    folder = spark._scratch(spark_session().sparkContext)
    with zipfile.ZipFile(folder / name) as packed:
        assert set(packed.namelist()) == {file.name for file in champion.pointer.path.iterdir()}
    with zipfile.ZipFile(folder / "accountscore.zip") as packed:
        assert all(file.endswith(".py") for file in packed.namelist())
        assert {file.partition("/")[0] for file in packed.namelist()} == set(spark.PACKAGES)
