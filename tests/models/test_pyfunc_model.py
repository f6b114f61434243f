"""MLflow's ways to a registered version give the scorer's numbers: its loader, its server, and Spark."""

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
from models.scorer.artefact_schema import VerdictSpec
from models.scorer.scorer import Scorer
from tests.conftest import NewRegistry
from tests.kit.mlflow_doors import mlflow_serve, score_on_spark
from tests.kit.scorers import WORDS, make_scorer, make_signals, random_rows
from training.promote import GATES, PASSED

MODEL = "churn-risk"


def refused_version(settings: Settings, folder: Path) -> registry.Version:
    """A version whose scorer says that it was refused, and whose tag in the registry says that its gates held."""
    no = VerdictSpec(code="no_signal", says="no signal found", ready=False, why=["signal: AUC 0.51"])
    make_scorer(folder / "refused", seed=8, n=300, verdict=no)
    return registry.log_version(
        settings, get_model(MODEL), folder / "refused", parameters={}, metrics={}, tags={GATES: PASSED}
    )


def frame(rows: int = 60) -> tuple[pd.DataFrame, np.ndarray]:
    x, _ = random_rows(rows, seed=4)
    names = [s.name for s in make_signals()]
    made = pd.DataFrame(x, columns=names)
    for name in names[-2:]:
        made[name] = [None if np.isnan(v) else WORDS[int(v)] for v in made[name]]
    return made, x


class TestLoader:
    def test_mlflow_gives_the_same_bits(self, settings: Settings, logged: Scorer) -> None:
        import mlflow

        rows, x = frame(40)
        mlflow.set_tracking_uri(settings.tracking_uri)
        mlflow.set_registry_uri(settings.tracking_uri)
        loaded = mlflow.pyfunc.load_model("models:/churn-risk@champion")
        assert np.array_equal(loaded.predict(rows)["probability"].to_numpy(), logged.probability(x))
        x[:, 1] = np.nan
        x[:, -1] = np.nan
        fewer = loaded.predict(rows.drop(columns=["number_1", "word_1"]))  # optional, as the signature says
        assert np.array_equal(fewer["probability"].to_numpy(), logged.probability(x))


class TestARefusedScorer:
    """Whoever sets a tag or an alias by hand: the scorer itself says what its gates said."""

    def test_mlflows_doors_mark_every_row(self, tmp_path: Path, new_registry: NewRegistry) -> None:
        import mlflow

        settings = new_registry(tmp_path / "home")
        version = refused_version(settings, tmp_path)
        mlflow.set_tracking_uri(settings.tracking_uri)
        mlflow.set_registry_uri(settings.tracking_uri)
        loaded = mlflow.pyfunc.load_model(f"models:/{MODEL}/{version.version}")
        found = loaded.predict(pd.DataFrame({"number_0": [1.0, 2.0]}))
        assert found["verdict"].tolist() == ["no signal found"] * 2
        assert [c.name for c in loaded.metadata.signature.outputs] == ["probability", "score", "band", "verdict"]


@pytest.fixture
def server(settings: Settings, logged: Scorer) -> Iterator[str]:
    with mlflow_serve(settings.tracking_uri, "churn-risk") as url:
        yield url


@pytest.mark.slow
def test_mlflow_models_serve_gives_the_scorers_bits(server: str, logged: Scorer) -> None:
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
    assert [p["probability"] for p in predictions] == logged.probability(x).tolist()


@pytest.mark.slow  # Spark starts for it alone; the nightly batch is held to the same bits on Spark in every run
@pytest.mark.spark
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs a Java runtime (java on the PATH)")
def test_spark_udf_gives_the_scorers_bits(settings: Settings, logged: Scorer, tmp_path: Path) -> None:
    rows, x = frame()
    rows.assign(number=range(len(rows))).to_parquet(tmp_path / "given.parquet")
    score_on_spark(settings.tracking_uri, "churn-risk", tmp_path / "given.parquet", tmp_path / "out.parquet")
    assert pd.read_parquet(tmp_path / "out.parquet")["probability"].tolist() == logged.probability(x).tolist()
