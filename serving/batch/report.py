"""Report of a run: one line, a JSON file, and metrics in Prometheus' textfile format."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from features.kit import atomic_files
from features.kit.errors import AccountscoreError, UserMistake
from models.population import OUTSIDE
from serving.batch.run import FinishedRun


class Report:
    """Filled while a run goes on. It holds wall-clock times; published rows hold none."""

    def __init__(self, source: str, as_of: str, started: float) -> None:
        self._found: dict[str, Any] = {"source": source, "as_of": as_of, "started": started, "exit_code": 1}

    def warn(self, text: str) -> None:
        self._found.setdefault("warnings", []).append(text)

    def finished(self, done: FinishedRun) -> None:
        self._found |= {
            "exit_code": 0,
            "run_id": done.run_id,
            "manifest": str(done.manifest),
            "rows": done.rows,
            "scored": done.scored,
            "outside_population": done.outside,
            "without_champion": list(done.without_champion),
            "queued_write_backs": done.queued,
            "resumed_chunks": done.resumed_chunks,
        }

    def left_out(self, models: Collection[str]) -> None:
        """Notes models that were not scored because a table that they read has a fault. The run is published, but
        ends with exit code 2.
        """
        if models:
            self._found |= {"exit_code": UserMistake.exit_code, "not_scored": sorted(models)}

    @property
    def exit_code(self) -> int:
        return int(self._found["exit_code"])

    def failed(self, error: AccountscoreError) -> None:
        self._found |= {"exit_code": error.exit_code, "error": str(error)}

    def line(self) -> str:
        found = self._found
        again = f", {found['resumed_chunks']} chunks were there already" if found["resumed_chunks"] else ""
        return f"run {found['run_id']} -> {found['manifest']}{again}"

    def write(self, path: Path | None, metrics: Path | None) -> None:
        """Raises `OSError`."""
        self._found["seconds"] = round(time.time() - self._found["started"], 3)
        if path is not None:
            atomic_files.write_text(path, json.dumps(self._found, indent=2, sort_keys=True) + "\n")
        if metrics is not None:
            self._write_metrics(metrics)

    def _write_metrics(self, path: Path) -> None:
        from prometheus_client import CollectorRegistry, Gauge, generate_latest

        found, registry = self._found, CollectorRegistry()

        def gauge(name: str, text: str, value: float, **labels: str) -> None:
            if name not in gauges:
                gauges[name] = Gauge(f"accountscore_batch_{name}", text, list(labels), registry=registry)
            (gauges[name].labels(**labels) if labels else gauges[name]).set(value)

        gauges: dict[str, Gauge] = {}
        gauge("exit_code", "Exit code of the newest run", found["exit_code"])
        gauge("seconds", "How long the newest run took", found["seconds"])
        gauge("finished_timestamp_seconds", "When the newest run ended", found["started"] + found["seconds"])
        for model, rows in found.get("rows", {}).items():
            gauge("rows", "Entities of the newest run", rows, model=model)
            gauge("scored_rows", "Entities with a score", found["scored"][model], model=model)
        if found["exit_code"] == 0:
            gauge("queued_write_backs", "Write-backs that the newest run queued", found["queued_write_backs"])
        atomic_files.write_bytes(path, generate_latest(registry))


def counted(model: str, done: FinishedRun, population: object = None) -> str:
    """How many of a model's entities have a score, and why the others have none."""
    without, codes = done.rows[model] - done.scored[model], done.not_scored.get(model, {})
    whys = [f"{n:,} {code.replace('_', ' ')}" for code, n in codes.items() if code != OUTSIDE]
    if model in done.outside:
        whys.append(f"{done.outside[model]:,} of them outside its population ({population})")
    told = f": {', '.join(whys)}" if whys else ""
    return f"{model}: {done.scored[model]:,} scored, {without:,} without a score{told}"
