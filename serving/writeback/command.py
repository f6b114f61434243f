"""`python -m serving deliver` and `python -m serving dead-letters`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import UserMistake

if TYPE_CHECKING:
    from serving.connections import ConnectionConfig
    from serving.store.connect import Store

Name = Annotated[str | None, typer.Argument(help="One connection; all of them when none is named.")]
dead_letters = typer.Typer(help="Write-backs that were given up.", no_args_is_help=True)


def deliver(
    connection: Name = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written; send nothing.")] = False,
) -> None:
    """Write what is queued into the CRMs, once. The worker does this by itself; it must not be running."""
    import threading

    from serving.log import configure
    from serving.settings import ServingSettings
    from serving.worker.loop import only_one
    from serving.writeback.deliver import Deliveries

    configure()
    connections, store = _open(connection, tokens_needed=not dry_run)
    if dry_run:
        _show(store, connections)
        store.close()
        return
    with only_one(ServingSettings.from_env().base.home, "deliver"):
        deliveries = Deliveries(store, connections)
        for name, done in deliveries.once(threading.Event()).items():
            typer.echo(f"{name}: {done.sent:,} written, {done.again:,} to be tried again, {done.dead:,} given up")
        deliveries.close()
    for name, config in connections.items():
        if config.writeback.mode != "on":
            typer.echo(f"{name}: write-back is {config.writeback.mode}, nothing is sent")
    store.close()


@dead_letters.command("list")
def list_dead(connection: Name = None) -> None:
    """One line each: connection, model, entity, record, attempts, why."""
    from serving.writeback import queue

    _, store = _open(connection)
    with store.read() as reading:
        for row in queue.dead(reading, connection):
            record = f"{row['object_type']}/{row['object_id']}"
            typer.echo(f"{row['connection']}\t{row['model']}\t{row['entity_id']}\t{record}\t{row['attempts']}\t{row['error']}")  # fmt: skip
    store.close()


@dead_letters.command()
def replay(
    connection: Annotated[str, typer.Argument(help="The connection.")],
    entity: Annotated[list[str] | None, typer.Option(help="An entity's id; all of them when none is named.")] = None,
) -> None:
    """Put them back into the queue, after what was wrong was mended."""
    from serving.clock import system_us
    from serving.writeback import queue

    _, store = _open(connection)
    with store.write() as writing:
        count = queue.replay(writing, connection, system_us(), entity or ())
    store.close()
    typer.echo(f"{count:,} put back into the queue")


def _show(store: Store, connections: dict[str, ConnectionConfig]) -> None:
    from serving.writeback import queue

    with store.read() as reading:
        for name, config in connections.items():
            rows = queue.due(reading, config, 2**62, 1_000_000)
            typer.echo(f"{name} ({config.writeback.mode}): {len(rows):,} would be written")
            for write, _, _ in rows:
                values = ", ".join(
                    f"{to}={value.splitlines()[0] if value else ''!r}" for to, value in write.properties.items()
                )
                typer.echo(f"  {write.object_type}/{write.object_id}\t{write.model}\t{values or 'score.changed'}")


def _open(name: str | None, *, tokens_needed: bool = False) -> tuple[dict[str, ConnectionConfig], Store]:
    from serving.connections import load_connections
    from serving.settings import ServingSettings
    from serving.store.connect import open_store

    settings = ServingSettings.from_env()
    connections = load_connections(settings.base.connections, secrets_needed=False, tokens_needed=tokens_needed)
    if name is not None:
        if name not in connections:
            raise UserMistake(f"no connection {name!r}: one of {', '.join(connections) or '(there is none)'}")
        connections = {name: connections[name]}
    store = open_store(settings.base.store_url)
    store.require_revision()
    return connections, store
