"""What MLflow's users do with a registered version, for real: its server and Spark give the scorer's numbers."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.kit.settings import Settings
from models import registry
from models.catalog import get_model
from models.scorer.scorer import Scorer
from tests.conftest import NewRegistry
from tests.kit.mlflow_doors import mlflow_serve, score_on_spark
from tests.kit.scorers import WORDS, make_scorer, make_signals, random_rows

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's and Spark's own


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, new_registry: NewRegistry) -> Settings:
    return new_registry(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def scorer(settings: Settings) -> Scorer:
    scorer = make_scorer(settings.home / "made", n=400)
    trials = [
        {"kind": "trees", "loss": 0.3, "seconds": 0.1, "trees": 40},
        {"kind": "linear", "loss": 0.4, "seconds": 0.1},
    ]
    version = registry.log_version(
        settings, get_model("churn-risk"), settings.home / "made", parameters={}, metrics={"auc": 0.7}, trials=trials
    )
    registry.set_alias(settings, "churn-risk", registry.CHAMPION, version.version)
    registry.attach(settings, version.run_id, [settings.home / "made" / "scorer.json"], "more")
    return scorer


def frame(rows: int = 60) -> tuple[pd.DataFrame, np.ndarray]:
    x, _ = random_rows(rows, seed=4)
    names = [s.name for s in make_signals()]
    made = pd.DataFrame(x, columns=names)
    for name in names[-2:]:
        made[name] = [None if np.isnan(v) else WORDS[int(v)] for v in made[name]]
    return made, x


class TestRun:
    def test_has_its_trials_inside_its_data_and_its_files(self, settings: Settings, scorer: Scorer) -> None:
        import mlflow

        version = registry.get_version(settings, "churn-risk")
        client = mlflow.MlflowClient(settings.tracking_uri, settings.tracking_uri)
        run = client.get_run(version.run_id)
        inside = client.search_runs(
            [run.info.experiment_id], filter_string=f"tags.mlflow.parentRunId = '{version.run_id}'"
        )
        assert {r.data.metrics["loss"] for r in inside} == {0.3, 0.4}
        data = run.inputs.dataset_inputs[0].dataset
        assert (data.name, data.digest) == ("test", "0" * 36)
        assert {f.path for f in client.list_artifacts(version.run_id)} >= {"signals.json", "more"}
        logged = client.get_model_version("churn-risk", str(version.version))
        assert logged.tags["scorer_sha256"] == scorer.sha256


@pytest.fixture
def server(settings: Settings, scorer: Scorer) -> Iterator[str]:
    with mlflow_serve(settings.tracking_uri, "churn-risk") as url:
        yield url


def test_mlflow_models_serve_gives_the_scorers_bits(server: str, scorer: Scorer) -> None:
    rows, x = frame()
    body = json.dumps({"dataframe_split": json.loads(rows.to_json(orient="split", index=False, double_precision=15))})
    numbers = rows.select_dtypes("number").columns
    sent = json.loads(body)["dataframe_split"]
    # pandas rounds to 15 digits in JSON; Python's own writer does not.
    for n, record in enumerate(sent["data"]):
        for place, name in enumerate(sent["columns"]):
            if name in numbers:
                value = float(rows[name].iloc[n])
                record[place] = None if np.isnan(value) else value
    request = urllib.request.Request(
        f"{server}/invocations", json.dumps({"dataframe_split": sent}).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        predictions = json.load(answer)["predictions"]
    assert [p["probability"] for p in predictions] == scorer.probability(x).tolist()


@pytest.mark.spark
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs a Java runtime (java on the PATH)")
def test_spark_udf_gives_the_scorers_bits(settings: Settings, scorer: Scorer, tmp_path: Path) -> None:
    rows, x = frame()
    rows.assign(number=range(len(rows))).to_parquet(tmp_path / "given.parquet")
    score_on_spark(settings.tracking_uri, "churn-risk", tmp_path / "given.parquet", tmp_path / "out.parquet")
    assert pd.read_parquet(tmp_path / "out.parquet")["probability"].tolist() == scorer.probability(x).tolist()
