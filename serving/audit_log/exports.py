"""The two rows of an export: one before anything leaves, one that says how it ended.

So a process that is killed has its row too, and a row never claims what did not happen: `state` is `begun`, then `done` or
`failed`. Both have the same `export`; one that is begun and nothing more was killed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import typer

from features.kit.clock import system_us
from serving.audit_log.entry import Entry, Who
from serving.audit_log.service import append_or_spool
from serving.settings import ServingSettings

Leave = Callable[[Entry], str | None]
"""Leaves a row in the log, and returns why it could not; None when it could."""


@dataclass(frozen=True)
class Export:
    """One export: who takes what where to."""

    who: Who
    what: str
    """star, call list, list, audit log or store."""
    of: str | None
    """The model, where it is of one."""
    about: Mapping[str, Any]
    """Where to, or which rows."""
    number: str = field(default_factory=lambda: secrets.token_hex(4))

    def begun(self) -> Entry:
        return self._entry("begun")

    def done(self, **told: Any) -> Entry:
        """`told`: how much it was."""
        return self._entry("done", **told)

    def failed(self, why: str, **told: Any) -> Entry:
        return self._entry("failed", why=why, **told)

    def _entry(self, state: str, **told: Any) -> Entry:
        return Entry(
            self.who, "export", self.what, self.of, None, {**self.about, "export": self.number, "state": state, **told}
        )


@contextmanager
def logged(leave: Leave, export: Export) -> Iterator[dict[str, Any]]:
    """Both rows of an export by a command. What is put into the dict that it gives is told at the end. Where the log
    cannot be written the command says so and goes on.
    """
    missing = leave(export.begun())
    if missing is not None:
        typer.echo(f"this {_NAMES.get(export.what, 'export')} is not in the audit log: {missing}", err=True)
    told: dict[str, Any] = {}
    try:
        yield told
    except BaseException as error:
        _end(leave, export.failed(why_of(error)), missing)
        raise
    _end(leave, export.done(**told), missing)


def into_log(settings: ServingSettings) -> Leave:
    """For what needs no store of its own: where there is none, or it is away, the row waits in the home."""
    return lambda entry: append_or_spool(settings, entry, system_us())


def why_of(error: BaseException) -> str:
    """The kind of a failure. Its message may quote a place with a password, or a row."""
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    return type(error).__name__


_NAMES = {"store": "backup"}


def _end(leave: Leave, entry: Entry, missing: str | None) -> None:
    why = leave(entry) if missing is None else None
    if why is not None:
        typer.echo(f"how this export ended is not in the audit log: {why}", err=True)
