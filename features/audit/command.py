"""`python -m features audit`: the report for people, and for machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from features.kit.errors import UserMistake


def audit_command(
    source: Annotated[
        str | None, typer.Option(help="A shipped source or a folder of <table>.sql; with --model.", show_default=False)
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Whose outcome is asked for: a model, or an outcome by its name.", show_default=False),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="The folder of the source's files; ${data} in its SELECTs is this path.")
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="Instead: one flat CSV or Parquet file; with --label.", show_default=False)
    ] = None,
    label: Annotated[str | None, typer.Option(help="The column of the outcome.", show_default=False)] = None,
    outcome: Annotated[
        str | None,
        typer.Option(
            help="The value of --label that is the outcome; else the one that says yes, else the rarer one.",
            show_default=False,
        ),
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="The column of the time that a row stands for.", show_default=False)
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of a CSV that is neither UTF-8 nor UTF-16.", show_default="cp1252")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Findings of low severity as well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for machines.")] = False,
) -> None:
    """Can an input know the outcome? Every finding with its evidence in numbers and what to do, the worst first."""
    by_source, flat = (
        source is not None or model is not None,
        any(given is not None for given in (table, label, time, outcome)),
    )
    if by_source == flat:
        raise UserMistake("give --source and --model, or --table and --label (and --time when it has one)")
    if flat:
        if table is None or label is None:
            raise UserMistake("a flat table is audited with --table FILE and --label COLUMN")
        from features.audit.table import audit_table, outcome_of, read_flat, without_open

        file = read_flat(table, encoding, label)
        frame = file.frame
        findings = audit_table(frame, label, time, outcome=outcome, written=file.written)
        value = str(outcome_of(without_open(frame[label]), outcome)[0])
        inputs = set(map(str, frame.columns)) - {label, time}
        subject = {
            "table": str(table),
            "label": label,
            "outcome": value,
            "rows": int(frame[label].notna().sum()),
            "read": file.read,
            "columns_read": dict(file.columns),
        }
        if not as_json:
            typer.echo(f"{table.name}: {file.read}", err=True)
            for name, remark in file.columns.items():
                typer.echo(f"column {name}: {remark}", err=True)
        said = f"{table.name}, outcome {label} = {value}, {subject['rows']:,} rows"
    else:
        if source is None or model is None:
            raise UserMistake("a source is audited with --source NAME and --model NAME")
        from features.audit.source import audit_source
        from features.outcomes.asked import get_asked, installed_models
        from features.outcomes.needed_tables import left_out_notes, tables_for
        from features.panel.build import signals_of
        from features.sources.loader import open_source

        asked = get_asked(model, installed_models())
        opened = open_source(source, data, keep_going=True)
        needed = tables_for(asked.entity, asked.themes, asked.outcome)
        opened.require(needed)
        for note in left_out_notes(opened, needed):
            typer.echo(f"note: {note}", err=True)
        audited = audit_source(opened, asked)
        findings = audited.findings
        inputs = {signal.name for signal in signals_of(opened, asked.entity)}
        subject = {
            "source": opened.name,
            "model": model,
            "rows": audited.rows,
            "positives": audited.positives,
            "as_of": [d.date().isoformat() for d in audited.dates],
        }
        said = f"source {opened.name} for {model}: {audited.rows:,} entities, {audited.positives:,} with the outcome"
        if not audited.rows:
            said += " (too few to look at the signals beside it)"
    if as_json:
        typer.echo(json.dumps({**subject, "findings": [f.as_dict() | {"proof": f.is_proof} for f in findings]}))
        return
    from features.audit.report import report

    typer.echo(report(said, findings, inputs, flat, verbose))
