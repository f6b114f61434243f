"""`make bench-truth`: how near does a model come to the best that any model could do?

Sample companies of several sizes are simulated, both models are learnt with a search of eight trials, and on the test period the
AUC of the model stands beside that of the true probabilities, which the simulator writes down. The ratio is
(AUC of the model - 0.5) / (AUC of the truth - 0.5), with a 95 % interval by resampling entities. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from features.simulate import simulate
from features.sources.loader import open_source
from models.catalog import MODELS, get_model
from models.definition import Model
from training import metrics
from training.fit import directions
from training.learn import LearnSettings, Learnt, learn
from training.metrics import Ranking
from training.training_set import labelled_panel

SIZES = (500, 2_000, 20_000)
LEADS_PER_ACCOUNT = 4


def true_probabilities(company: Path, definition: Model, learnt: Learnt) -> np.ndarray:
    """(n,) the simulator's own probability of each judged row."""
    rows = learnt.rows
    assert rows.time is not None
    found = pd.DataFrame(
        {
            "entity_id": rows.entity_id[learnt.judged].astype(str),
            "as_of": pd.to_datetime(rows.time[learnt.judged], unit="us", utc=True),
        }
    )
    truth = pd.read_parquet(company / "truth.parquet")
    truth = truth[(truth.entity == definition.entity) & (truth.horizon_days == definition.horizon_days)]
    truth = truth.assign(as_of=pd.to_datetime(truth.as_of, utc=True))
    merged = found.merge(truth[["entity_id", "as_of", "probability"]], on=["entity_id", "as_of"], how="left")
    if merged.probability.isna().any():
        raise RuntimeError("a judged row has no true probability: simulator and panel differ on who is eligible")
    return merged.probability.to_numpy()


def measure(company: Path, name: str, trials: int) -> dict[str, object]:
    """AUC and log loss of model and truth on the test period, and the ratio."""
    definition = get_model(name)
    began = time.perf_counter()
    panel = labelled_panel(open_source("sample", company), definition)
    built = time.perf_counter()
    learnt = learn(panel.rows, panel.split, LearnSettings(None, trials), lambda rows: directions(definition, rows))
    done = time.perf_counter()
    truth = true_probabilities(company, definition, learnt)
    y, group = panel.rows.y[learnt.judged], panel.rows.group[learnt.judged]
    p = 1 / (1 + np.exp(-learnt.judged_log_odds))
    ours, best = Ranking(y, p), Ranking(y, truth)
    draws = metrics.resample(group, 0, {"ours": ours.auc, "best": best.auc})
    auc, true_auc = metrics.point(ours.auc, len(y)), metrics.point(best.auc, len(y))
    ratio = metrics.interval((auc - 0.5) / (true_auc - 0.5), (draws["ours"] - 0.5) / (draws["best"] - 0.5))
    return {
        "fitted": len(learnt.split.before_test),
        "judged": len(y),
        "with_outcome": int(y.sum()),
        "auc": round(auc, 4),
        "true_auc": round(true_auc, 4),
        "ratio": round(ratio.value, 4),
        "low": round(ratio.low, 4),
        "high": round(ratio.high, 4),
        "logloss": round(metrics.point(ours.log_loss, len(y)), 4),
        "true_logloss": round(metrics.point(best.log_loss, len(y)), 4),
        "panel_s": round(built - began, 1),
        "fit_s": round(done - built, 1),
        "chosen": learnt.model.recipe.kind,
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("sizes", nargs="*", type=int, help="accounts; 500, 2,000 and 20,000 when none is given")
    arguments.add_argument(
        "--trials", type=int, default=8, help="of the search, so that the figures do not depend on the machine"
    )
    arguments.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    arguments.add_argument("--seed", type=int, default=7, help="of the company")
    given = arguments.parse_args()
    console = Console(stderr=True, width=140)
    result: dict[str, dict[str, object]] = {}
    for size in given.sizes or SIZES:
        with tempfile.TemporaryDirectory() as folder:
            company = Path(folder)
            simulate(company, accounts=size, leads=LEADS_PER_ACCOUNT * size, seed=given.seed)
            result[str(size)] = {name: measure(company, name, given.trials) for name in given.models}
        columns = ("auc", "true_auc", "ratio", "low", "high", "logloss", "true_logloss", "judged", "panel_s", "fit_s")
        table = Table("model", *columns, title=f"{size:,} accounts, {LEADS_PER_ACCOUNT * size:,} leads")
        for name, found in result[str(size)].items():
            assert isinstance(found, dict)
            table.add_row(name, *[str(found[column]) for column in columns])
        console.print(table)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
