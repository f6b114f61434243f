"""`make bench-quality`: our `fit-table` against plain LightGBM and plain logistic regression on the public datasets.

`ACCOUNTSCORE_DATA` names the directory that holds them. Every contender sees the same training rows and is judged by the same
test rows; ours sees the time of the training rows where there is one (`--time`), and no other help. Figures of AutoML tools
on the rows of the first four sets, measured on 2 cores on 2026-11-23, stand beside them: flaml 2.7 with 45 s and
AutoGluon 1.6 with 100 s. The last line is one JSON object: per dataset and contender auc, logloss, ece (10 equal-count bins)
and s (seconds).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GroupShuffleSplit, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from features.settings import Settings
from models.scorer import Scorer
from training.gates import perfect_band

LABEL, ORDER = "outcome_of_the_row", "order_of_the_row"
AUTOML = {
    "x_education": {"flaml": (0.8894, 0.590, 0.239, 45), "autogluon": (0.8999, 0.402, 0.068, 100)},
    "telco": {"flaml": (0.8628, 0.399, 0.042, 45), "autogluon": (0.8620, 0.398, 0.030, 100)},
    "bank": {"flaml": (0.6153, 0.701, 0.175, 45), "autogluon": (0.6596, 0.614, 0.140, 100)},
    "salvirt": {"flaml": (0.8175, 0.522, 0.084, 45), "autogluon": (0.8642, 0.476, 0.104, 100)},
}


@dataclass(frozen=True)
class Task:
    """One dataset with its split; `order` is the time of each row where there is one."""

    x: pd.DataFrame
    y: np.ndarray
    test: np.ndarray
    order: np.ndarray | None = None


def _mask(n: int, index: np.ndarray) -> np.ndarray:
    mask = np.zeros(n, bool)
    mask[index] = True
    return mask


def _quarter(y: np.ndarray) -> np.ndarray:
    _, test = train_test_split(np.arange(len(y)), test_size=0.25, stratify=y, random_state=7)
    return _mask(len(y), test)


def x_education(data: Path) -> Task:
    """Leads of an online school, newest 20 % by number; columns known only after contact are left out."""
    d = pd.read_csv(data / "x_education_leads/Leads.csv.gz")
    late = ["Tags", "Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity"]
    late += [f"Asymmetrique {a} {b}" for a in ("Activity", "Profile") for b in ("Index", "Score")]
    number = d["Lead Number"]
    x = d.drop(columns=["Converted", "Prospect ID", "Lead Number", *late])
    return Task(x, d.Converted.to_numpy(), (number.rank(pct=True) > 0.8).to_numpy(), number.to_numpy())


def telco(data: Path) -> Task:
    """Customers of a phone company, a random quarter: a snapshot without time."""
    d = pd.read_csv(data / "ibm_telco_churn/Telco-Customer-Churn.csv")
    d["TotalCharges"] = pd.to_numeric(d.TotalCharges, errors="coerce")
    y = (d.Churn == "Yes").astype(int).to_numpy()
    return Task(d.drop(columns=["customerID", "Churn"]), y, _quarter(y))


def bank(data: Path) -> Task:
    """Calls of a bank in date order, the last 30 %; the length of the call is known only after it."""
    d = pd.read_csv(data / "uci_bank_marketing/bank-additional-full.csv.gz", sep=";")
    order = np.arange(len(d))
    return Task(
        d.drop(columns=["y", "duration"]), (d.y == "yes").astype(int).to_numpy(), order >= int(0.7 * len(d)), order
    )


def salvirt(data: Path) -> Task:
    """Deals of a consultancy, 30 % of the distinct rows, exact copies on one side."""
    d = pd.read_csv(next((data / "salvirt_b2b_deals").glob("*.csv")), sep=";")
    y = (d.Status == "Won").astype(int).to_numpy()
    x = d.drop(columns="Status")
    group = pd.factorize(x.astype(str).agg("|".join, axis=1))[0]
    _, test = next(GroupShuffleSplit(1, test_size=0.3, random_state=7).split(x, y, group))
    return Task(x, y, _mask(len(y), test))


def ceu(data: Path) -> Task:
    """Users of a product by month: will an active user be away for the next three months? Months 16 to 18 judge."""
    folder = data / "ceu_saas_activity"
    activity = pd.read_csv(folder / "activity.csv.gz", sep=";")
    people = activity.drop_duplicates("id").set_index("id") if "id" in activity else None
    key = "id" if people is not None else activity.columns[0]
    month, joined = "activity_month", "registration_month"
    active = pd.crosstab(activity[key], activity[month]).clip(upper=1).reindex(columns=range(1, 22), fill_value=0)
    first = activity.groupby(key)[joined].first().reindex(active.index)
    grid = active.to_numpy()
    others = [c for c in activity.columns if c not in (key, month, joined) and not c.endswith("_date")]
    parts = []
    for m in range(4, 19):
        here = grid[:, m - 1] == 1
        rows = pd.DataFrame({"tenure_months": m - first.to_numpy()[here]})
        for window in (2, 3, 6, 12):
            rows[f"active_of_{window}"] = grid[here][:, max(0, m - window) : m].sum(axis=1)
        rows["active_before"] = grid[here][:, : m - 1].sum(axis=1)
        rows["month_of_year"] = (m - 1) % 12
        for c in others:
            rows[c] = activity.groupby(key)[c].first().reindex(active.index).to_numpy()[here]
        rows[LABEL] = (grid[here][:, m : m + 3].sum(axis=1) == 0).astype(int)
        rows[ORDER] = m
        parts.append(rows)
    d = pd.concat(parts, ignore_index=True)
    # A gap of three months: the windows of what is learnt from are over when the test months begin.
    d = d[(d[ORDER] <= 12) | (d[ORDER] >= 16)].reset_index(drop=True)
    order = d[ORDER].to_numpy()
    return Task(d.drop(columns=[LABEL, ORDER]), d[LABEL].to_numpy(), order >= 16, order)


def maven(data: Path) -> Task:
    """Closed deals of a made-up seller, newest 20 % by opening; what is known at opening says nothing of the outcome."""
    folder = data / "maven_crm_sales"
    d = pd.read_csv(folder / "sales_pipeline.csv")
    d = d[d.deal_stage.isin(["Won", "Lost"])].sort_values("engage_date", kind="stable").reset_index(drop=True)
    d["product"] = d["product"].replace("GTXPro", "GTX Pro")
    d = d.merge(pd.read_csv(folder / "products.csv"), on="product", how="left")
    d = d.merge(pd.read_csv(folder / "accounts.csv"), on="account", how="left")
    d = d.merge(pd.read_csv(folder / "sales_teams.csv"), on="sales_agent", how="left")
    order = pd.to_datetime(d.engage_date).dt.strftime("%Y%m%d").astype(int).to_numpy()
    y = (d.deal_stage == "Won").astype(int).to_numpy()
    x = d.drop(columns=["opportunity_id", "deal_stage", "engage_date", "close_date", "close_value"])
    return Task(x, y, order >= np.quantile(order, 0.8), order)


def ravenstack(data: Path) -> Task:
    """The undated churn flag of a made-up software company's accounts, a random quarter: no signal in it."""
    d = pd.read_csv(data / "ravenstack_saas/ravenstack_accounts.csv")
    y = d.churn_flag.astype(int).to_numpy()
    return Task(d.drop(columns=["account_id", "account_name", "signup_date", "churn_flag"]), y, _quarter(y))


