"""Scores chunks on a Spark cluster: the scorer's files and our code go to the executors, rows go there and log-odds
come back.

The driver holds the panel, the chunks and the manifest, so that a run on Spark is stopped, refused, resumed and
published like any other, with the same numbers to the bit.
"""

from __future__ import annotations

import atexit
import functools
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.kit.errors import AccountscoreError
from models.scorer.reasons import Told
from models.scorer.scorer import Scorer
from serving.scoring.arrow import lists
from serving.scoring.columns import Explained, ScoredColumns, assembled, explained

CHUNKS_AT_ONCE = 4
"""Chunks per core of the cluster in one job; the driver holds the chunks of one job in memory."""
PACKAGES = ("features", "models", "serving")
PARTS = [("signal", pa.int64()), ("effect", pa.float64())]
TOLD = [
    ("signal", pa.int64()),
    ("effect", pa.float64()),
    ("share", pa.float64()),
    ("text", pa.string()),
    ("members", pa.list_(pa.struct(PARTS))),
]
ANSWER = pa.schema(
    [
        ("row", pa.int64()),
        ("log_odds", pa.float64()),
        ("themes", pa.list_(pa.float64())),
        ("told", pa.list_(pa.struct(TOLD))),
    ]
)
"""Columns that come back for each row; `_SPARK` names the same types for Spark."""
_SPARK = (
    "row long, log_odds double, themes array<double>, told array<struct<signal: long, effect: double, share: double, text: string, "
    "members: array<struct<signal: long, effect: double>>>>"
)
Choose = Callable[[pa.Table], tuple[pa.ChunkedArray, np.ndarray]]
"""For a chunk: reason for no score of each row, and the index of the rows to score
(`serving.scoring.columns.to_score`).
"""


def score_chunks(
    scorer: Scorer, folder: Path, signals: pq.ParquetFile, numbers: Sequence[int], reasons: int, choose: Choose
) -> Iterator[tuple[int, ScoredColumns]]:
    """The row groups of a panel in the order of `numbers`, as `serving.scoring.columns.score_columns` scores them.

    `folder` holds the files of `scorer`; `choose` tells which rows of a chunk are scored.
    """
    from features.panel.engines import spark_session

    if not numbers:
        return
    session = spark_session()
    name = _ship(session, folder, scorer)
    wave = CHUNKS_AT_ONCE * session.sparkContext.defaultParallelism
    for start in range(0, len(numbers), wave):
        yield from _score_wave(session, name, scorer, signals, numbers[start : start + wave], reasons, choose)


def _score_wave(
    session: Any,
    name: str,
    scorer: Scorer,
    signals: pq.ParquetFile,
    numbers: Sequence[int],
    reasons: int,
    choose: Choose,
) -> Iterator[tuple[int, ScoredColumns]]:
    from pyspark.errors import PySparkException

    panels = [signals.read_row_group(number) for number in numbers]
    chosen = [choose(panel) for panel in panels]
    ends = np.cumsum([len(at) for _, at in chosen])
    asked = pa.concat_tables(
        [p.select(scorer.names).take(pa.array(at)) for p, (_, at) in zip(panels, chosen, strict=True)]
    )
    answer = ANSWER.empty_table()
    if len(asked):
        frame = session.createDataFrame(asked.append_column("row", pa.array(np.arange(len(asked)))))
        try:
            answer = frame.mapInArrow(functools.partial(score_batches, name=name, reasons=reasons), _SPARK).toArrow()
        except PySparkException as error:
            # The last line says what was wrong on the executor; the rest is two stack traces.
            lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("\tat ")]
            said = next((line for line in reversed(lines) if "Error: " in line), lines[0] if lines else "no message")
            raise AccountscoreError(
                f"a Spark worker failed ({said}), nothing was published: mend the cluster, then repeat the command; it goes on "
                "where it was stopped"
            ) from None
        answer = answer.cast(ANSWER).sort_by("row").combine_chunks()
    if answer["row"].to_pylist() != list(range(len(asked))):
        raise RuntimeError("Spark did not give each row back once")
    for number, panel, (kept, at), end in zip(numbers, panels, chosen, ends.tolist(), strict=True):
        own = answer.slice(end - len(at), len(at))
        yield number, assembled(scorer, panel, kept, at, _found(own, reasons))


