"""`python -m serving`: the API, the CRM worker, the nightly batch, and keeping the store and the champion in step."""

from __future__ import annotations

import sys

from serving.shutdown import end_while_starting, stop_on_signals

if __name__ == "__main__":
    end_while_starting(sys.argv)  # what follows takes a second to import

import contextlib
import json
from pathlib import Path
from typing import Annotated

import typer

from features.kit.cli import run
from features.kit.errors import BadInput, UserMistake
from serving.audit_log.command import app as audit
from serving.backup.command import backup, restore
from serving.batch.command import batch
from serving.bootstrap import set_up
from serving.dead_letters.command import app as dead_letters
from serving.errors import StoreAway
from serving.export.command import export
from serving.keys.command import app as keys
from serving.privacy.command import app as privacy
from serving.privacy.command import retention
from serving.replay.command import replay
from serving.settings import ServingSettings
from serving.worker.command import connections, deliver

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
) -> None:
    """Serve scores and take webhooks until SIGTERM."""
    from serving.log import configure

    settings = ServingSettings.from_env()
    configure(settings.log_format)
    # The connections are closed after the drain, and the store after them: neither takes longer than this.
    stopping = stop_on_signals(settings.drain_seconds + 7.0)
    from serving.server import serve

    with contextlib.suppress(StoreAway):  # the app says what it does without
        set_up(settings)
    serve(settings, host, port, stopping)


@app.command()
def worker(
    once: Annotated[bool, typer.Option("--once", help="Drain the inbox, score what changed, and exit.")] = False,
) -> None:
    """Work on the inbox: record changes, recompute signals, score, write back, until SIGTERM."""
    from serving.log import configure

    settings = ServingSettings.from_env()
    configure(settings.log_format)
    stopping = stop_on_signals(settings.drain_seconds)
    from features.kit.clock import make_clock
    from serving.champion import Champions
    from serving.connections.config import read_connections, tell
    from serving.inbox.truncated import read_truncated
    from serving.outbox.deliver import Deliverers
    from serving.store.connect import open_store
    from serving.worker.loop import Worker, begin, only_one

    found = read_connections(settings.base.connections)
    mapped, off = found.mapped, found.off()
    if not mapped and off:
        raise BadInput("connections", [fault for faults in off.values() for fault in faults])
    if not mapped:
        folder = str(settings.base.connections)
        raise UserMistake(
            f"no connection in {folder!r}: put NAME.toml there, see serving/vendors/README.md for its form"
        )
    tell(off)
    tell(found.unsigned, "webhooks.off")  # what came before is worked on
    tell(found.silent, "writeback.off")  # scores are queued till it is set
    store = open_store(settings.base.store_url)
    with only_one(settings.base.home), only_one(settings.base.home, "deliver"):
        champions = Champions(settings.base.home)
        champions.refresh()
        working = Worker(store, mapped, champions, make_clock(), stopping, off)

        def start() -> None:
            set_up(settings)
            store.require_revision()
            working.check()

        if once or store.dialect == "sqlite":  # a file that cannot be opened does not come back by itself
            start()
        elif not begin(start, stopping):
            return
        deliverers = Deliverers(store, mapped, read_truncated)
        if once:
            events, scores = working.once()
            sent = sum(done.sent for done in deliverers.once(stopping).values())
            typer.echo(f"{events:,} events worked on, {scores:,} scores, {sent:,} written back")
        else:
            deliverers.start()
            working.run()
        deliverers.close()
    store.close()


