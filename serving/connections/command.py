"""`python -m serving connections`: each connection, whether it is on, and what to do where it is not."""

from __future__ import annotations

import typer


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
