"""`make bench-batch`: a table of 5 million rows scored from Parquet to Parquet, beside LightGBM's own calls and pandas.

The rows are made here, 60 signals of the catalog (6 of them texts) by their units; `--rows 50000000` makes 50 million (18 GB of
disk for what is read and written). The champion is what training makes of 60,000 such rows: a bag of three seeds of 300 trees
with 8 leaves, through `training.trees` and `write_scorer`. Rivals: raw `Booster.predict` of the same trees on a float array that is in memory
already, `pred_contrib` likewise, both on a share of the rows that fits and scaled by rows; pandas that reads, predicts and writes
the whole file; and the same file only read and written by pyarrow, a batch at a time.

Each step runs in a process of its own, so that its peak memory is its own. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from features.signals.signal import Signal

ROWS, SIGNALS, WORDS = 5_000_000, 60, 6
GROUP_ROWS = 65_536
TRAIN_ROWS = 60_000
TREES = 300
"""Per seed; three seeds."""
BOOSTER_ROWS, CONTRIB_ROWS = 500_000, 20_000
"""The shares that raw `Booster.predict` and `pred_contrib` get: 240 and 10 MB as an array."""
THREADS = 2
REASONS = 5


def signals() -> list[Signal]:
    """60 signals of the catalog: the texts, and of the others every second one, so that all themes are there."""
    from features.signals.catalog import definitions

    known = [d.signal for d in definitions("account")]
    texts = [s for s in known if s.is_category][:WORDS]
    rest = [s for s in known if not s.is_category]
    return [*rest[:: len(rest) // (SIGNALS - len(texts))][: SIGNALS - len(texts)], *texts]


def vocabulary(signal: Signal) -> list[str]:
    return [f"{signal.name}_{n}" for n in range(20)]


def make_values(described: Sequence[Signal], rows: int, seed: int) -> np.ndarray:
    """(rows, signals) float64 by their units, texts as codes; a tenth of most is missing, and a common cause runs through half."""
    import numpy as np

    rng = np.random.default_rng(seed)
    health = rng.normal(size=rows)
    x = np.empty((rows, len(described)))
    for j, signal in enumerate(described):
        z = rng.normal(size=rows) + (0.5 if j % 2 else 0.0) * health
        values = {
            "count": lambda z=z: np.floor(np.exp(1.5 + z)),
            "days": lambda z=z: 40 * np.exp(z),
            "hours": lambda z=z: 8 * np.exp(z),
            "share": lambda z=z: 1 / (1 + np.exp(-z)),
            "change": lambda z=z: np.tanh(z),
            "money": lambda z=z: np.round(2_000 * np.exp(1.2 * z), 2),
            "flag": lambda z=z: (z > 0.3).astype(float),
            "months": lambda z=z: np.where(z > 0, 12.0, 1.0),
            "years": lambda z=z: 6 * np.exp(z),
            "category": lambda z=z: np.clip(np.floor(4 * np.exp(z / 2)), 0, 20),  # 20 is a word that nobody saw
        }.get(signal.unit, lambda z=z: 3 * np.exp(z / 2))
        x[:, j] = values()
        if signal.unit not in ("flag", "category") or j % 3 == 0:
            x[rng.random(rows) < 0.1, j] = np.nan
    return x


def make_outcomes(x: np.ndarray, seed: int) -> np.ndarray:
    """(n,) 0/1: bent and joint effects of 25 signals, the same ones for every seed; 15 % come true."""
    import numpy as np

    fixed, rng = np.random.default_rng(0), np.random.default_rng(seed)
    ranks = np.nan_to_num(np.log1p(np.abs(x)))
    z = np.full(len(x), -2.4)
    for j in fixed.permutation(x.shape[1])[:25]:
        other = int(fixed.integers(x.shape[1]))
        centre = float(np.median(ranks[:, j]))
        z += fixed.normal() * np.tanh(ranks[:, j] - centre)
        z += 0.5 * fixed.normal() * (1.0 * np.isnan(x[:, j]) - (ranks[:, j] > centre) * (ranks[:, other] > 1.0))
    return (rng.random(len(x)) < 1 / (1 + np.exp(-z))).astype(float)


def as_table(described: Sequence[Signal], x: np.ndarray, first: int) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    columns: dict[str, Any] = {"account_id": pa.array([f"acc_{first + n:09d}" for n in range(len(x))])}
    for j, signal in enumerate(described):
        if signal.is_category:
            words = pa.array([*vocabulary(signal), "not seen before"])
            gone = np.isnan(x[:, j])
            columns[signal.name] = words.take(pa.array(np.where(gone, 0, x[:, j]).astype(np.int64), mask=gone))
        else:
            columns[signal.name] = pa.array(x[:, j].copy(), from_pandas=True)
    return pa.table(columns)


def make_rows(work: Path, rows: int) -> None:
    import pyarrow.parquet as pq

    if (work / "rows.parquet").is_file() and pq.read_metadata(work / "rows.parquet").num_rows == rows:
        return  # a kept folder
    described, writer = signals(), None
    for number, first in enumerate(range(0, rows, GROUP_ROWS)):
        table = as_table(described, make_values(described, min(GROUP_ROWS, rows - first), 1_000 + number), first)
        writer = writer or pq.ParquetWriter(work / "rows.parquet", table.schema, compression="zstd")
        writer.write_table(table)
    assert writer is not None
    writer.close()


def make_champion(work: Path, trees: int) -> None:
    import numpy as np

    from models.catalog import get_model
    from models.scorer.artefact_schema import VerdictSpec
    from models.scorer.writer import Reference, write_scorer
    from training import trees as learner
    from training.dataset import Rows
    from training.model_search import bag_seeds

    shutil.rmtree(work / "scorer", ignore_errors=True)
    described = signals()
    x = make_values(described, TRAIN_ROWS, 1)
    y = make_outcomes(x, 2)
    words = tuple(tuple(vocabulary(s)) if s.is_category else None for s in described)
    nobody = np.full(len(y), np.nan)
    rows = Rows(tuple(described), words, x, y, None, np.arange(len(y)), nobody, np.arange(len(y)).astype(str))
    bag = learner.train(rows, learner.TreeSettings(), [0] * len(described), trees, bag_seeds(0))
    write_scorer(
        work / "scorer",
        definition=get_model("churn-risk"),
        signals=described,
        vocabularies=words,
        reference=Reference(x, y, x[:20_000]),
        boosters=[b.model_to_string() for b in bag],
        tree_share=1.0,
        verdict=VerdictSpec(code="ready", says="ready", ready=True),
    )


def share_of(work: Path, rows: int) -> np.ndarray:
    """The first rows as the scorer encodes them."""
    import numpy as np
    import pyarrow.parquet as pq

    from models.scorer.scorer import Scorer

    scorer, parts, have = Scorer.load(work / "scorer"), [], 0
    for batch in pq.ParquetFile(work / "rows.parquet").iter_batches(GROUP_ROWS):
        parts.append(scorer.encode({name: batch[name] for name in scorer.names}))
        have += len(batch)
        if have >= rows:
            break
    return np.ascontiguousarray(np.concatenate(parts)[:rows])


def booster(work: Path, rows: int, **more: Any) -> tuple[int, float]:
    """(rows, seconds) of one call of `Booster.predict` with two threads."""
    import lightgbm as lgb

    x = share_of(work, rows)
    model = lgb.Booster(model_file=str(work / "scorer" / "booster.txt"))
    model.predict(x[:1_000], num_threads=THREADS, **more)
    began = time.perf_counter()
    model.predict(x, num_threads=THREADS, **more)
    return len(x), time.perf_counter() - began


def pandas_way(work: Path) -> tuple[int, float]:
    """The whole file in a frame, the trees' own call on its codes, the frame written with the probabilities."""
    import lightgbm as lgb
    import numpy as np
    import pandas as pd

    began = time.perf_counter()
    frame = pd.read_parquet(work / "rows.parquet")
    model = lgb.Booster(model_file=str(work / "scorer" / "booster.txt"))
    described = signals()
    x = np.empty((len(frame), len(described)))
    for j, signal in enumerate(described):
        column = frame[signal.name]
        if signal.is_category:
            codes = pd.Categorical(column, categories=vocabulary(signal)).codes.astype(float)
            x[:, j] = np.where(column.isna(), np.nan, np.where(codes < 0, len(vocabulary(signal)), codes))
        else:
            x[:, j] = column
    frame["probability"] = model.predict(x, num_threads=THREADS)
    frame.to_parquet(work / "pandas.parquet")
    (work / "pandas.parquet").unlink()
    return len(frame), time.perf_counter() - began


