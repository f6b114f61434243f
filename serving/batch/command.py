"""`python -m serving batch`: what a scheduler starts at night, and what it learns from the exit code."""

from __future__ import annotations

import contextlib
import errno
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.kit.clock import parse_seen, system_now
from features.kit.errors import AccountscoreError, UserMistake
from features.kit.writable import NotWritable
from serving.errors import DiskTrouble
from serving.settings import ServingSettings

if TYPE_CHECKING:  # it brings pyarrow, which `--help` does not need
    from features.sources.source import Source
    from serving.batch.report import Report
    from serving.export.export import Exported
    from serving.scorer_cache import KeptScorers

SourceOption = Annotated[
    str, typer.Option("--source", help="A shipped source (sample, ravenstack, x_education) or a folder of <table>.sql.")
]
DataOption = Annotated[
    Path | None, typer.Option("--data", help="The folder of the source's files; ${data} in its SELECTs is this path.")
]
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def batch(
    source: SourceOption,
    as_of: Annotated[str, typer.Option("--as-of", help="The moment to score for: a date or a time, UTC.")],
    out: Annotated[Path, typer.Option(help="The folder to publish into.")],
    data: DataOption = None,
    reasons: Annotated[int, typer.Option(min=0, max=20, help="Reasons per score.")] = 5,
    history: Annotated[
        bool,
        typer.Option(
            "--history/--no-history",
            help="Keep a decision record of each score in the store. Without, GET /v1/MODEL/scores shows what it had before.",
        ),
    ] = True,
    restart: Annotated[
        bool, typer.Option("--restart", help="Throw an unfinished run away instead of going on with it.")
    ] = False,
    max_age: Annotated[
        str | None,
        typer.Option(
            "--max-age",
            help="Refuse a source whose newest row is older than this before --as-of: 36h, 2d; default the shortest horizon of "
            "the live models, or ACCOUNTSCORE_MAX_SOURCE_AGE_DAYS.",
        ),
    ] = None,
    engine: Annotated[str, typer.Option(help="duckdb, pandas or spark: what computes the signals.")] = "duckdb",
    memory: Annotated[
        int,
        typer.Option(min=100, help="Megabytes that DuckDB may use for tables and signals; the rest goes to TMPDIR."),
    ] = 500,
    export: Annotated[
        list[str] | None,
        typer.Option(help="Then add the run to a star for BI tools: a folder or a database; may be repeated."),
    ] = None,
    summary: Annotated[
        Path | None, typer.Option(help="Where to write what the run did, as JSON.", show_default="OUT/last_run.json")
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="Where to write it for Prometheus' textfile collector (NAME.prom).")
    ] = None,
) -> None:
    """Score every account and lead of a source with each live model; publish Parquet and fill the store.

    Exit codes: 0 published; 2 a mistake in the command or the data; 5 another run is going on in OUT; 6 the source ended
    too long before --as-of; 7 the disk is full or fails; 1 a fault. Whatever is not 0 published nothing, and the same command goes
    on where it was stopped. But a table with a fault stops only the models that read it: the others are published, with exit code 2.
    """
    import duckdb

    from serving.batch.report import Report

    report = Report(source, as_of, time.time())
    with _shown(report):
        try:
            _run(report, source, as_of, out, data, reasons, history, restart, max_age, engine, memory, export or [])
        except OSError as error:
            full = error.errno in FULL
            where = "" if error.filename is None else f"{str(error.filename)!r}: "
            trouble = DiskTrouble(
                f"{where}{'the disk is full' if full else 'the disk failed'} ({error.strerror or error}), nothing was published: "
                f"{'make room' if full else 'mend it'}, then repeat the command; it goes on where it was stopped"
            )
            report.failed(trouble)
            _tell(report, out, summary, metrics)
            raise trouble from None
        except duckdb.OutOfMemoryException:
            given = "this machine's memory" if memory is None else f"--memory {memory}"
            more = (
                "on a larger machine, or with --memory and a TMPDIR with room"
                if memory is None
                else f"with --memory {2 * memory}"
            )
            little = UserMistake(
                f"{given} is too little for the tables of source {source!r}, nothing was published: repeat the command {more}"
            )
            report.failed(little)
            _tell(report, out, summary, metrics)
            raise little from None
        except AccountscoreError as error:
            report.failed(error)
            _tell(report, out, summary, metrics)
            raise
        _tell(report, out, summary, metrics)
    typer.echo(report.line())
    if report.exit_code:
        raise typer.Exit(report.exit_code)


@contextlib.contextmanager
def _shown(report: Report) -> Iterator[None]:
    """Keeps the card of the run in the home. A failure to write it must not change how the run ends."""
    from features.kit.settings import Settings
    from serving.runs import run_card

    home = Settings.from_env().home
    with contextlib.ExitStack() as held:
        card = None
        if home.is_dir():  # a command that was refused makes no folder
            with _said():
                card = held.enter_context(run_card.begin(home, system_now(), report.card(ended=False)))
        try:
            yield
        except AccountscoreError:
            raise
        except BaseException as error:
            report.crashed(error)
            raise
        finally:
            if card is not None:
                with _said():
                    card.write(report.card())


@contextlib.contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except (OSError, UserMistake) as error:
        typer.echo(f"the card of the run could not be written, GET /v1/runs does not show it: {error}", err=True)


