"""What one row of the audit log says: who did what, on what, before and after.

The words for actions stand here and nowhere else.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from features.kit.os_user import os_user

ACTIONS = {
    "sign_in": "somebody signed in",
    "sign_in_refused": "somebody could not sign in",
    "override": "a person's judgement was put beside a score",
    "override_withdrawn": "it was taken away",
    "action": "somebody said that they acted upon an account or a lead",
    "outcome": "somebody said how it turned out",
    "replay": "a decision record was scored again, or dead letters were put back into the queue",
    "promotion": "a version of a model was put live",
    "rollback": "the version before it was put live again",
    "key_created": "an API key was made",
    "key_revoked": "an API key was ended",
    "erasure": "an account, a lead or a contact was erased",
    "erasure_taken_back": "the mark of an erasure was taken away",
    "objection": "an account or a lead is not to be scored",
    "objection_taken_back": "it may be scored again",
    "export": "scores, or this log, were written elsewhere",
    "retention": "old records were deleted",
    "restore": "a backup was put in the place of the store",
    "loss_accepted": "a person goes on with a log that lost its end",
}
"""Every action, and what happened."""
NEVER_REDACTED = frozenset({"erasure", "retention", "restore", "loss_accepted"})
"""Their details hold nothing of a person, and say what is missing from the log and why: they are kept for good."""
PEOPLE = ("account", "lead", "contact")
"""Kinds of objects that can be erased: their rows are found again by the hash of the id."""
SIGNED_IN = frozenset({"key", "person"})
"""Kinds of actors whose name was proven."""
SECRETS = frozenset({"hash", "secret", "token", "password", "pepper", "cookie"})
"""Names that no part of the details may have."""


class Who(Protocol):
    """The actor, as `serving.gateway.actor.Actor` has it. A protocol, so that this room imports nothing of the gateway."""

    @property
    def kind(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


@dataclass(frozen=True)
class Command:
    """A command or the worker, and the user of the operating system that runs it."""

    id: str
    """The command, such as `keys create`."""
    name: str
    kind: str = "system"


def command(name: str) -> Command:
    """The actor of a command."""
    return Command(name, _user())


@functools.cache
def _user() -> str:
    return os_user()


@dataclass(frozen=True)
class Entry:
    """One thing that was done."""

    actor: Who
    action: str
    """One of `ACTIONS`."""
    object_kind: str
    """`account`, `lead`, `contact`, `model`, `key`, `store` and so on. Not personal: it stays for good."""
    object_id: str | None
    """Of an account, a lead or a contact the id: it goes with its erasure."""
    before: Mapping[str, Any] | None = None
    """What was there, as JSON: no secrets."""
    after: Mapping[str, Any] | None = None
    """What is there now, as JSON: no secrets."""

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"{self.action!r} is not an action of the audit log: one of {', '.join(ACTIONS)}")
        told = SECRETS & {*(self.before or ()), *(self.after or ())}
        if told:
            raise ValueError(f"the audit log takes no {', '.join(sorted(told))}")
