"""Reads a connection's secrets from the environment and from files. No message repeats a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from features.kit.errors import Fault
from serving.vendors.inbound import Form

MIN_TOKEN_CHARACTERS = 16
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
Found = Iterator[str | Fault]


def from_environment(names: Sequence[str], env: Mapping[str, str], form: Form, file: Path) -> Found:
    """For each variable its secret or its fault."""
    for name in names:
        secret = env.get(name, "")
        if form.pattern.fullmatch(secret):
            yield secret
            continue
        # The name may be a secret that was pasted by mistake, so it is not repeated.
        shown = name if _VARIABLE.fullmatch(name) else "(a name that is none)"
        step = "set it to the CRM app's client secret and start the API anew"
        yield Fault(where=f"{file}, environment variable {shown}", found=_state(secret), rule=form.rule, next_step=step)


def from_files(names: Sequence[str], form: Form, file: Path) -> Found:
    """For each file its secret or its fault. A relative path is beside the connection's file. A file that other users
    may read is a fault. Paths are not repeated, because a secret may have been pasted there."""
    for number, name in enumerate(names, 1):
        where = f"{file}, key secret_files, file {number}"
        path = file.parent / name
        try:
            open_to = path.stat().st_mode & 0o007
            secret = path.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:  # ValueError: no text, or a NUL in the name
            said = error.strerror if isinstance(error, OSError) else "is not text"
            yield Fault(
                where=where, found=str(said), rule="a file with the CRM app's client secret", next_step="write it there"
            )
            continue
        if open_to:
            yield Fault(
                where=where, found="any user may read it", rule="a secret is its owner's", next_step=f"chmod o= {path}"
            )
        elif not form.pattern.fullmatch(secret):
            yield Fault(
                where=where, found=_state(secret), rule=form.rule, next_step="write the CRM app's client secret"
            )
        else:
            yield secret


def _state(secret: str) -> str:
    return f"has {len(secret)} characters" if secret else "is not set"


def token_of(name: object, env: Mapping[str, str], file: Path) -> tuple[str, list[Fault], list[Fault]]:
    """The write-back token (empty when it has a fault), the faults of the file, and those of the environment."""
    if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
        rule = "the name of the environment variable that holds the token, never the token itself"
        step = 'write token_env = "HUBSPOT_TOKEN"'
        return (
            "",
            [Fault(where=f"{file}, [writeback], key token_env", found=type(name).__name__, rule=rule, next_step=step)],
            [],
        )
    token = env.get(name, "")
    if len(token) < MIN_TOKEN_CHARACTERS or not token.isascii() or not token.isprintable():
        rule = f"a token has at least {MIN_TOKEN_CHARACTERS} characters, all printable ASCII"
        where = f"{file}, environment variable {name}"
        return (
            "",
            [],
            [Fault(where=where, found=_state(token), rule=rule, next_step="set it and start the worker anew")],
        )
    return token, [], []
