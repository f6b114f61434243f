"""MLflow's own ways to a registered model, as its users take them: `mlflow models serve`, and `spark_udf` on a real local Spark."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.kit.running import free_port

SPARK = """
import sys
import mlflow, pandas as pd
from pyspark.sql import SparkSession, functions

uri, model, given, out = sys.argv[1:]
builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "1")
spark = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1").getOrCreate()
mlflow.set_tracking_uri(uri)
mlflow.set_registry_uri(uri)
score = mlflow.pyfunc.spark_udf(
    spark, f"models:/{model}@champion", result_type="probability double, score long, band string", env_manager="local"
)
rows = spark.read.parquet(given)
answers = rows.select("number", score(*[name for name in rows.columns if name != "number"]).alias("answer"))
answers.select("number", "answer.*").toPandas().sort_values("number").to_parquet(out)
spark.stop()
"""


@contextlib.contextmanager
def mlflow_serve(tracking_uri: str, model: str) -> Iterator[str]:
    """`mlflow models serve` with the champion of `model`, until the block ends; yields its address."""
    port = free_port()
    command = ["mlflow", "models", "serve", "-m", f"models:/{model}@champion", "--env-manager", "local"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # as in an activated environment: it looks for uvicorn
    # MLflow keeps the registry of whoever set one last in the environment of this process.
    registry = {"MLFLOW_TRACKING_URI": tracking_uri, "MLFLOW_REGISTRY_URI": tracking_uri}
    environment = {"PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true", **registry}
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


def score_on_spark(tracking_uri: str, model: str, given: Path, out: Path) -> None:
    """Score a Parquet file whose rows have a `number`; `out` has number, probability, score and band, in that order.

    In a process of its own: a session that another test left open would keep its own Python.
    """
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SPARK, tracking_uri, model, given, out],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