def read_and_write(work: Path) -> tuple[int, float]:
    import pyarrow.parquet as pq

    from serving.batch.run import CHUNK_ROWS
    from serving.scoring.arrow import plain_leaves

    began = time.perf_counter()
    opened = pq.ParquetFile(work / "rows.parquet", pre_buffer=False)
    with pq.ParquetWriter(
        work / "copy.parquet", opened.schema_arrow, use_dictionary=plain_leaves(opened.schema_arrow)
    ) as writer:
        for batch in opened.iter_batches(CHUNK_ROWS):
            writer.write_batch(batch)
    (work / "copy.parquet").unlink()
    return opened.metadata.num_rows, time.perf_counter() - began


def children(work: Path, rows: int, trees: int) -> dict[str, Callable[[], tuple[int, float] | None]]:
    return {
        "make_rows": lambda: make_rows(work, rows),
        "make_champion": lambda: make_champion(work, trees),
        "booster": lambda: booster(work, min(rows, BOOSTER_ROWS)),
        "pred_contrib": lambda: booster(work, min(rows, CONTRIB_ROWS), pred_contrib=True),
        "pandas": lambda: pandas_way(work),
        "read_and_write": lambda: read_and_write(work),
    }


def run(command: Sequence[str], out: Path) -> tuple[float, float]:
    """(wall seconds, peak MB) of a process; this one must stay small, for a child counts what it was forked from."""
    began = time.perf_counter()
    with out.open("w") as told:
        actions = [(os.POSIX_SPAWN_DUP2, told.fileno(), 1)]
        pid = os.posix_spawn(
            command[0], list(command), {**os.environ, "PYTHONWARNINGS": "ignore"}, file_actions=actions
        )
        _, status, used = os.wait4(pid, 0)
    seconds = time.perf_counter() - began
    if status:
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return seconds, used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def steps(work: Path, options: argparse.Namespace) -> Iterator[tuple[str, int, float, float]]:
    """(name, rows, seconds, peak MB) of each path."""
    this = [
        sys.executable,
        "-m",
        "tests.benchmarks.bench_batch",
        "--rows",
        str(options.rows),
        "--trees",
        str(options.trees),
    ]

    def child(name: str) -> tuple[int, float, float]:
        seconds, peak = run([*this, "--child", name, "--work", str(work)], work / "told")
        told = json.loads((work / "told").read_text())
        rows, own = told if told else (options.rows, seconds)
        return rows, own, peak

    def ours(reasons: int) -> tuple[int, float, float]:
        out = work / "scored.parquet"
        command = [
            sys.executable,
            "-m",
            "serving",
            "score-table",
            str(work / "scorer"),
            str(work / "rows.parquet"),
            str(out),
        ]
        seconds, peak = run([*command, "--reasons", str(reasons)], work / "told")
        out.unlink()
        return options.rows, seconds, peak

    kept = (
        (work / "scorer").is_dir() and (work / "trees").is_file() and (work / "trees").read_text() == str(options.trees)
    )
    for name in ("make_rows",) if kept else ("make_rows", "make_champion"):
        _, seconds, peak = child(name)
        print(f"{name}: {seconds:.1f} s, {peak:,.0f} MB", flush=True)
    (work / "trees").write_text(str(options.trees))
    if options.only_make:
        return
    for name in ("booster", "ours_plain", "pred_contrib", "ours_reasons", "read_and_write", "pandas"):
        if name in options.without:
            continue
        found = ours(0) if name == "ours_plain" else ours(REASONS) if name == "ours_reasons" else child(name)
        print(f"{name}: {found[0] / found[1]:,.0f} rows/s", flush=True)
        yield name, *found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--trees", type=int, default=TREES, help="per seed")
    parser.add_argument("--without", nargs="*", default=[], choices=["pandas", "read_and_write"])
    parser.add_argument("--work", type=Path, help="keeps what is made; a temporary folder without it")
    parser.add_argument(
        "--only-make", action="store_true", help="make the rows and the champion in --work, measure nothing"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(children(options.work, options.rows, options.trees)[options.child]()))
        return
    work = options.work or Path(tempfile.mkdtemp(prefix="bench-batch-"))
    work.mkdir(parents=True, exist_ok=True)
    try:
        found = {name: (rows, seconds, peak) for name, rows, seconds, peak in steps(work, options)}
    finally:
        if options.work is None:
            shutil.rmtree(work)
    if not found:
        return
    show(found)
    speed = {name: rows / seconds for name, (rows, seconds, _) in found.items()}
    ours = [found[name][2] for name in ("ours_plain", "ours_reasons")]
    print(
        json.dumps(
            {
                "rows": options.rows,
                "signals": SIGNALS,
                "trees": 3 * options.trees,
                "plain_vs_booster": round(speed["ours_plain"] / speed["booster"], 2),
                "reasons_vs_pred_contrib": round(speed["ours_reasons"] / speed["pred_contrib"], 1),
                "peak_mb": round(max(ours)),
                **{f"{name}_rows_per_s": round(each) for name, each in speed.items()},
                **{f"{name}_peak_mb": round(peak) for name, (_, _, peak) in found.items()},
            }
        )
    )


def show(found: dict[str, tuple[int, float, float]]) -> None:
    titles = {
        "ours_plain": "score-table, Parquet to Parquet",
        "ours_reasons": f"score-table --reasons {REASONS}, Parquet to Parquet",
        "booster": "Booster.predict on an array in memory",
        "pred_contrib": "Booster.predict(pred_contrib=True) on an array in memory",
        "pandas": "pandas reads, Booster predicts, pandas writes",
        "read_and_write": "the same Parquet only read and written",
    }
    table = Table(title=f"{SIGNALS} signals, {THREADS} threads")
    for head in ("path", "rows", "seconds", "rows/s", "us a row", "peak MB"):
        table.add_column(head, justify="left" if head == "path" else "right")
    for name, (rows, seconds, peak) in found.items():
        table.add_row(
            titles[name],
            f"{rows:,}",
            f"{seconds:.1f}",
            f"{rows / seconds:,.0f}",
            f"{seconds / rows * 1e6:.2f}",
            f"{peak:,.0f}",
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
