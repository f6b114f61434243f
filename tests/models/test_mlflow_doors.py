"""What MLflow's users do with a registered version, for real: its server and Spark give the scorer's numbers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.settings import Settings
from models import registry
from models.catalog import get_model
from models.scorer import Scorer
from tests.scorers import WORDS, make_scorer, make_signals, random_rows

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's and Spark's own


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings.from_env({"ACCOUNTSCORE_HOME": str(tmp_path_factory.mktemp("home"))})


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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["mlflow", "models", "serve", "-m", "models:/churn-risk@champion", "--env-manager", "local"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # as in an activated environment: it looks for uvicorn
    environment = {"PATH": path, "MLFLOW_TRACKING_URI": settings.tracking_uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 180
        while time.monotonic() < end:
            assert process.poll() is None, "the server did not start"
            try:
                urllib.request.urlopen(f"{url}/ping", timeout=2).close()
                break
            except OSError:
                time.sleep(0.2)
        yield url
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)  # it has workers of its own
        process.wait(timeout=60)


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


SPARK = """
import sys
import mlflow, pandas as pd
from pyspark.sql import SparkSession

uri, given, out = sys.argv[1:]
rows = pd.read_parquet(given)
builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "1")
spark = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1").getOrCreate()
mlflow.set_tracking_uri(uri)
mlflow.set_registry_uri(uri)
score = mlflow.pyfunc.spark_udf(
    spark, "models:/churn-risk@champion", result_type="probability double, score long, band string", env_manager="local"
)
numbered = spark.createDataFrame(rows.assign(number=range(len(rows))))
answers = numbered.withColumn("answer", score(*rows.columns)).select("number", "answer.*").collect()
pd.DataFrame([row.asDict() for row in answers]).sort_values("number").to_parquet(out)
spark.stop()
"""


@pytest.mark.spark
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs a Java runtime (java on the PATH)")
def test_spark_udf_gives_the_scorers_bits(settings: Settings, scorer: Scorer, tmp_path: Path) -> None:
    """In a process of its own: a session that another test left open would keep its own Python."""
    rows, x = frame()
    rows.to_parquet(tmp_path / "given.parquet")
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SPARK, settings.tracking_uri, tmp_path / "given.parquet", tmp_path / "out.parquet"],
        env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert pd.read_parquet(tmp_path / "out.parquet")["probability"].tolist() == scorer.probability(x).tolist()
