"""`python -m serving dead-letters`: what was given up, and putting it back into the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from serving.connections.config import Connections
    from serving.store.connect import Store

app = typer.Typer(help="Write-backs that were given up.", no_args_is_help=True)


@app.command("list")
def list_dead(
    connection: Annotated[str | None, typer.Argument(help="One connection; all of them when none is named.")] = None,
) -> None:
    """One line each: connection, model, entity, record, attempts, why.

    Also the events that no row could be made of ("event" in the place of the model), and the accounts and leads that cannot be
    scored ("score", with their source in the place of the connection).
    """
    from serving.connections.config import one_of
    from serving.inbox import repository as inbox
    from serving.outbox import repository as outbox
    from serving.worker import set_aside

    found, store, _ = _open()
    sources = None if connection is None else [one_of(found, connection).source]
    with store.read() as reading:
        for event in inbox.failed(reading, connection):
            about = f"{event['object_type']}/{event['object_id']}"
            typer.echo(f"{event['connection']}\tevent\t{event['property'] or '-'}\t{about}\t1\t{event['detail']}")
        for entity in set_aside.all_of(reading, sources):
            typer.echo(f"{entity['source']}\tscore\t{entity['entity_id']}\t{entity['entity']}\t1\t{entity['error']}")
        for row in outbox.dead(reading, connection):
            record = f"{row['object_type']}/{row['object_id']}"
            typer.echo(
                f"{row['connection']}\t{row['model']}\t{row['entity_id']}\t{record}\t{row['attempts']}\t{row['error']}"
            )
    store.close()


@app.command()
def replay(
    connection: Annotated[str, typer.Argument(help="The connection.")],
    entity: Annotated[list[str] | None, typer.Option(help="An entity's id; all of them when none is named.")] = None,
) -> None:
    """Put them back into the queue, after what was wrong was mended: write-backs, entities that could not be scored, and, when
    no entity is named, events. It is a row of the audit log."""
    from features.kit.clock import system_us
    from serving.audit_log import head
    from serving.audit_log.entry import command
    from serving.connections.config import one_of
    from serving.dead_letters import service

    found, store, home = _open()
    source = one_of(found, connection).source
    done = service.replay(store, command("dead-letters replay"), connection, source, system_us(), entity or ())
    head.keep(store, home)
    store.close()
    typer.echo(f"{done.total:,} put back into the queue")


def _open() -> tuple[Connections, Store, Path]:
    """The connections, the store and the home."""
    from serving.connections.config import read_connections
    from serving.settings import ServingSettings
    from serving.store.connect import open_store

    settings = ServingSettings.from_env()
    found = read_connections(settings.base.connections)
    store = open_store(settings.base.store_url)
    store.require_revision()
    return found, store, settings.base.home
