"""`make bench-quality`: our `fit-table` against plain LightGBM and plain logistic regression on the public datasets.

`ACCOUNTSCORE_DATA` names the directory that holds them. Beside it, in `../quality`, stand the fixed splits (`splits.py`) and
the figures of AutoML tools on the same rows (`anchors.md`); both are read from there when the benchmark runs, and
`--quality DIR` names another place. Three more sets have their split here. Every contender sees the same training rows and
is judged by the same test rows; ours sees the order of the training rows where it is one in time (`--time`), and no other
help. The last line is one JSON object: per dataset and contender auc, logloss, ece (10 equal-count bins) and s (seconds).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import lightgbm as lgb
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from features.kit.settings import Settings
from models.scorer.scorer import Scorer
from training.errors import NOTHING_LIVE
from training.gates import perfect_band

LABEL, ORDER = "outcome_of_the_row", "order_of_the_row"


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


def fixed(splits: ModuleType, name: str) -> Task:
    """A set with a fixed split. Sets in time have their rows in its order, the newest first or last: where the test rows are."""
    x, y, test, kind = splits.load(name)
    order = np.arange(len(y)) if kind.startswith("time") else None
    if order is not None and order[test].mean() < order[~test].mean():
        order = order[::-1].copy()
    return Task(x, np.asarray(y), np.asarray(test), order)


def read_splits(folder: Path) -> ModuleType:
    """`splits.py` of the benchmark's folder; it knows where the datasets lie."""
    path = folder / "splits.py"
    spec = importlib.util.spec_from_file_location("benchmark_splits", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise SystemExit(f"no {path}: pass --quality with the folder that holds splits.py and anchors.md")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_anchors(folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    """`anchors.md`: dataset -> contender -> figures, from its table "AUC / log loss / ECE" under "name (seconds)"."""
    lines = [line for line in (folder / "anchors.md").read_text().splitlines() if line.startswith("|")]
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    found: dict[str, dict[str, dict[str, float]]] = {}
    for row in rows:
        for title, cell in zip(header, row, strict=True):
            name = re.fullmatch(r"(\w+) \((?:< )?(\d+) s\)", title)
            figures = [float(part) for part in re.findall(r"\d+\.\d+", cell)]
            if name and len(figures) == 3:
                auc, loss, ece = figures
                found.setdefault(row[0], {})[f"{name[1]}, anchor"] = {
                    "auc": auc,
                    "logloss": loss,
                    "ece": ece,
                    "s": float(name[2]),
                }
    return found


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


OWN: dict[str, Callable[[Path], Task]] = {f.__name__: f for f in (ceu, maven, ravenstack)}


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
        "--json",
    ]
    if task.order is not None:
        train[ORDER] = task.order[~task.test]
        command += ["--time", ORDER]
    train.to_parquet(folder / "train.parquet", index=False)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, NOTHING_LIVE):  # a refused scorer is measured too
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
            (OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=10), words),
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
    arguments.add_argument("datasets", nargs="*", help="all when none is named")
    arguments.add_argument(
        "--quality", type=Path, help="folder of splits.py and anchors.md; beside the data by default"
    )
    given = arguments.parse_args()
    data = Settings.from_env().data
    if data is None:
        raise SystemExit("set ACCOUNTSCORE_DATA to the directory that holds the public datasets")
    quality = given.quality or data.resolve().parent / "quality"
    splits, anchors = read_splits(quality), read_anchors(quality)
    known = [*splits.ALL, *OWN]
    unknown = sorted(set(given.datasets) - set(known))
    if unknown:
        raise SystemExit(f"no dataset {', '.join(unknown)}: one of {', '.join(known)}")
    console = Console(stderr=True, width=140)
    result: dict[str, dict[str, object]] = {}
    for name in given.datasets or known:
        task = OWN[name](data) if name in OWN else fixed(splits, name)
        result[name] = compare(task) | anchors.get(name, {})
        console.print(as_table(name, task, result[name]))
    print(json.dumps(result))


def compare(task: Task) -> dict[str, object]:
    """Every contender that runs here; ours with its verdict and the ECE that a perfect model stays under in 95 of 100."""
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
    return lines


def as_table(name: str, task: Task, lines: Mapping[str, object]) -> Table:
    rates = task.y[~task.test].mean(), task.y[task.test].mean()
    title = f"{name}: {(~task.test).sum():,} / {task.test.sum():,} rows, base rate {rates[0]:.3f} -> {rates[1]:.3f}"
    table = Table("contender", "AUC", "log loss", "ECE", "s", "verdict", title=title)
    for contender, row in lines.items():
        assert isinstance(row, dict)
        said = ""
        if "verdict" in row:
            said = f"{row['verdict']} {', '.join(row['refused_by'])} (perfect: ECE < {row['perfect_band']})"
        table.add_row(contender, *[str(row[k]) for k in ("auc", "logloss", "ece", "s")], said)
    return table


if __name__ == "__main__":
    main()
