"""Nightly runs in one process each, to be killed anywhere in them.

Run as a server of runs: each line on stdin is JSON (source, home, panels, out, store, as_of, sabotage, file for the end); a child is forked, which stops
itself until it is told to go on, so that a tracer can take hold of it. Its process id goes to stdout. A panel is built by
the first run that needs it and read from then on: what is killed here is the scoring, the store and the publishing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb  # noqa: F401  # what a child would import is imported once; no thread runs in the parent
import lightgbm  # noqa: F401
import pyarrow as pa
import pyarrow.parquet as pq

from features.kit import atomic_files
from features.kit.clock import make_clock, parse_as_of
from features.panel.build import build_panel
from features.signals.catalog import definitions
from features.signals.signal import Signal
from features.sources.loader import open_source
from serving.batch import run as running
from serving.champion import Champions
from serving.decisions import repository as history
from serving.scorer_cache import KeptScorers
from serving.store.connect import open_store

CHUNK_ROWS = 100


def some_signals(entity: Any) -> list[Signal]:
    """Six numbers and two words of the catalog: few columns make few calls."""
    known = [d.signal for d in definitions(entity)]
    numbers = [s for s in known if not s.is_category]
    return [*numbers[:: len(numbers) // 6][:6], *[s for s in known if s.is_category][:2]]


def from_file(folder: Path) -> Any:
    """`panel_parts` that builds once."""

    def parts(
        source: Any, entity: Any, as_of: Any, rows: int, engine: str, carried: Any, known: Any, ids: Any, outcomes: Any
    ) -> Iterator[pa.Table]:
        path = folder / f"{entity}-{as_of:%Y%m%d}-{known or as_of:%Y%m%d}.parquet"
        if not path.exists():
            only = [signal.name for signal in some_signals(entity)]
            panel = build_panel(source, entity, [as_of], only=only, known_before=known, outcomes=outcomes)
            pq.write_table(panel, path)
        panel = pq.read_table(path)
        return (panel.slice(start, rows) for start in range(0, panel.num_rows, rows))

    return parts


def sabotage(kind: str) -> None:
    """Break what the sweep must notice."""
    if kind == "in place":  # files are written where they are read
        atomic_files._beside = lambda path, locked: path.parent.mkdir(parents=True, exist_ok=True) or path  # type: ignore[func-returns-value,assignment]
    elif kind == "twice":  # a chunk that is repeated leaves its first records there
        history.forget_run = lambda *_: None  # type: ignore[assignment]


def nightly(job: dict[str, str]) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
    sabotage(job["sabotage"])
    running.panel_parts = from_file(Path(job["panels"]))  # type: ignore[attr-defined]
    source = open_source("sample", Path(job["source"]))
    home = Path(job["home"])
    champions = Champions(home)
    champions.refresh()
    store = open_store(f"sqlite:///{job['store']}")
    done = running.run(
        source,
        parse_as_of(job["as_of"]),
        Path(job["out"]),
        champions,
        store,
        make_clock(),
        KeptScorers(home),
        running.Options(chunk_rows=CHUNK_ROWS),
    )
    store.close()
    Path(job["end"]).write_text(json.dumps({"run_id": done.run_id, "resumed": done.resumed_chunks}))


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the system
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                nightly(job)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        print(child, flush=True)


if __name__ == "__main__":
    main()
