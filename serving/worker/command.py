"""`python -m serving connections` and `deliver`: they look at the inbox and the outbox of every connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from features.kit.errors import Fault
    from serving.connections.config import ConnectionConfig
    from serving.store.connect import Store

Name = Annotated[str | None, typer.Argument(help="One connection; all of them when none is named.")]


def deliver(
    connection: Name = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written; send nothing.")] = False,
) -> None:
    """Write what is queued into the CRMs, once. The worker does this by itself; it must not be running.

    A connection with a fault is said, and the others are written to.
    """
    import threading

    from serving.inbox.truncated import read_truncated
    from serving.log import configure
    from serving.outbox.deliver import Deliverers
    from serving.settings import ServingSettings
    from serving.worker.loop import only_one

    configure(ServingSettings.from_env().log_format)
    connections, off, store = _open(connection)
    if dry_run:
        _show(store, connections)
        store.close()
        return
    with only_one(ServingSettings.from_env().base.home, "deliver"):
        deliverers = Deliverers(store, connections, read_truncated)
        for name, done in deliverers.once(threading.Event()).items():
            typer.echo(f"{name}: {done.sent:,} written, {done.again:,} to be tried again, {done.dead:,} given up")
        deliverers.close()
    for name, config in connections.items():
        if config.writeback.mode != "on":
            typer.echo(f"{name}: write-back is {config.writeback.mode}, nothing is sent")
    for name, faults in off.items():
        typer.echo(f"{name}: off, nothing is sent: " + "; ".join(map(str, faults)))
    store.close()


def connections() -> None:
    """Each connection with its state and the next step: webhooks, write-back, and what waits.

    The environment of this command is looked at, as the API and the worker look at theirs when they start.
    """
    from serving.connections.config import read_connections
    from serving.errors import StoreAway
    from serving.outbox import repository as outbox
    from serving.settings import ServingSettings
    from serving.store.connect import open_store
    from serving.worker.backfill import run_of, waiting_of

    settings = ServingSettings.from_env()
    found = read_connections(settings.base.connections)
    names = sorted({*found.mapped, *found.unread})
    if not names:
        typer.echo(
            f"no connection in {str(settings.base.connections)!r}: put NAME.toml there, see serving/connections/config.py for its form"
        )
        return
    store = open_store(settings.base.store_url)
    counts: dict[tuple[str, str], int] = {}
    backlog: dict[str, int] = {}
    try:
        if store.revision() is not None:
            store.require_revision()
            with store.read() as connection:
                counts = outbox.counts(connection)
                backlog = {name: waiting_of(connection, run_of(name)) for name in names}
    except StoreAway as error:
        typer.echo(f"what waits is not known: {error}", err=True)
    finally:
        store.close()
    for name in names:
        config = found.mapped.get(name)
        if config is None:
            typer.echo(f"{name}\toff")
        else:
            webhooks = "off" if name in found.unsigned else "on"
            writing = "off" if name in found.silent else config.writeback.mode
            said = [f"webhooks {webhooks}", f"write-back {writing}"]
            said += [f"{counts[name, state]:,} {state}" for state in ("waiting", "dead") if counts.get((name, state))]
            said += [f"{backlog[name]:,} of the backlog left"] if backlog.get(name) else []
            typer.echo(f"{name}\t{config.vendor}\t" + ", ".join(said))
        for fault in found.off(found.unsigned, found.silent).get(name, []):
            typer.echo(f"  {fault}")
        if counts.get((name, "dead")):
            typer.echo(f"  dead letters: python -m serving dead-letters list {name}")


def _show(store: Store, connections: dict[str, ConnectionConfig]) -> None:
    from serving.outbox import repository as outbox

    with store.read() as reading:
        for name, config in connections.items():
            rows = outbox.due(reading, config, 2**62, 1_000_000)
            typer.echo(f"{name} ({config.writeback.mode}): {len(rows):,} would be written")
            for write, _, _ in rows:
                values = ", ".join(
                    f"{to}={value.splitlines()[0] if value else ''!r}" for to, value in write.properties.items()
                )
                typer.echo(f"  {write.object_type}/{write.object_id}\t{write.model}\t{values or 'score.changed'}")


def _open(name: str | None) -> tuple[dict[str, ConnectionConfig], dict[str, list[Fault]], Store]:
    """The connections that can be read, the faults of those that are off, and the store."""
    from serving.connections.config import one_of, read_connections
    from serving.settings import ServingSettings
    from serving.store.connect import open_store

    settings = ServingSettings.from_env()
    found = read_connections(settings.base.connections)
    connections, off = dict(found.mapped), found.off(found.silent)
    if name is not None:
        connections = {name: one_of(found, name)}
        off = {name: off[name]} if name in off else {}
    store = open_store(settings.base.store_url)
    store.require_revision()
    return connections, off, store
