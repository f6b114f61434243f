"""`python -m serving backup FILE` and `python -m serving restore FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.kit.clock import system_us
from serving.store.words import counted

File = Annotated[Path, typer.Argument(help="The backup: one SQLite file, whichever database the store is on.")]


def backup(file: File) -> None:
    """Write the whole store into a new file, consistent as of one moment, while all processes run."""
    from serving.audit_log.entry import command as by
    from serving.audit_log.exports import Export, logged
    from serving.audit_log.service import append_reading
    from serving.backup.backup import backup as write
    from serving.backup.backup import require_new
    from serving.settings import ServingSettings
    from serving.store.connect import open_store

    settings = ServingSettings.from_env()
    store = open_store(settings.base.store_url)
    store.require_revision()
    require_new(file)
    home, about = settings.base.home, {"to": str(file)}
    # The first row is in the backup too.
    with logged(
        lambda row: append_reading(store, home, row, system_us()), Export(by("backup"), "store", None, about)
    ) as told:
        told["bytes"] = size = write(store, file)
    store.close()
    typer.echo(f"{size:,} bytes -> {file}")


def restore(
    file: File,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the rows that the store has.")] = False,
) -> None:
    """Put a backup into the store, in one transaction; the store is set up first when it is new.

    Changes since the backup are lost, and counted. Erasures, objections, deletions in the CRM and revoked keys are
    kept, even if the store was lost and only the home has them.
    """

    from serving.audit_log import head
    from serving.backup.backup import restore as read
    from serving.connections.config import read_connections
    from serving.privacy import home_copy, service, suppression_export
    from serving.settings import ServingSettings
    from serving.store.connect import open_store
    from serving.store.migrate import migrate

    settings = ServingSettings.from_env()
    suppression_export.require_writable(settings.base.home)  # the backup's erasures are published there
    configs = read_connections(settings.base.connections).mapped.values()
    store = open_store(settings.base.store_url)
    migrate(store)
    told = home_copy.load(settings.base.home)  # if the store is new, only the home has them
    known = head.load(settings.base.home)
    done = read(store, file, system_us(), configs, overwrite=overwrite, told=told, known=known)
    left = service.settle(store, settings.base.home)
    store.close()
    typer.echo(f"restored: {counted(done.rows)}")
    kept = done.kept
    if done.taken_back:
        # Protections that were applied again were not taken back.
        again = {
            "objections": kept.objections,
            "tombstones": kept.erasures,
            "removals": kept.removals,
            "api_keys": kept.keys_revoked + kept.keys_ended,
        }
        lost = counted({name: max(0, change.lost - again.get(name, 0)) for name, change in done.taken_back.items()})
        returned = counted({name: change.returned for name, change in done.taken_back.items()})
        typer.echo(f"taken back, new or changed since the backup: {lost}")
        typer.echo(f"back again, deleted since the backup: {returned}")
    if kept != type(kept)():
        typer.echo(
            f"kept, newer than the backup: {kept.erasures:,} erasures ({kept.erased_again:,} of them had come back and are "
            f"erased again), {kept.objections:,} objections, {kept.removals:,} deletions and merges, {kept.keys_revoked:,} revoked keys"
        )
    if kept.keys_ended:
        typer.echo(f"{kept.keys_ended:,} live keys are newer than the backup: they are revoked, make new ones")
    if kept.erased_again:
        typer.echo(f"the backup still holds who was erased: replace it by a new one, {str(file)!r}", err=True)
    for each in left:
        typer.echo(f"left to do: {each}", err=True)