TASKS: dict[str, Callable[[Path], Task]] = {
    f.__name__: f for f in (x_education, telco, bank, salvirt, ceu, maven, ravenstack)
}


def calibration_error(y: np.ndarray, p: np.ndarray) -> float:
    parts = np.array_split(np.argsort(p, kind="stable"), 10)
    return sum(abs(y[part].mean() - p[part].mean()) * len(part) for part in parts) / len(y)


def ours(task: Task, folder: Path) -> tuple[np.ndarray, dict[str, object]]:
    """Through the door: a file in, a scorer out, then the scorer alone."""
    train = task.x[~task.test].assign(**{LABEL: task.y[~task.test]})
    command = [
        sys.executable,
        "-m",
        "training",
        "fit-table",
        str(folder / "train.parquet"),
        "--label",
        LABEL,
        "--out",
        str(folder / "s"),
    ]
    if task.order is not None:
        train[ORDER] = task.order[~task.test]
        command += ["--time", ORDER]
    train.to_parquet(folder / "train.parquet", index=False)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    scorer = Scorer.load(folder / "s")
    test = task.x[task.test]
    columns = {
        name: test[name].astype(object).where(test[name].notna(), None).tolist()
        if scorer.signal(name).vocabulary is not None
        else pd.to_numeric(test[name], errors="coerce").to_numpy(dtype=float)
        for name in scorer.names
    }
    return scorer.probability(scorer.encode(columns)), json.loads(done.stdout.splitlines()[-1])


