"""`python -m serving backup FILE` and `python -m serving restore FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

File = Annotated[Path, typer.Argument(help="The backup: one SQLite file, whichever database the store is on.")]


def backup(file: File) -> None:
    """Write the whole store into a new file, consistent as of one moment, while everything runs."""
    from serving.settings import ServingSettings
    from serving.store.backup import backup as write
    from serving.store.connect import open_store

    store = open_store(ServingSettings.from_env().base.store_url)
    store.require_revision()
    size = write(store, file)
    store.close()
    typer.echo(f"{size:,} bytes -> {file}")


def restore(
    file: File,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Put it in the place of what the store has.")] = False,
) -> None:
    """Put a backup into the store, in one transaction; the store is set up first when it is new."""
    from serving.privacy import gone
    from serving.settings import ServingSettings
    from serving.store.backup import restore as read
    from serving.store.connect import open_store
    from serving.store.migrate import migrate

    settings = ServingSettings.from_env()
    store = open_store(settings.base.store_url)
    migrate(store)
    done = read(store, file, overwrite=overwrite)
    gone.publish(store, settings.base.home)
    store.close()
    typer.echo("restored: " + ", ".join(f"{rows:,} of {table}" for table, rows in done.items()))