def _found(answer: pa.Table, reasons: int) -> Explained:
    log_odds = answer["log_odds"].to_numpy()
    if not reasons:
        return Explained(log_odds, None, None)
    themes = pc.list_flatten(answer["themes"]).to_numpy().reshape(len(answer), -1)
    counts = pc.list_value_length(answer["told"]).to_numpy().astype(np.int64)
    told = pc.list_flatten(answer["told"]).combine_chunks()
    text = pc.struct_field(told, "text").dictionary_encode()
    signal, effect, share = (
        pc.struct_field(told, n).to_numpy(zero_copy_only=False) for n in ("signal", "effect", "share")
    )
    rows = np.repeat(np.arange(len(answer)), counts)
    places = text.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    parts = pc.struct_field(told, "members")
    sizes, flat = pc.list_value_length(parts).to_numpy(zero_copy_only=False).astype(np.int64), pc.list_flatten(parts)
    members, own = (pc.struct_field(flat, name).to_numpy(zero_copy_only=False) for name, _ in PARTS)
    texts = text.dictionary.to_pylist()
    return Explained(log_odds, themes, Told(counts, rows, signal, effect, share, places, texts, sizes, members, own))


def score_batches(batches: Iterator[pa.RecordBatch], name: str, reasons: int) -> Iterator[pa.RecordBatch]:
    """Runs on an executor: takes rows of a scorer's signals with their number, returns `ANSWER`."""
    scorer = shipped(name)
    for batch in batches:
        panel = pa.Table.from_batches([batch])
        yield _answer(panel["row"], explained(scorer, panel.drop_columns("row"), np.arange(len(panel)), reasons))


def _answer(row: Any, found: Explained) -> pa.RecordBatch:
    rows = len(row)
    if found.told is None or found.themes is None:
        themes, told = pa.nulls(rows, ANSWER.field("themes").type), pa.nulls(rows, ANSWER.field("told").type)
    else:
        each = found.themes.shape[1]
        themes = pa.ListArray.from_arrays(
            pa.array(np.arange(rows + 1) * each, pa.int32()), pa.array(found.themes.ravel())
        )
        of = found.told
        texts = pa.array(of.texts, pa.string()).take(pa.array(of.places))
        members = lists(of.sizes, [pa.field(*f) for f in PARTS], [pa.array(of.members), pa.array(of.parts)])
        parts = [pa.array(of.signals), pa.array(of.effects), pa.array(of.shares), texts, members]
        ends = pa.array(np.concatenate([[0], of.counts.cumsum()]), pa.int32())
        told = pa.ListArray.from_arrays(ends, pa.StructArray.from_arrays(parts, fields=[pa.field(*f) for f in TOLD]))
    numbers = row.combine_chunks() if isinstance(row, pa.ChunkedArray) else row
    return pa.RecordBatch.from_arrays([numbers, pa.array(found.log_odds), themes, told], schema=ANSWER)


@functools.cache
def shipped(name: str) -> Scorer:
    """The scorer that was shipped under a name, verified like any other; loaded once per worker process."""
    from pyspark import SparkFiles

    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(SparkFiles.get(name)) as packed:
        packed.extractall(folder)
        scorer = Scorer.load(Path(folder))
    if _name(scorer) != name:
        raise RuntimeError(f"{name} holds another scorer: sha256 {scorer.sha256}")
    return scorer


def _name(scorer: Scorer) -> str:
    return f"scorer-{scorer.sha256}.zip"


@functools.cache
def _scratch(context: Any) -> Path:
    """A folder that lives as long as this process; Spark serves the files from it."""
    kept = tempfile.TemporaryDirectory(prefix="accountscore-ship-")
    atexit.register(kept.cleanup)
    return Path(kept.name)


def _ship(session: Any, folder: Path, scorer: Scorer) -> str:
    """Sends the scorer's files and our running code to the cluster; returns the scorer's name there."""
    context, name = session.sparkContext, _name(scorer)
    scratch = _scratch(context)
    with zipfile.ZipFile(scratch / name, "w") as packed:
        for file in sorted(folder.iterdir()):
            packed.write(file, file.name)
    code = scratch / "accountscore.zip"
    with zipfile.ZipFile(code, "w", zipfile.ZIP_DEFLATED) as packed:
        root = Path(__file__).parents[2]
        for file in sorted(f for package in PACKAGES for f in (root / package).rglob("*.py")):
            packed.write(file, str(file.relative_to(root)))
    context.addFile(str(scratch / name))
    context.addPyFile(str(code))
    return name