@app.command()
def backfill(
    connection: Annotated[str, typer.Argument(help="The connection, new to this service.")],
) -> None:
    """Score all records that a connection's source has already, once; killed, it goes on where it was.

    What is worth it is queued for the CRM: the worker writes it, or `deliver`. While the worker is running the records are queued
    for it; it scores them when nothing waits that changed.

    Exit code 6 when the source ended too long before the clock, as in the nightly batch.
    """
    from datetime import timedelta

    from rich.progress import Progress

    from features.kit.clock import make_clock
    from serving.batch.freshness import check_age
    from serving.batch.live_models import live_models
    from serving.champion import Champions
    from serving.connections.config import one_of, read_connections
    from serving.log import configure
    from serving.notes import export as notes
    from serving.privacy import suppression_export
    from serving.store.connect import open_store
    from serving.worker.backfill import backfill as fill
    from serving.worker.backfill import queue_backlog
    from serving.worker.loop import AlreadyRunning, only_one
    from serving.worker.source_cache import Sources

    settings = ServingSettings.from_env()
    configure(settings.log_format)
    config = one_of(read_connections(settings.base.connections), connection)
    set_up(settings)
    store = open_store(settings.base.store_url)
    store.require_revision()
    suppression_export.publish(store, settings.base.home)
    notes.publish(store, settings.base.home)
    sources, champions = Sources(settings.base.home), Champions(settings.base.home)
    champions.refresh()
    clock, opened = make_clock(), sources.get(config)
    live, _ = live_models(opened, champions)
    if live:
        days = settings.max_source_age_days
        oldest = None if days is None else timedelta(days=days)
        old = check_age(opened, clock(), {champion.name: champion.horizon_days for champion in live}, oldest)
        if old is not None:
            typer.echo(f"warning: {old}", err=True)
    try:
        with only_one(settings.base.home), Progress(transient=True, disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task(connection, total=None)
            done = fill(
                store,
                sources,
                config,
                champions,
                clock,
                lambda done, records: bar.update(task, completed=done, total=records),
            )
        said = f"{done.scored:,} records scored, {done.before:,} were before"
    except AlreadyRunning:
        queued = queue_backlog(store, sources, config, champions, clock)
        said = (
            f"{queued.scored:,} records queued for the worker that is running, {queued.before:,} were scored before; "
            "python -m serving connections says how many are left"
        )
    store.close()
    typer.echo(f"{connection}: {said}")


@app.command()
def top(
    model: Annotated[str, typer.Option(help="a model's name, such as churn-risk")],
    scores: Annotated[
        Path | None,
        typer.Option(
            help="The folder that the batch published into; default ACCOUNTSCORE_HOME/scores.", show_default=False
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many to show.")] = 10,
    by: Annotated[str, typer.Option(help="probability, or value: what is at stake")] = "probability",
    excel: Annotated[Path | None, typer.Option(help="Also write them as an Excel call list.")] = None,
    ids: Annotated[bool, typer.Option("--ids", help="Only their ids, one a line, for a script.")] = False,
) -> None:
    """The accounts most at risk or the best leads of a published run, with value at stake and reasons."""
    from rich.console import Console

    from features.kit.writable import require_place
    from models.catalog import get_model
    from serving.audit_log.entry import command as who
    from serving.audit_log.exports import Export, into_log, logged
    from serving.batch.call_list import read_top, top_table, write_call_list

    settings = ServingSettings.from_env()
    if by not in ("probability", "value"):
        raise UserMistake(f"--by {by!r}: one of probability, value")
    published = scores or settings.base.home / "scores"
    head = read_top(published, get_model(model).name, count, by)  # type: ignore[arg-type]  # checked above
    if ids:
        typer.echo("\n".join(row["entity_id"] for row in head.rows))
    else:
        console = Console()
        if not console.is_terminal:
            console = Console(width=140)  # a pipe has no width; 80 columns leave none for the reasons
        console.print(top_table(head, settings.currency))
    if excel is not None:
        require_place(excel)
        about = {"to": str(excel), "as_of": head.as_of, "by": by}
        with logged(into_log(settings), Export(who("top"), "call list", head.model, about)) as told:
            write_call_list(head, excel, settings.currency)
            told["rows"] = len(head.rows)
        typer.echo(f"call list -> {excel}")


@app.command("score-table")
def score_table(
    directory: Annotated[Path, typer.Argument(help="A scorer's folder, such as `training fit-table --out` writes.")],
    source: Annotated[Path, typer.Argument(help="A .parquet or .csv file with the scorer's columns.")],
    out: Annotated[Path, typer.Argument(help="The .parquet or .csv file to write: the same rows with their scores.")],
    reasons: Annotated[int, typer.Option(min=0, max=20, help="Reasons per row.")] = 0,
    prefix: Annotated[str, typer.Option(help="Put before the names of the columns that are added.")] = "",
    encoding: Annotated[
        str | None, typer.Option(help="Of a CSV that is neither UTF-8 nor UTF-16.", show_default="cp1252")
    ] = None,
    anyway: Annotated[
        bool,
        typer.Option(
            "--anyway", help="Use a scorer that its gates refused; the column `verdict` says so on every row."
        ),
    ] = False,
) -> None:
    """Score a flat file with a scorer folder; no store and no registry are needed.

    Exit code 3 for a scorer that its gates refused, 2 for one that keeps no verdict, unless --anyway.
    """
    from models.scorer.verdict import READY
    from serving.batch.flat_file import score_table as score

    done = score(directory, source, out, reasons, prefix=prefix, encoding=encoding, anyway=anyway)
    typer.echo(f"{source.name}: {done.read}", err=True)
    for name, count in done.no_numbers.items():
        said = f"{count:,} values are not numbers and count" if count > 1 else "1 value is not a number and counts"
        typer.echo(f"{name}: {said} as missing", err=True)
    for name, example in done.either_way.items():
        typer.echo(
            f"{name}: values such as {example!r} are read with the decimal mark that the scorer learnt, and this file has the other "
            "one: write its numbers as those of the training file, or without signs between thousands",
            err=True,
        )
    if done.guarded:
        said = f"{done.guarded:,} cells begin" if done.guarded > 1 else "1 cell begins"
        typer.echo(f"{said} like a formula and got a ' before", err=True)
    if done.marked:
        typer.echo(f"this scorer is not for use ({done.verdict}): the column verdict says so on every row", err=True)
    elif done.verdict != READY:
        typer.echo(f"the verdict on this scorer: {done.verdict}", err=True)
    if done.outside:
        said = f"{done.outside:,} rows are" if done.outside > 1 else "1 row is"
        typer.echo(f"{said} outside the scorer's population and got no score: see the column no_score", err=True)
    typer.echo(f"{done.rows:,} rows -> {out}")


@app.command("reasons-check")
def reasons_check(
    scores: Annotated[Path, typer.Option(help="The folder that the batch published into.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines for people.")] = False,
) -> None:
    """Count over a published run: reasons that contradict themselves, and ideas that one list tells twice. Ends with 4 when
    there are any."""
    from serving.batch import reasons_check as check

    run_id, found = check.check_reasons(scores)
    content = check.as_json(run_id, found)
    for line in [json.dumps(content)] if as_json else check.lines(found):
        typer.echo(line)
    if not content["fine"]:
        raise typer.Exit(4)


@app.command()
def sync() -> None:
    """Bring the champions' pointer files in line with the registry's alias `champion`."""
    from serving.registry_sync import sync as sync_champions

    for line in sync_champions(ServingSettings.from_env()):
        typer.echo(line)


@app.command()
def migrate() -> None:
    """Set the store up, or bring it to the revision of this version."""
    from serving.log import configure
    from serving.privacy import suppression_export
    from serving.store.connect import open_store
    from serving.store.migrate import migrate as apply

    settings = ServingSettings.from_env()
    configure(settings.log_format)
    store = open_store(settings.base.store_url)
    typer.echo(f"store {store.engine.url.render_as_string(hide_password=True)} is at revision {apply(store)}")
    if suppression_export.is_there(settings.base.home):
        suppression_export.publish(
            store, settings.base.home
        )  # a new store in the place of a lost one learns who was erased or objected
    store.close()


app.command()(deliver)
for name, group in (("audit", audit), ("keys", keys), ("privacy", privacy), ("dead-letters", dead_letters)):
    app.add_typer(group, name=name)
for command in (batch, connections, export, retention, replay, backup, restore):
    app.command()(command)

if __name__ == "__main__":
    run(app)
