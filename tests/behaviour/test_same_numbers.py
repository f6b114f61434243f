"""The same accounts by every way that a score is asked for: equal to the last bit. Real processes, a real local Spark.

2,000 of them in every run; 10,000 of them, and by MLflow's own doors, in `make test-full`.
"""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.kit.settings import Settings
from features.simulate import simulate
from models import registry
from models.catalog import get_model
from models.champion_pointer import read_pointer
from models.scorer.scorer import Scorer
from serving.manifest import read_manifest, read_scores
from tests.conftest import NewHome
from tests.kit.mlflow_doors import mlflow_serve, score_on_spark
from tests.kit.running import END, Home, running_api

ROWS = [500, pytest.param(10_000, marks=pytest.mark.slow)]
AT_A_TIME = 200
"""Records of a request; it may have 1,000."""


@dataclass
class Scored:
    """What the nightly batch published: the truth that the other ways are held to."""

    home: Home
    scorer: Scorer
    ids: list[str]
    probability: np.ndarray
    """(rows,) as published."""
    signals: pa.Table
    """(rows, the scorer's signals), the batch's own."""
    folder: Path

    def same(self, other: object) -> bool:
        """Whether these are the published probabilities, bit for bit."""
        return self.probability.tobytes() == np.asarray(other, dtype=np.float64).tobytes()


@pytest.fixture(scope="module", params=ROWS)
def scored(request: pytest.FixtureRequest, new_home: NewHome) -> Scored:
    small = new_home(models=("churn-risk",))
    folder = small.path.parent
    home = Home(small.path, folder / "large")
    simulate(
        home.company, accounts=request.param * 12 // 5, leads=100, days=560, end=END, usage_events=15 * request.param
    )
    out = folder / "scores"
    home.batch(out)
    rows = read_scores(out, "churn-risk")
    rows = rows.filter(pc.is_valid(rows["probability"])).slice(0, request.param)
    assert rows.num_rows == request.param
    pointer = read_pointer(home.path, "churn-risk")
    assert pointer is not None
    scorer = Scorer.load(pointer.path)
    file = read_manifest(out)["signals"]["account"]["file"]
    panel = pq.read_table(out / file)
    place = pc.index_in(rows["entity_id"], panel["entity_id"])
    signals = panel.take(place).select(list(scorer.names))
    return Scored(home, scorer, rows["entity_id"].to_pylist(), rows["probability"].to_numpy(), signals, folder)


@pytest.fixture(scope="module")
def registered(scored: Scored) -> str:
    """The URI of a registry in which the model that scored is the champion."""
    settings = Settings.from_env({"ACCOUNTSCORE_HOME": str(scored.home.path)})
    pointer = read_pointer(scored.home.path, "churn-risk")
    assert pointer is not None
    version = registry.log_version(settings, get_model("churn-risk"), pointer.path, parameters={}, metrics={})
    registry.set_alias(settings, "churn-risk", registry.CHAMPION, version.version)
    return settings.tracking_uri


@pytest.fixture(scope="module")
def api(scored: Scored) -> Iterator[str]:
    with running_api(scored.home) as url:
        yield url


def as_json(signals: pa.Table) -> list[dict[str, object]]:
    """Rows for a JSON body: what is missing is null, every other float is written so that it reads back as itself."""
    return [{k: None if v != v else v for k, v in row.items()} for row in signals.to_pylist()]


def test_they_are_no_constant(scored: Scored) -> None:
    assert len(np.unique(scored.probability)) > len(scored.ids) / 10


@pytest.mark.parametrize("given", ["stored", "request"])
def test_http(scored: Scored, api: str, given: str) -> None:
    answered: list[float] = []
    rows = as_json(scored.signals) if given == "request" else []
    for start in range(0, len(scored.ids), AT_A_TIME):
        if given == "stored":
            records = [{"entity_id": one} for one in scored.ids[start : start + AT_A_TIME]]
        else:
            records = [{"signals": row} for row in rows[start : start + AT_A_TIME]]  # type: ignore[dict-item]
        answer = httpx.post(f"{api}/v1/churn-risk/score", json={"records": records, "reasons": 0}, timeout=60).json()
        assert answer["errors"] == []
        answered += [each["probability"] for each in answer["results"]]
    assert scored.same(answered)


def test_score_table(scored: Scored) -> None:
    given, out = scored.folder / "given.parquet", scored.folder / "out.parquet"
    pq.write_table(scored.signals, given)
    pointer = read_pointer(scored.home.path, "churn-risk")
    assert pointer is not None
    done = scored.home.run("serving", "score-table", str(pointer.path), str(given), str(out), "--reasons", "3")
    assert done.returncode == 0, done.stderr
    assert scored.same(pq.read_table(out)["probability"].to_numpy())


# MLflow's own doors are held to the scorer's bits in every run, on fewer rows: tests/models/test_pyfunc_model.py.
@pytest.mark.slow
def test_mlflow_models_serve(scored: Scored, registered: str) -> None:
    rows, answered = as_json(scored.signals), []
    names = scored.signals.column_names
    with mlflow_serve(registered, "churn-risk") as url:
        for start in range(0, len(scored.ids), AT_A_TIME):
            data = [[row[name] for name in names] for row in rows[start : start + AT_A_TIME]]
            request = urllib.request.Request(
                f"{url}/invocations",
                json.dumps({"dataframe_split": {"columns": names, "data": data}}).encode(),
                {"content-type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=120) as answer:
                answered += [each["probability"] for each in json.load(answer)["predictions"]]
    assert scored.same(answered)


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs a Java runtime (java on the PATH)")
def test_spark(scored: Scored, registered: str) -> None:
    given, out = scored.folder / "numbered.parquet", scored.folder / "spark.parquet"
    pq.write_table(scored.signals.append_column("number", pa.array(range(len(scored.ids)))), given)
    score_on_spark(registered, "churn-risk", given, out)
    assert scored.same(pq.read_table(out)["probability"].to_numpy())


def test_a_difference_in_the_last_bit_of_one_account_is_seen(scored: Scored) -> None:
    """The sabotaged twin of `same`."""
    changed = scored.probability.copy()
    middle = len(changed) // 2
    changed[middle] = np.nextafter(changed[middle], 1.0)
    assert not scored.same(changed)
    assert scored.same(scored.probability.tolist())
