"""`fit-table`: from a flat table to a judged scorer in a folder; no source, no store, no registry."""

from __future__ import annotations

import json
import time as clock
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from features.kit import atomic_files
from features.kit.clock import now, to_us
from features.kit.errors import UserMistake
from features.kit.flat_files.reading import read_file
from features.kit.progress import Progress
from features.kit.writable import require_writable
from features.outcomes.labels import Outcomes
from features.outcomes.outcome import Outcome, Stake
from features.sources.source import Source
from models.definition import Gates, Model
from models.scorer.writer import Origin
from training.capacity import share_of
from training.evaluation import NO_RIVAL, judge
from training.fit import finish, notes, periods, quiet
from training.flat_table import Ask, flat_rows
from training.learn import LearnSettings, learn
from training.report import page
from training.training_set import period_text


def fit_table(
    path: Path,
    label: str,
    out: Path,
    *,
    time: str | None = None,
    group: str | None = None,
    budget_s: float = 120.0,
    trials: int | None = None,
    seed: int = 0,
    entity: str = "lead",
    capacity: str | None = None,
    segments: Sequence[str] = (),
    encoding: str | None = None,
    horizon_days: int | None = None,
    outcome: str | None = None,
    id_column: str | None = None,
    known_before: Sequence[str] = (),
    progress: Progress = quiet,
) -> dict[str, object]:
    """Learn from a flat table and write the scorer to `out`, with `report.json` beside it (`<out>.report.json`).

    `horizon_days` is how long the outcome takes: it makes the gap between the periods (see `training.flat_table.Ask`).
    `known_before` are columns that somebody knows to be filled in before the outcome, whatever the audit finds of them.
    The scorer is fitted on all rows; the figures are of the same recipe judged on rows that it did not see.
    """
    began = clock.monotonic()
    if out.exists():
        raise UserMistake(f"{str(out)!r} exists: give --out a folder that is not there yet")
    require_writable(out.parent, "give --out a place that can be written")
    if entity not in ("account", "lead"):
        raise UserMistake(f"no entity {entity!r}: one of account, lead; the column that names them is given with --id")
    if horizon_days is not None and horizon_days < 1:
        raise UserMistake(
            f"--horizon {horizon_days} is not above 0: give the days within which the outcome counts, or leave it out"
        )
    file = read_file(path, encoding)
    flat = flat_rows(
        file.table,
        Ask(label, outcome, time, horizon_days, group, id_column, to_us(now())),
        seed,
        file.dialect.delimiter,
    )
    definition = table_definition(
        label, entity, segments, [s.name for s in flat.rows.signals], horizon_days, flat.outcome, known_before
    )
    budget = max(budget_s - (clock.monotonic() - began), budget_s / 2)
    learnt = learn(
        flat.rows,
        flat.split,
        LearnSettings(budget, trials, seed, refit_on_all=True),
        progress=lambda text, share: progress(text, 0.8 * share),
    )
    progress("judging", 0.8)
    judged = flat.rows.take(learnt.judged)
    share = share_of(capacity, definition, judged.time, dates_apart=False)
    judgement = judge(definition, flat.rows, learnt, NO_RIVAL, share, seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    population = np.arange(len(flat.rows))
    result = finish(
        out,
        definition,
        flat.rows,
        learnt,
        judgement,
        population,
        Origin(source=path.name),
        seed,
        if_no_overlap=horizon_days is None,
    )
    report = result.report
    report["source"] = path.name
    report["read"] = {"file": file.dialect.said(), "columns": dict(flat.read)}
    report["rows"] |= {"without a label": flat.unlabelled}  # type: ignore[operator]
    report["horizon_days"] = horizon_days
    report["outcome"] = flat.outcome
    report["entities"] = {"column": flat.entities.column, "different": flat.entities.count, "ids": flat.entities.ids}
    report["periods"] = periods(flat.rows, flat.split, period_text(flat.split, not flat.dated))
    report["left_out"] = [*report["left_out"], *({"signal": n, "why": why} for n, why in flat.left_out)]  # type: ignore[misc]
    report["notes"] = [*flat.notes, "The scorer was fitted on all rows after it was judged.", *notes(learnt)]
    report["seconds"] = round(clock.monotonic() - began, 1)
    progress("report", 0.9)
    beside = out.with_name(out.name + ".report")
    report["files"] = str(out)
    report["page"] = str(beside / page.PAGE)
    page.write(beside, definition, report)
    atomic_files.write_text(out.with_name(out.name + ".report.json"), json.dumps(report, indent=2))
    return report


def table_definition(
    label: str,
    entity: str,
    segments: Sequence[str] = (),
    columns: Sequence[str] = (),
    horizon_days: int | None = None,
    outcome: Mapping[str, object] | None = None,
    known_before: Sequence[str] = (),
) -> Model:
    """The model of a flat table, made of its label, its columns and the segments to judge by."""
    for option, given in (("--segment", segments), ("--known-before", known_before)):
        unknown = [name for name in given if name not in columns]
        if unknown:
            raise UserMistake(f"{option} {', '.join(unknown)}: no such signal; one of {', '.join(columns)}")
    asked = Outcome(
        name="table",
        entity="account" if entity == "account" else "lead",
        horizon_days=horizon_days or 0,
        sign=1,
        verb=f"had {label} {outcome['value']}" if outcome else f"had {label}",
        flag=label,
        crowd="rows",
        tables=(),
        not_eligible=(),
        read=_of_no_source,
        stake=Stake("rows", "expected value", lambda get, source: None),
    )
    return Model(
        name="table",
        title=label,
        outcome=asked,
        themes=("custom",),
        segments=tuple(segments),
        gates=Gates(accepted_findings=dict.fromkeys(known_before, "known before the outcome, as --known-before says")),
    )


def _of_no_source(source: Source) -> Outcomes:
    raise UserMistake(
        f"the outcome of a flat table stands in the table itself: source {source.name!r} does not tell it"
    )
