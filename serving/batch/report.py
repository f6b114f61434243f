"""Report of a run: one line, a JSON file, and metrics in Prometheus' textfile format."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

from features.kit import atomic_files
from features.kit.clock import EPOCH, iso
from features.kit.errors import AccountscoreError, BadInput, UserMistake
from models.population import OUTSIDE
from serving.batch.run import FinishedRun
from serving.runs import run_card
from serving.runs.run_card import RunCard, ScoredModel

MOST_WARNINGS = 20


def without_values(error: AccountscoreError) -> str:
    """Why a run failed, for people who look from elsewhere: of faults in the data their places and rules, no value of a row.

    >>> from features.kit.errors import BadInput, Fault
    >>> fault = Fault(where="leads.sql, row 7", found="'jane@acme.com'", rule="a number", next_step="CAST it")
    >>> without_values(BadInput("source 'crm'", [fault]))
    'leads.sql, row 7: against the rule: a number. Next: the same command on this machine says what stands there'
    """
    if isinstance(error, BadInput):
        told = "; ".join(f"{fault.where}: against the rule: {fault.rule}" for fault in error.faults[:MOST_WARNINGS])
        return f"{told}. Next: the same command on this machine says what stands there"
    return str(error).partition("\n")[0][:1000]


class Report:
    """Filled while a run goes on. It holds wall-clock times; published rows hold none."""

    def __init__(self, source: str, as_of: str, started: float) -> None:
        self._found: dict[str, Any] = {"source": source, "as_of": as_of, "started": started, "exit_code": 1}
        self._why: str | None = None
        self._done: FinishedRun | None = None

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
        self._done = done

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
        self._why = without_values(error)

    def crashed(self, error: BaseException) -> None:
        """A fault of ours, or somebody stopped it. The message of a fault may hold values of a row."""
        self._why = f"a fault of ours: {type(error).__name__}; it is in what the command said"
        if not isinstance(error, Exception):
            self._why = "it was stopped by hand; the same command goes on where it was"

    def card(self, ended: bool = True) -> RunCard:
        """What people are shown of it, while it goes on or when it has ended."""
        found, done = self._found, self._done
        now = time.time()
        return RunCard(
            state=run_card.RUNNING if not ended else run_card.PUBLISHED if done else run_card.FAILED,
            source=found["source"],
            as_of=found["as_of"],
            started_at=_moment(found["started"]),
            ended_at=_moment(now) if ended else None,
            seconds=round(now - found["started"], 3) if ended else None,
            exit_code=found["exit_code"] if ended else None,
            run_id=found.get("run_id"),
            why=self._why,
            models=_models(done) if done else {},
            not_scored=found.get("not_scored", []),
            without_champion=found.get("without_champion", []),
            warnings=found.get("warnings", [])[:MOST_WARNINGS],
            queued_write_backs=found.get("queued_write_backs"),
            resumed_chunks=found.get("resumed_chunks"),
        )

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


def _models(done: FinishedRun) -> dict[str, ScoredModel]:
    return {
        name: ScoredModel(
            version=done.versions.get(name),
            rows=rows,
            scored=done.scored[name],
            no_score=dict(done.not_scored.get(name, {})),
            bands=dict(done.bands.get(name, {})),
        )
        for name, rows in done.rows.items()
    }


def _moment(seconds: float) -> str:
    return iso(EPOCH + timedelta(seconds=int(seconds)))