def lightgbm(task: Task) -> np.ndarray:
    x = task.x.copy()
    for c in x:
        if not pd.api.types.is_numeric_dtype(x[c]):
            x[c] = x[c].astype("category")
    data = lgb.Dataset(x[~task.test], task.y[~task.test])
    model = lgb.train(
        {"objective": "binary", "learning_rate": 0.05, "verbosity": -1, "num_threads": 2, "seed": 0}, data, 200
    )
    return np.asarray(model.predict(x[task.test]))


def logit(task: Task) -> np.ndarray:
    numbers = [c for c in task.x if pd.api.types.is_numeric_dtype(task.x[c])]
    words = [c for c in task.x if c not in numbers]
    x = task.x.copy()
    for c in words:
        x[c] = x[c].astype(object).where(x[c].notna(), "missing").astype(str)
    model = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            (OneHotEncoder(handle_unknown="ignore"), words),
        ),
        LogisticRegression(C=0.5, max_iter=2000),
    )
    return np.asarray(model.fit(x[~task.test], task.y[~task.test]).predict_proba(x[task.test])[:, 1])


def figures(y: np.ndarray, p: np.ndarray, seconds: float) -> dict[str, float]:
    return {
        "auc": round(float(roc_auc_score(y, p)), 4),
        "logloss": round(float(log_loss(y, p)), 4),
        "ece": round(calibration_error(y, p), 4),
        "s": round(seconds, 1),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("datasets", nargs="*", choices=[[], *TASKS], help="all when none is named")
    names = arguments.parse_args().datasets or list(TASKS)
    data = Settings.from_env().data
    if data is None:
        raise SystemExit("set ACCOUNTSCORE_DATA to the directory that holds the public datasets")
    console = Console(stderr=True)
    result: dict[str, dict[str, object]] = {}
    for name in names:
        task = TASKS[name](data)
        y = task.y[task.test]
        lines: dict[str, object] = {}
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            p, report = ours(task, Path(folder))
            lines["accountscore"] = {
                **figures(y, p, time.perf_counter() - began),
                "perfect_band": round(perfect_band(p, np.arange(len(p))), 4),
                "verdict": report["verdict"],
                "refused_by": [gate["name"] for gate in report["gates"] if not gate["passed"]],  # type: ignore[attr-defined]
            }
        for contender in (lightgbm, logit):
            began = time.perf_counter()
            lines[contender.__name__] = figures(y, contender(task), time.perf_counter() - began)
        for tool, known in AUTOML.get(name, {}).items():
            lines[tool] = dict(zip(("auc", "logloss", "ece", "s"), known, strict=True))
        result[name] = lines
        table = Table(
            "contender",
            "AUC",
            "log loss",
            "ECE",
            "s",
            "verdict",
            title=f"{name}: {(~task.test).sum():,} / {len(y):,} rows",
        )
        for contender_name, row in lines.items():
            assert isinstance(row, dict)
            verdict = (
                f"{row['verdict']} {row['refused_by'] or ''} (perfect: ECE < {row['perfect_band']})"
                if "verdict" in row
                else ""
            )
            table.add_row(contender_name, *[str(row[k]) for k in ("auc", "logloss", "ece", "s")], verdict)
        console.print(table)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
