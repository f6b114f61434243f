"""`python -m serving keys`: who may ask the API."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.kit.clock import system_us
from features.kit.errors import UserMistake

if TYPE_CHECKING:
    from sqlalchemy import Connection

app = typer.Typer(help="API keys: make, list, revoke.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[
        str, typer.Argument(help="Who will hold it: a system or a person. Two keys of a name may be live.")
    ],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="What it may do, may be repeated: score, read, override, feedback, privacy, metrics, ui:read, ui:act, admin."
        ),
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="Days until it ends; without it, never.")] = None,
    per_minute: Annotated[
        int | None,
        typer.Option(
            "--per-minute", min=1, help="Requests a minute to each API process; without it, the server's setting."
        ),
    ] = None,
) -> None:
    """Make a key and show it, once. Without --scope it may score and read."""
    from serving.audit_log import head
    from serving.keys import service
    from serving.settings import ServingSettings
    from serving.store.connect import open_store

    settings = ServingSettings.from_env()
    store = open_store(settings.base.store_url)
    store.require_revision()
    pepper = service.read_pepper(settings.base.home)
    # Cached and shown before the commit, so that no live key exists that nobody saw.
    with store.write() as connection:
        token, key = service.create(connection, pepper, name, scope or ["score", "read"], system_us(), days, per_minute)
        _keep(connection, settings.base.home)
        typer.echo(f"key {key.id} of {name} with {key.scopes}: it will not be shown again", err=True)
        typer.echo(token)
        sys.stdout.flush()
    head.keep(store, settings.base.home)
    store.close()


@app.command("list")
def list_keys() -> None:
    """Every key: its id, holder, scopes, and whether it is live."""
    from features.kit.clock import from_us, iso
    from serving.keys import repository
    from serving.keys.cache import LOST, kept
    from serving.settings import ServingSettings
    from serving.store.connect import open_store

    settings = ServingSettings.from_env()
    store = open_store(settings.base.store_url)
    store.require_revision()
    with store.read() as connection:
        found = repository.all_of(connection)
    store.close()
    now_us = system_us()
    for key in found:
        state = "live" if key.is_live(now_us) else "revoked" if key.revoked_at else "over"
        until = "" if key.expires_at is None else f"  until {iso(from_us(key.expires_at))}"
        rate = "" if key.requests_per_minute is None else f"  {key.requests_per_minute:,}/min"
        typer.echo(f"{key.id}  {state:7}  {key.name}  [{key.scopes}]{rate}{until}")
    known = kept(settings.base.home, b"")
    if not found and known is not None and known.needed:
        typer.echo(f"this store has no key, and the home had some: {LOST}", err=True)
    elif not found:
        typer.echo("no key was ever made: the API answers on loopback only", err=True)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="The id that `keys list` shows.")]) -> None:
    """End a key. Running servers refuse it within two seconds."""
    from serving.audit_log import head
    from serving.keys import repository
    from serving.settings import ServingSettings
    from serving.store.connect import open_store

    settings = ServingSettings.from_env()
    store = open_store(settings.base.store_url)
    store.require_revision()
    with store.write() as connection:
        done = repository.revoke(connection, key_id, system_us())
    head.keep(store, settings.base.home)
    try:
        with store.read() as connection:
            _keep(connection, settings.base.home)
    except OSError as error:  # the key is revoked all the same
        typer.echo(
            f"{str(error.filename)!r} could not be written ({error.strerror}): a server that starts while the store is away may "
            "still take the key; mend it and revoke again",
            err=True,
        )
    store.close()
    if not done:
        raise UserMistake(f"no live key has the id {key_id!r}: see python -m serving keys list")
    typer.echo(f"{key_id} is revoked")


def _keep(connection: Connection, home: Path) -> None:
    """Cache the keys for a server that starts while the store is away."""
    from serving.keys import cache, service

    cache.keep(service.KeyRing.load(connection, service.read_pepper(home), system_us()), home)
