"""`python -m serving export`: published scores as a star for BI tools and warehouses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serving.settings import ServingSettings


def export(
    to: Annotated[
        str,
        typer.Option(help="A folder for Parquet, or a database: sqlite:////path/bi.db, postgresql://user@host/name."),
    ],
    scores: Annotated[
        Path | None,
        typer.Option(
            help="The folder that the batch published into; default ACCOUNTSCORE_HOME/scores.", show_default=False
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="The source that was scored: for names, and outcomes as they ripen.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="The folder of the source's files; ${data} in its SELECTs is this path."),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Keep TO/csv as well, safe to open in a spreadsheet.")] = False,
) -> None:
    """Add the published run to a star that BI tools and warehouses read: facts, dimensions, ARR at risk.

    Runs gather there, night by night; a run of the same moment takes the place of an earlier one. With --source what came
    true of earlier runs is filled in. The same export again changes nothing.
    """
    from features.outcomes.needed_tables import left_out_notes, tables_for
    from features.sources.loader import open_source
    from serving.audit_log.entry import command
    from serving.export.audit import logged_star
    from serving.export.export import export as add
    from serving.export.export import require_destination
    from serving.scorer_cache import KeptScorers

    settings = ServingSettings.from_env()
    opened = None if source is None else open_source(source, data, keep_going=True)
    if opened is not None:
        read = tables_for("account", ()) | tables_for("lead", ())
        opened.require(read)
        for note in left_out_notes(opened, read):
            typer.echo(f"note: {note}", err=True)
    require_destination(to)
    with logged_star(settings, command("export"), to) as star:
        star.exported = add(scores or settings.base.home / "scores", to, KeptScorers(settings.base.home), opened, csv)
    for line in star.exported.lines():
        typer.echo(line)