def _run(
    report: Report,
    source: str,
    as_of: str,
    out: Path,
    data: Path | None,
    reasons: int,
    history: bool,
    restart: bool,
    max_age: str | None,
    engine: str,
    memory: int | None,
    export: list[str],
) -> None:
    from features.kit.clock import make_clock
    from features.kit.errors import BadInput
    from features.outcomes.needed_tables import left_out_notes, tables_for
    from features.sources.loader import open_source
    from serving.audit_log.entry import command
    from serving.batch.freshness import check_age, parse_age
    from serving.batch.live_models import blocked_models, live_models
    from serving.batch.report import counted
    from serving.batch.run import Options, run
    from serving.bootstrap import set_up
    from serving.champion import Champions
    from serving.connections.config import read_connections, tell
    from serving.export.audit import logged_star
    from serving.log import configure
    from serving.notes import export as notes
    from serving.privacy import suppression_export
    from serving.scorer_cache import KeptScorers
    from serving.store.connect import open_store

    moment = parse_seen(as_of)
    settings = ServingSettings.from_env()
    configure(settings.log_format)
    allowed = settings.max_source_age_days
    oldest = parse_age(max_age) if max_age is not None else None if allowed is None else timedelta(days=allowed)
    champions = Champions(settings.base.home)
    champions.refresh()
    for name, status in champions.statuses().items():
        if status["refused"] and status["serves"] is None:
            raise AccountscoreError(f"the champion of {name} is refused: {status['refused']}")
    connections = read_connections(settings.base.connections)
    tell(connections.off())  # the scores are published, and queued for the other connections
    wanting = {name: c for name, c in connections.mapped.items() if c.source == source}
    set_up(settings)
    store = open_store(settings.base.store_url)
    try:
        store.require_revision()
        # Before the source is read, which heeds both.
        suppression_export.publish(store, settings.base.home)
        notes.publish(store, settings.base.home)
        opened = open_source(source, data, keep_going=True, memory_mb=memory)
        live, _ = live_models(opened, champions)
        blocked = blocked_models(opened, champions)
        if opened.faults and (not live or opened.faults_for([])):
            raise BadInput(f"source {source!r}", opened.faults)
        for model, faults in blocked.items():
            places = "; ".join(fault.where for fault in faults)  # a found value may quote a row
            _warn(
                report,
                f"{model}: not scored, it reads a table that has a fault: {places}; run python -m features check --source {source}",
            )
        for note in left_out_notes(opened, frozenset().union(*(tables_for(c.entity) for c in live))):
            _warn(report, note)
        if live:
            old = check_age(opened, moment, {champion.name: champion.horizon_days for champion in live}, oldest)
            if old is not None:
                _warn(report, old)
        with _progress() as progress:
            options = Options(
                reasons=reasons, record=history, restart=restart, engine=engine, connections=wanting, progress=progress
            )
            done = run(opened, moment, out, champions, store, make_clock(), KeptScorers(settings.base.home), options)
    finally:
        store.close()
    report.finished(done)
    for model in done.rows:
        population = champions.get(model).population if model in done.outside else None
        typer.echo(counted(model, done, population))
    for model, rows in done.rows.items():
        if not rows:
            first, last = opened.span
            _warn(
                report,
                f"{model}: 0 rows, source {source!r} knows nobody to score as of {as_of}; it reaches from {first:%Y-%m-%d} to "
                f"{last:%Y-%m-%d}: see python -m features check --source {source}",
            )
    for model in done.without_champion:
        typer.echo(f"{model}: no champion, not scored; run python -m training fit {model} --source {source}", err=True)
    for to in export:
        with logged_star(settings, command("batch"), to) as star:
            star.exported = _export(out, to, KeptScorers(settings.base.home), opened)
        for line in star.exported.lines():
            typer.echo(line)
    report.left_out(blocked)


def _warn(report: Report, text: str) -> None:
    report.warn(text)
    typer.echo(f"warning: {text}", err=True)


def _export(out: Path, to: str, scorers: KeptScorers, source: Source) -> Exported:
    """Exports the published run. A failure here comes after publishing; the same command goes on with the export."""
    from serving.export.export import export

    try:
        return export(out, to, scorers, source)
    except OSError as error:
        raise DiskTrouble(
            f"the run is published, but not in {to!r}: the disk failed or is full ({error.strerror or error}); "
            "mend it, then repeat the command"
        ) from None
    except NotWritable as error:
        raise DiskTrouble(f"the run is published, but not in {to!r}: {error}; then repeat the command") from None


class _progress:
    """Bars with an estimate on a terminal, nothing in a pipe."""

    def __enter__(self) -> Callable[[str, int, int], None]:
        from rich.progress import Progress

        self._bar = Progress(transient=True, disable=not sys.stderr.isatty())
        self._bar.start()
        tasks: dict[str, object] = {}

        def progress(model: str, done: int, rows: int) -> None:
            if model not in tasks:
                tasks[model] = self._bar.add_task(model, total=rows)
            self._bar.update(tasks[model], completed=done)  # type: ignore[arg-type]  # what add_task returned

        return progress

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _tell(report: Report, out: Path, summary: Path | None, metrics: Path | None) -> None:
    """Writes the report of the run. A failure to write it must not hide how the run ended."""
    if summary is None and out.is_dir():  # a command that was refused makes no folder
        summary = out / "last_run.json"
    try:
        report.write(summary, metrics)
    except OSError as error:
        typer.echo(f"the run's summary could not be written: {error}", err=True)
