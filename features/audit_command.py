"""`python -m features audit`: the report for people, and for machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from features.errors import UserMistake


def audit_command(
    source: Annotated[
        str | None, typer.Option(help="A shipped source or a folder of <table>.sql; with --model.", show_default=False)
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Whose outcome is asked for: churn-risk or lead-fit.", show_default=False)
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The directory that ${data} stands for.")] = None,
    table: Annotated[
        Path | None, typer.Option(help="Instead: one flat CSV or Parquet file; with --label.", show_default=False)
    ] = None,
    label: Annotated[str | None, typer.Option(help="The column of the outcome.", show_default=False)] = None,
    time: Annotated[
        str | None, typer.Option(help="The column of the time that a row stands for.", show_default=False)
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of a CSV that is neither UTF-8 nor UTF-16.", show_default="cp1252")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for machines.")] = False,
) -> None:
    """Can an input know the outcome? Every finding with its evidence in numbers and what to do, the gravest first."""
    by_source, flat = (
        source is not None or model is not None,
        table is not None or label is not None or time is not None,
    )
    if by_source == flat:
        raise UserMistake("give --source and --model, or --table and --label (and --time when it has one)")
    if flat:
        if table is None or label is None:
            raise UserMistake("a flat table is audited with --table FILE and --label COLUMN")
        from features.audit.table import audit_table, read_flat

        file = read_flat(table, encoding)
        frame = file.frame
        findings = audit_table(frame, label, time)
        subject = {
            "table": str(table), "label": label, "rows": int(frame[label].notna().sum()),
            "read": file.read, "columns_read": dict(file.columns),
        }  # fmt: skip
        if not as_json:
            typer.echo(f"{table.name}: {file.read}", err=True)
            for name, remark in file.columns.items():
                typer.echo(f"column {name}: {remark}", err=True)
        said = f"{table.name}, outcome {label}, {subject['rows']:,} rows"
    else:
        if source is None or model is None:
            raise UserMistake("a source is audited with --source NAME and --model NAME")
        from features.audit.outcome import question_of
        from features.audit.source import audit_source
        from features.needed_tables import left_out_notes, tables_for
        from features.source import open_source

        question = question_of(model)
        opened = open_source(source, data, keep_going=True)
        needed = tables_for(question.entity, question.themes)
        opened.require(needed)
        for note in left_out_notes(opened, needed):
            typer.echo(f"note: {note}", err=True)
        audited = audit_source(opened, question)
        findings = audited.findings
        subject = {
            "source": opened.name, "model": model, "rows": audited.rows, "positives": audited.positives,
            "as_of": [d.date().isoformat() for d in audited.dates],
        }  # fmt: skip
        said = f"source {opened.name} for {model}: {audited.rows:,} entities, {audited.positives:,} with the outcome"
        if not audited.rows:
            said += " (too few to look at the signals beside it)"
    if as_json:
        typer.echo(json.dumps({**subject, "findings": [f.as_dict() | {"proof": f.is_proof} for f in findings]}))
        return
    _print(said, findings)


def _print(said: str, findings: list) -> None:  # type: ignore[type-arg]  # of Finding, whose module imports scikit-learn
    from rich.console import Console
    from rich.table import Table

    console = Console()
    counts = {s: sum(f.severity == s for f in findings) for s in ("high", "medium", "low")}
    console.print(f"{said}: {counts['high']} high, {counts['medium']} medium, {counts['low']} low")
    if not findings:
        return
    shown = Table("severity", "code", "columns", "evidence", "what to do", show_lines=True)
    for f in findings:
        shown.add_row(
            f.severity, f.code + (" (proof)" if f.is_proof else ""), ", ".join(f.columns) or "-", f.evidence, f.advice
        )
    console.print(shown)
    if counts["high"]:
        console.print(
            "Findings of high severity block promotion until the model's file answers for them (accepted_findings)."
        )
