"""`python -m features check`: the report of `features.readiness.report`, for people and for machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from features.kit.clock import iso


def check_command(
    source: Annotated[
        str,
        typer.Option("--source", help="A shipped source (sample, ravenstack, x_education) or a folder of <table>.sql."),
    ],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="The folder of the source's files; ${data} in its SELECTs is this path."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--model", help="A model, or an outcome by its name; may be repeated.", show_default="every model"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for machines.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="What is well, too.")] = False,
) -> None:
    """Open a source, check every table, and say what it offers, what is wrong, and how far each model is from ready.

    Exit code 2 when a table cannot be used as it is.
    """
    from features.outcomes.asked import get_asked, installed_models
    from features.readiness.report import usability, verdict
    from features.sources.loader import open_source
    from features.sources.schema import ENTITIES

    models = installed_models()
    asked = [get_asked(name, models) for name in only] if only else list(models.values())
    opened = open_source(source, data, keep_going=True)
    lines = usability(opened, asked)
    # Of an entity that the source does not have nothing is asked.
    verdicts = {each.name: verdict(lines, each) for each in asked if opened.has_file(ENTITIES[each.entity])}
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
        _print(opened, lines, verdicts, custom, verbose)
    if opened.faults:
        raise typer.Exit(2)


def _observed(opened: Any) -> dict[str, Any] | None:
    """First and last observed moment, of the source and of each table; None when no table has a row before the clock."""
    from features.kit.clock import from_us
    from features.kit.errors import UserMistake

    def shown(us: int) -> str:
        return iso(from_us(us))

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
    from features.panel.build import offered
    from features.sources.schema import ENTITIES

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


def _print(
    opened: Any, lines: list[Any], verdicts: dict[str, str], custom: list[dict[str, str]], verbose: bool
) -> None:
    from features.kit.cli import width
    from features.readiness.console import report
    from features.readiness.report import of_fault

    excerpts = {of_fault(fault): fault.excerpt for fault in opened.faults}
    more = _well(opened, custom) if verbose else []
    for text in report(opened.name, lines, excerpts, verdicts, more, verbose, width()):
        # The first word is the severity.
        word, _, rest = text.partition(" ")
        typer.echo((typer.style(word, fg=_COLOURS[word], bold=True) + f" {rest}" if word in _COLOURS else text) + "\n")


_COLOURS = {"blocks": typer.colors.RED, "weakens": typer.colors.YELLOW, "info": typer.colors.CYAN}


def _well(opened: Any, custom: list[dict[str, str]]) -> list[str]:
    """What `-v` adds: the tables, the observed period, the custom signals."""
    from features.sources.schema import TABLES

    said = []
    for name in opened.tables:
        own = f"; of its own: {', '.join(opened.custom[name])}" if opened.custom[name] else ""
        there, all_of = len(opened.columns[name]), len(TABLES[name].canonical)
        said.append(f"table {name}: {opened.rows(name):,} rows, {there} of {all_of} canonical columns{own}")
    found = _observed(opened)
    if found is not None:
        said.append(
            f"observed from {found['from'][:10]} to {found['to'][:10]} (UTC); the clock is at {found['clock'][:10]}"
        )
        said += [
            f"{name} ends on {table['to'][:10]} already" for name, table in found["tables"].items() if table["stopped"]
        ]
    return said + [f"custom signal {s['signal']} of {s['table']}: {s['type']}" for s in custom]
