"""On the sample company the truth is known: a model must come near it, and must not beat it, which only a leak could."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from features.simulate import simulate
from features.sources.loader import open_source
from models.catalog import get_model
from training.fit import directions
from training.learn import LearnSettings, learn
from training.training_set import labelled_panel

RESAMPLES = 200


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    simulate(folder, accounts=1_200, leads=5_000, usage_events=200_000)
    return folder


@functools.cache
def judged(company: Path, model: str) -> pd.DataFrame:
    """Test rows with the outcome, the model's log-odds and the true probability."""
    definition = get_model(model)
    panel = labelled_panel(open_source("sample", company), definition)
    learnt = learn(
        panel.rows, panel.split, LearnSettings(budget_s=None, trials=2), lambda rows: directions(definition, rows)
    )
    rows = learnt.rows
    found = pd.DataFrame(
        {
            "entity_id": rows.entity_id[learnt.judged].astype(str),
            "as_of": pd.to_datetime(rows.time[learnt.judged], unit="us", utc=True),  # type: ignore[call-overload, index]
            "y": rows.y[learnt.judged],
            "model": learnt.judged_log_odds,
        }
    )
    truth = pd.read_parquet(company / "truth.parquet")
    truth = truth[(truth.entity == definition.entity) & (truth.horizon_days == definition.horizon_days)]
    truth = truth.assign(as_of=pd.to_datetime(truth.as_of, utc=True))
    merged = found.merge(truth[["entity_id", "as_of", "probability"]], on=["entity_id", "as_of"], how="left")
    assert merged.probability.notna().all(), "every eligible entity has a true probability"
    return merged


def ratio_and_excess(rows: pd.DataFrame) -> tuple[float, float]:
    """(AUC - 0.5) of the model over that of the truth, and the lower end of the 95 % interval of their difference."""
    model, truth = roc_auc_score(rows.y, rows.model), roc_auc_score(rows.y, rows.probability)
    by_entity = [part.index.to_numpy() for _, part in rows.groupby("entity_id")]
    rng = np.random.default_rng(0)
    differences = []
    for _ in range(RESAMPLES):
        index = np.concatenate([by_entity[i] for i in rng.integers(0, len(by_entity), len(by_entity))])
        y = rows.y.to_numpy()[index]
        differences.append(
            roc_auc_score(y, rows.model.to_numpy()[index]) - roc_auc_score(y, rows.probability.to_numpy()[index])
        )
    return (model - 0.5) / (truth - 0.5), float(np.quantile(differences, 0.025))


@pytest.mark.parametrize("model", ["churn-risk", "lead-fit"])
class TestAgainstTheTruth:
    def test_near_the_truth_and_not_beyond_it(self, company: Path, model: str) -> None:
        rows = judged(company, model)
        ratio, excess = ratio_and_excess(rows)
        print(f"{model}: {ratio:.3f} of the truth's (AUC - 0.5), {len(rows):,} test rows")
        assert ratio >= 0.85
        assert excess <= 0

    def test_a_model_that_knows_the_future_is_caught(self, company: Path, model: str) -> None:
        """The sabotaged twin: a score that has seen a little of the outcome are beyond the truth."""
        rows = judged(company, model).copy()
        rows["model"] = rows.probability + 0.05 * rows.y
        assert ratio_and_excess(rows)[1] > 0
