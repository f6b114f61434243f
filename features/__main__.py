"""`python -m features`: check a source, build a panel, read the catalog, simulate a company."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as RichTable

from features.audit.command import audit_command
from features.init.command import init_command
from features.kit.cli import run
from features.kit.clock import parse_seen
from features.kit.errors import UserMistake
from features.kit.writable import require_place
from features.readiness.command import check_command
from features.simulate import simulate_command
from features.sources.query_command import query_command

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command("simulate")(simulate_command)
app.command("audit")(audit_command)
app.command("init")(init_command)
app.command("check")(check_command)
app.command("query")(query_command)

SourceOption = Annotated[
    str, typer.Option("--source", help="A shipped source (sample, ravenstack, x_education) or a folder of <table>.sql.")
]
DataOption = Annotated[
    Path | None, typer.Option("--data", help="The folder of the source's files; ${data} in its SELECTs is this path.")
]


@app.command()
def build(
    source: SourceOption,
    entity: Annotated[str, typer.Option(help="account or lead")],
    as_of: Annotated[str, typer.Option("--as-of", help="One date or several, joined by commas; naive times are UTC.")],
    out: Annotated[Path, typer.Option(help="The Parquet file to write.")],
    data: DataOption = None,
    engine: Annotated[str, typer.Option(help="duckdb, pandas or spark")] = "duckdb",
) -> None:
    """Build the panel of an entity at one or more dates and write it as Parquet."""
    from features.outcomes.needed_tables import left_out_notes, tables_for
    from features.panel.build import build_panel, write_panel
    from features.sources.loader import open_source

    require_place(out)  # before the work
    as_ofs = [parse_seen(part) for part in as_of.split(",") if part.strip()]
    kind, opened = _entity(entity), open_source(source, data, keep_going=True)
    needed = tables_for(kind)
    opened.require(needed)
    for note in left_out_notes(opened, needed):
        typer.echo(f"note: {note}", err=True)
    panel = build_panel(opened, kind, as_ofs, engine)
    write_panel(panel, out)
    typer.echo(f"{panel.num_rows:,} rows, {panel.num_columns - 4} signals, {len(as_ofs)} as_of -> {out}")


@app.command()
def catalog() -> None:
    """Every signal: name, theme, unit, window, meaning of missing, phrase."""
    from features.signals.catalog import signals

    console = Console()
    if not console.is_terminal:
        typer.echo("name\tentities\ttheme\tunit\twindow\tgood\tmissing\tphrase")
        for s in signals():
            typer.echo(
                "\t".join(
                    [s.name, ",".join(s.entities), s.theme, s.unit, s.window, f"{s.good:+d}", s.missing, s.phrase.some]
                )
            )
        return
    table = RichTable(
        "name", "entities", "theme", "unit", "window", "missing", "phrase", title=f"{len(signals())} signals"
    )
    for s in signals():
        table.add_row(s.name, ", ".join(s.entities), s.theme, s.unit, s.window, s.missing, s.phrase.some)
    console.print(table)


def _entity(text: str):  # type: ignore[no-untyped-def]  # Entity is a Literal, narrowed here once
    from features.sources.schema import ENTITIES

    if text not in ENTITIES:
        raise UserMistake(f"no entity {text!r}: one of {', '.join(ENTITIES)}")
    return text


if __name__ == "__main__":
    run(app)
