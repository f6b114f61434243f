"""`python -m serving audit`: who did what; whether the log is whole."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.kit.errors import UserMistake

if TYPE_CHECKING:
    from pathlib import Path

    from serving.audit_log.chain import Head, Verdict
    from serving.store.connect import Store

app = typer.Typer(help="Who did what, on what, when: verify the log, export it.", no_args_is_help=True)
NOT_INTACT = 4
"""Exit code of `verify` when the log was tampered with."""


@app.command()
def verify(
    known: Annotated[
        str | None,
        typer.Option("--head", help="SEQ:HASH that an earlier export printed, kept elsewhere: it must be in the log."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a line for people.")] = False,
) -> None:
    """Follow the chain over every row: an altered, deleted, moved or added row is found, and a log that lost its end.

    Exit code 0 when the log is intact, 4 when it is not. Rows whose personal data a retention run or an erasure took out
    are counted. What nobody finds this way: a log that was written anew together with the home; --head finds it.
    """
    from serving.audit_log import repository
    from serving.audit_log.chain import verify as follow

    store, home = _open()
    heads = _heads(home, known)  # before the rows: the log may be ahead of them
    with store.read() as connection:
        verdict = follow(repository.rows(connection), heads)
    store.close()
    kept = any(where == _HOME for where, _ in heads)
    if as_json:
        typer.echo(json.dumps(_as_json(verdict, kept)))
    else:
        typer.echo(_line(verdict, kept))
        for each in verdict.losses:
            typer.echo(f"lost before: {each}")
        _tell_waiting(home)
    if not verdict.intact:
        raise typer.Exit(NOT_INTACT)


@app.command()
def export(
    csv: Annotated[
        bool, typer.Option("--csv", help="CSV that is safe to open in a spreadsheet; else JSON lines.")
    ] = False,
) -> None:
    """Print every row, the oldest first, and at the end, on stderr, the head: keep it where nobody of this machine writes.

    The export is a row itself, and how it ended is the next one, which comes after that head. It has no secrets; it has names of people, and ids of accounts and leads.
    """
    from features.kit.clock import system_us
    from serving.audit_log import repository
    from serving.audit_log.entry import command
    from serving.audit_log.export import write
    from serving.audit_log.exports import Export, logged
    from serving.audit_log.service import append_reading, settle_if_there
    from serving.settings import ServingSettings

    store, home = _open()
    settle_if_there(ServingSettings.from_env())
    export = Export(command("audit export"), "audit log", None, {"to": "stdout"})
    with logged(lambda row: append_reading(store, home, row, system_us()), export) as told, store.read() as connection:
        last = write(repository.rows(connection), sys.stdout, csv=csv)
        told["head"] = str(last)
    store.close()
    typer.echo(f"head {last}", err=True)


@app.command("accept-loss")
def accept_loss(
    reason: Annotated[str, typer.Argument(help="Why the newest rows are gone, for whoever reads the log.")],
) -> None:
    """Go on with a log that lost its end: the store was lost, or is an older copy that no `serving restore` put there.

    The home's head is named in a new row as given up, and `verify` says so from then on. A row that was altered stays found.
    """
    from features.kit.clock import system_us
    from serving.audit_log import head, repository
    from serving.audit_log.entry import Entry, command

    store, home = _open()
    known = head.load(home)
    with store.write() as connection:
        now = repository.locked_head(connection)
        if known is None or repository.has(connection, known):
            raise UserMistake("nothing is lost: the log has the row that the home knows of")
        told = {"reason": reason, "given_up": [str(known)]}
        after = repository.append(
            connection,
            Entry(command("audit accept-loss"), "loss_accepted", "store", None, {"head": str(now)}, told),
            system_us(),
        )
    head.keep(store, home)
    store.close()
    typer.echo(f"the log goes on from row {now.seq}; it once ended at row {known.seq}; head {after}")


_HOME = "the home"


def _heads(home: Path, known: str | None) -> list[tuple[str, Head]]:
    from serving.audit_log import head

    heads = []
    of_home = head.load(home)
    if of_home is not None:
        heads.append((_HOME, of_home))
    if known is not None:
        heads.append(("--head", _read(known)))
    return heads


def _read(text: str) -> Head:
    from serving.audit_log.chain import Head

    seq, _, hashed = text.strip().partition(":")
    if not (seq.isascii() and seq.isdigit() and len(seq) < 19 and len(hashed) == 64):
        raise UserMistake(f"--head {text!r} is not a head: write SEQ:HASH as python -m serving audit export printed it")
    return Head(int(seq), hashed.lower())


def _line(verdict: Verdict, kept: bool) -> str:
    redacted = f", {verdict.redacted:,} of them redacted" if verdict.redacted else ""
    beside = (
        "" if kept or not verdict.rows else "; the home keeps no head, so that deleted newest rows would not be found"
    )
    if verdict.intact:
        return f"audit log intact: {verdict.rows:,} rows{redacted}, head {verdict.head}{beside}"
    count = len(verdict.faults) + verdict.more_faults
    more = f"; and {verdict.more_faults:,} more" if verdict.more_faults else ""
    said = f"{count:,} faults" if count > 1 else "1 fault"
    return f"audit log NOT intact, {said} in {verdict.rows:,} rows{redacted}: {'; '.join(verdict.faults)}{more}"


def _as_json(verdict: Verdict, kept: bool) -> dict[str, Any]:
    return {
        "intact": verdict.intact,
        "rows": verdict.rows,
        "redacted": verdict.redacted,
        "head": str(verdict.head),
        "home_keeps_head": kept,
        "faults": verdict.faults,
        "more_faults": verdict.more_faults,
        "losses": verdict.losses,
    }


def _tell_waiting(home: Path) -> None:
    from models import audit_spool

    waiting = sum(1 for _ in audit_spool.waiting(home))
    if waiting:
        typer.echo(
            f"{waiting:,} events wait in the home and are not in the log yet: python -m serving sync, the API or the worker take them in",
            err=True,
        )


def _open() -> tuple[Store, Path]:
    from serving.settings import ServingSettings
    from serving.store.connect import open_store

    settings = ServingSettings.from_env()
    store = open_store(settings.base.store_url)
    store.require_revision()
    return store, settings.base.home
