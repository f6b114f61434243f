"""`python -m features simulate`: the sample company from the command line."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from features.kit.clock import now, parse_as_of
from features.kit.errors import UserMistake
from features.kit.settings import Settings
from features.kit.writable import require_writable
from features.simulate.company import simulate


def simulate_command(
    out: Annotated[
        Path | None, typer.Option(help="Folder to write; default ACCOUNTSCORE_HOME/sample.", show_default=False)
    ] = None,
    accounts: Annotated[
        int, typer.Option(help="Companies that did not come as leads; converted leads are added.")
    ] = 2000,
    leads: Annotated[int, typer.Option(help="Leads over the whole time.")] = 8000,
    days: Annotated[
        int, typer.Option(help="Length of the history in days; up to 27 fewer, by the day of --end.")
    ] = 730,
    end: Annotated[
        str | None,
        typer.Option(
            help="First day after the history, YYYY-MM-DD; default today in UTC (or the day of ACCOUNTSCORE_NOW), so that what scores as of today has data. The company is the same, seen from any end.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed, sizes and end give the same files, byte for byte.")] = 7,
    usage_events: Annotated[
        int | None,
        typer.Option(
            "--usage-events", help="About this many usage events; default 625 an account.", show_default=False
        ),
    ] = None,
    change: Annotated[
        str | None,
        typer.Option(
            help="Date of the change of regime; after 40 % of the history by default, 'never' for none.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make a sample company: every canonical table as Parquet, and truth.parquet with the true probabilities."""
    folder = out if out is not None else Settings.from_env().home / "sample"
    require_writable(folder, "give --out a folder that can be written")
    started = time.monotonic()
    console = Console(stderr=True)
    shown = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with shown:
        task = shown.add_task("simulating", total=1.0)
        rows = simulate(
            folder,
            accounts=accounts,
            leads=leads,
            days=days,
            end=_today() if end is None else _day("--end", end),
            seed=seed,
            usage_events=usage_events,
            change=_change(change),
            progress=lambda what, share: shown.update(task, description=what, completed=share),
        )
    typer.echo(
        f"{folder}: "
        + ", ".join(f"{name} {count:,}" for name, count in rows.items())
        + f" rows in {time.monotonic() - started:.1f} s"
    )


def _today() -> dt.date:
    return now().date()


def _change(text: str | None) -> dt.date | None:
    return dt.date.max if text == "never" else None if text is None else _day("--change", text)


def _day(option: str, text: str) -> dt.date:
    moment = parse_as_of(text)
    if moment.time() != dt.time():
        raise UserMistake(f"{option} {text!r}: the sample company's days start at 00:00 UTC; write YYYY-MM-DD")
    return moment.date()
