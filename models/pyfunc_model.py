"""MLflow's pyfunc wrapper of a scorer, for `mlflow models serve` and `mlflow.pyfunc.spark_udf`.

MLflow runs this file when it loads a registered version (models from code). Our own serving never does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel

from models.scorer.scorer import Scorer
from models.scorer.verdict import MARK, mark, refused


class ScorerModel(PythonModel):
    """predict(DataFrame of signals) -> DataFrame with probability, score, band. An absent column counts as missing.

    A version that its gates refused has one column more, `verdict`, which says so on every row.
    """

    def load_context(self, context: Any) -> None:
        self._scorer = Scorer.load(Path(context.artifacts["scorer"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        absent = [None] * len(model_input)  # the signature says that every signal is optional
        columns = {name: model_input.get(name, absent) for name in self._scorer.names}
        x = self._scorer.encode(columns)
        probability = self._scorer.probability(x)
        scored: dict[str, Any] = {
            "probability": probability,
            "score": self._scorer.percentile(probability),
            "band": self._scorer.band(probability),
        }
        if refused(self._scorer.spec):
            scored[MARK] = mark(self._scorer.spec)
        return pd.DataFrame(scored, index=model_input.index)


mlflow.models.set_model(ScorerModel())
