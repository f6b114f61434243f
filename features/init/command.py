"""`python -m features init`: writes a source for systems whose tables are known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from features.init.write import Written


def init_command(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="A new folder: one <table>.sql per table, yours to edit.", show_default=False
        ),
    ],
    systems: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            help="SYSTEM:LAYOUT, such as salesforce:export; may be repeated. Without it the templates are listed.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="The folder with the files: SELECTs are fitted to their names, columns, dates and numbers."
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Check the source afterwards.")] = False,
    zone: Annotated[str, typer.Option("--time-zone", help="Zone of times without one, such as Europe/Berlin.")] = "UTC",
    dates: Annotated[
        str | None,
        typer.Option(
            help="day-first or month-first: how 03/04/2026 is read where no value tells it.", show_default=False
        ),
    ] = None,
) -> None:
    """Write one SELECT per table for systems that we know, into a folder that you read and edit.

    What needs a decision stands there as a comment, -- DECIDE: with the default that was taken and its consequence, and is listed at the end.
    """
    from features.init.layouts import labels
    from features.init.write import write_source
    from features.kit.errors import UserMistake

    if not systems:
        raise UserMistake(f"--from is missing: one of {', '.join(labels())}, or several of different systems")
    if check and data is None:
        raise UserMistake("--check needs the files: give their folder as --data")
    written = write_source(folder, systems, data, _zone(zone), _order(dates))
    _report(written, data)
    if check and data is not None:
        _check(folder, data)


def _zone(zone: str) -> str:
    import zoneinfo

    from features.kit.errors import UserMistake

    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise UserMistake(
            f"--time-zone {zone!r} is no zone: name a place, such as Europe/Berlin or America/New_York"
        ) from None
    return zone


def _order(dates: str | None):  # type: ignore[no-untyped-def]  # Order is a Literal, narrowed here once
    from features.kit.errors import UserMistake

    words = {None: None, "day-first": "day first", "month-first": "month first"}
    if dates not in words:
        raise UserMistake(f"--dates {dates!r}: day-first or month-first")
    return words[dates]


def _report(written: Written, data: Path | None) -> None:
    import textwrap

    from features.kit.cli import width

    def say(text: str, indent: str = "") -> None:
        typer.echo(
            textwrap.fill(
                text,
                width(),
                initial_indent=indent,
                subsequent_indent=indent or "  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        )

    say(f"wrote {', '.join(sorted(written.tables))} into {written.folder}")
    for label in written.untried:
        say(f"{label}: not tried on real rows; its columns are those of the vendor's documents")
    if data is None:
        say("no --data: the usual names and forms were written; --data DIR fits them to your files")
    for note in written.notes:
        say(f"note: {note}")
    if written.decisions:
        say(f"\n{len(written.decisions)} things to decide; the default stands in the SELECT:")
        for number, (file, said) in enumerate(written.decisions, 1):
            say(f"{number}. {file}: {said}", "  ")
    typer.echo(f"\nNext: python -m features check --source {written.folder} --data {data or 'DIR'}")


def _check(folder: Path, data: Path) -> None:
    """Check the source for the models whose outcome its tables can tell; name the others."""
    from features.outcomes.asked import installed_models
    from features.readiness.command import check_command
    from features.sources.loader import open_source

    opened = open_source(str(folder), data, keep_going=True)
    lacking = {name: asked.outcome.lacking(opened) for name, asked in installed_models().items()}
    for name, why in lacking.items():
        if why:
            typer.echo(f"{name} is not asked: {why}")
    typer.echo("")
    told = [name for name, why in lacking.items() if why is None]
    check_command(str(folder), data, told or None)
