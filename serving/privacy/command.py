"""`python -m serving privacy` and `python -m serving retention`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from features.kit.clock import DAY_US
from features.kit.errors import UserMistake
from serving.store.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from serving.store.connect import Store

app = typer.Typer(help="Erasure and objections.", no_args_is_help=True)
Kind = Annotated[str, typer.Argument(help="account, lead, or (to erase) contact.")]
Name = Annotated[str, typer.Argument(help="Its id in the source.")]


@app.command()
def erase(kind: Kind, name: Name) -> None:
    """Delete all that the store has of it. No late event and no batch brings it back, and training leaves it out.

    Published runs and reports in ACCOUNTSCORE_HOME are rewritten without it. For a batch with another --out, the next
    run leaves it out and deletes the older runs that have it.
    """
    from serving.connections.config import load_connections
    from serving.privacy import service
    from serving.privacy.repository import KINDS
    from serving.settings import ServingSettings

    _one_of(kind, KINDS)
    settings = ServingSettings.from_env()
    configs = load_connections(settings.base.connections, secrets_needed=False).values()
    store = _open()
    done = service.erase(store, configs, kind, name, _now_us(), settings.base.home)
    store.close()
    if done.found:
        typer.echo(f"erased: {counted(done.deleted)}")
    else:
        typer.echo(
            f"nothing is stored of {kind} {name!r}: if the id is wrong, take the mark back with python -m serving privacy admit "
            f"{kind} ID; no late event and no batch brings it in"
        )
    _tell(done.left)


@app.command()
def admit(kind: Kind, name: Name) -> None:
    """Undo the mark of an erasure: it may come back with the next batch or event."""
    from serving.audit_log import head
    from serving.privacy import repository, suppression_export
    from serving.settings import ServingSettings

    _one_of(kind, repository.KINDS)
    settings = ServingSettings.from_env()
    suppression_export.require_writable(settings.base.home)
    store, now_us = _open(), _now_us()
    with store.write() as connection:
        had = repository.admit(connection, kind, name, now_us)
    head.keep(store, settings.base.home)
    store.close()
    typer.echo("done" if had else "nothing to do: it was not erased")
    publish()


@app.command()
def publish() -> None:
    """Rewrite ACCOUNTSCORE_HOME/removed.json, the erased, deleted and merged records that all readers of a source leave
    out, the copy of objections beside it, and the notes; remove erased records from the other files of the home.

    The API, the worker and the batch do this by themselves. On a machine that only trains, run it before training.
    """
    from serving.privacy import service
    from serving.settings import ServingSettings

    store = _open()
    _tell(service.settle(store, ServingSettings.from_env().base.home))
    store.close()


@app.command("object")
def object_to(kind: Kind, name: Name) -> None:
    """Stop scoring it."""
    from serving.privacy import service

    _set_objection(service.object_to, kind, name, "it is not scored already")


@app.command()
def allow(kind: Kind, name: Name) -> None:
    """Take an objection back."""
    from serving.privacy import service

    _set_objection(service.allow, kind, name, "there is no objection")


def retention(
    days: Annotated[int, typer.Option(min=1, max=36_500, help="Older records are deleted.")],
) -> None:
    """Delete older decision records, settled events, ended overrides, stored answers and the free text of notes. Older rows
    of the audit log stay, without names, ids and contents.
    """
    from serving.audit_log import head
    from serving.privacy import repository
    from serving.settings import ServingSettings
    from serving.store.wipe import wipe

    store, now_us = _open(), _now_us()
    with store.write() as connection:
        done = repository.forget_before(connection, now_us - days * DAY_US, now_us)
    head.keep(store, ServingSettings.from_env().base.home)
    left = wipe(store)
    store.close()
    redacted, texts = done.pop("audit_log"), done.pop("notes")
    typer.echo(f"deleted: {counted(done)}" + (f"; the free text of {texts:,} notes" if texts else ""))
    if redacted:
        typer.echo(f"names and contents were taken out of {redacted:,} rows of the audit log")
    _tell(left)


def _set_objection(
    change: Callable[[Store, str, str, int, Path], tuple[bool, list[str]]], kind: str, name: str, nothing: str
) -> None:
    from features.sources.schema import ENTITIES
    from serving.settings import ServingSettings

    _one_of(kind, tuple(ENTITIES))
    store = _open()
    done, left = change(store, kind, name, _now_us(), ServingSettings.from_env().base.home)
    store.close()
    typer.echo("done" if done else f"nothing to do: {nothing}")
    _tell(left)


def _now_us() -> int:
    from features.kit.clock import make_clock, to_us

    return to_us(make_clock()())


def _tell(left: list[str]) -> None:
    for each in left:
        typer.echo(f"left to do: {each}", err=True)


def _open() -> Store:
    from serving.settings import ServingSettings
    from serving.store.connect import open_store

    store = open_store(ServingSettings.from_env().base.store_url)
    store.require_revision()
    return store


def _one_of(kind: str, kinds: tuple[str, ...]) -> None:
    if kind not in kinds:
        raise UserMistake(f"{kind!r} is none: one of {', '.join(kinds)}")
