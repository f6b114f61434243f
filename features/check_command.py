"""`python -m features check`: the report of `features.usability`, for people and for machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def check_command(
    source: Annotated[
        str,
        typer.Option("--source", help="A shipped source (sample, ravenstack, x_education) or a folder of <table>.sql."),
    ],
    data: Annotated[Path | None, typer.Option("--data", help="The directory that ${data} stands for.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for machines.")] = False,
) -> None:
    """Open a source, check every table, and say what it offers, what is wrong, and how far each model is from ready.

    Exit code 2 when a table cannot be used as it is.
    """
    from features.audit.outcome import QUESTIONS
    from features.source import open_source
    from features.tables import ENTITIES
    from features.usability import usability, verdict

    opened = open_source(source, data, keep_going=True)
    lines = usability(opened)
    # Of an entity that the source does not have nothing is asked.
    verdicts = {q.model: verdict(lines, q) for q in QUESTIONS.values() if opened.has(ENTITIES[q.entity])}
    custom = _custom(opened)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "source": opened.name,
                    "tables": {name: opened.rows(name) for name in opened.tables},
                    "observed": _observed(opened),
                    "custom_signals": custom,
                    "models": verdicts,
                    "lines": [line.as_dict() for line in lines],
                }
            )
        )
    else:
        _print(opened, lines, verdicts, custom)
    if opened.faults:
        raise typer.Exit(2)


def _observed(opened: Any) -> dict[str, Any] | None:
    """First and last observed moment, of the source and of each table; None when no table has a row before the clock."""
    from features.errors import UserMistake
    from features.source import from_us

    def shown(us: int) -> str:
        return from_us(us).isoformat().replace("+00:00", "Z")

    try:
        period = opened.observed
    except UserMistake:
        return None
    return {
        "from": shown(period.first_us),
        "to": shown(period.last_us),
        "clock": shown(opened.now_us),
        "tables": {
            name: {"from": shown(t.first_us), "to": shown(t.last_us), "stopped": t.stopped}
            for name, t in period.tables.items()
        },
    }


def _custom(opened: Any) -> list[dict[str, str]]:
    """The signals made of columns beyond the canonical ones, with the type that was inferred."""
    from features.panel import offered
    from features.tables import ENTITIES

    found = []
    for entity, table in ENTITIES.items():
        if opened.has(table):
            definitions, _ = offered(opened, entity)  # type: ignore[arg-type]  # a key of ENTITIES
            kinds = {"category": "text, a vocabulary", "days": "time, read as its age in days", "points": "number"}
            found += [
                {"table": table, "signal": d.signal.name, "type": kinds.get(d.signal.unit, d.signal.unit)}
                for d in definitions
                if d.signal.theme == "custom"
            ]
    return found


def _print(opened: Any, lines: list[Any], verdicts: dict[str, str], custom: list[dict[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    from features.tables import TABLES

    console = Console()
    tables = Table("table", "rows", "canonical columns", "custom columns", title=f"source {opened.name}")
    for name in opened.tables:
        tables.add_row(
            name,
            f"{opened.rows(name):,}",
            f"{len(opened.columns[name])} of {len(TABLES[name].columns) + 1}",
            ", ".join(opened.custom[name]) or "-",
        )
    console.print(tables)
    found = _observed(opened)
    if found is not None:
        console.print(
            f"observed from {found['from'][:10]} to {found['to'][:10]} (UTC); the clock is at {found['clock'][:10]}",
            highlight=False,
        )
        for name, table in found["tables"].items():
            if table["stopped"]:
                console.print(f"{name} ends on {table['to'][:10]} already", highlight=False)
    for signal in custom:
        console.print(f"custom signal {signal['signal']} of {signal['table']}: {signal['type']}", highlight=False)
    report = Table("severity", "table", "column", "rows", "rule", "found", "needed", "what to do", show_lines=True)
    for line in lines:
        rows = "-" if line.rows is None else f"{line.rows:,}"
        report.add_row(
            line.severity, line.table, line.column or "-", rows, line.rule, line.found, line.needed, line.what_to_do
        )
    console.print(report)
    for model, said in verdicts.items():
        console.print(f"{model}: {said}")
