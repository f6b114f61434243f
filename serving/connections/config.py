"""Connections: one TOML file per CRM account maps its objects and properties to our tables and columns.

    vendor = "hubspot"
    public_url = "https://scores.example.com"     # this service as the CRM reaches it, without /webhooks/...
    secret_envs = ["HUBSPOT_CLIENT_SECRET"]       # names of environment variables; two while a secret rotates
    secret_files = ["/run/secrets/hubspot"]       # or files that hold one each, and nobody else may read; beside this one when relative
    source = "sample"                             # the source whose rows the events change
    data = "var/sample"                           # what ${data} stands for (optional)
    settle_seconds = 1.0                          # changes to a record within this time are scored once (optional)
    portal_ids = [62515]                          # events of other portals are not wanted (optional)
    older_signatures = false                      # also take HubSpot's v1 and v2, which can be replayed (optional)
    organizations = ["00D30000000XxXx"]           # who may send, for vendors that sign nothing (dynamics, pipedrive, salesforce)

    [objects.contact]                             # a contact there is a lead here
    table = "leads"
    key = "{id}"                                  # our key, from the CRM's record id (optional)
    columns = { industry = "industry", jobtitle = "title", hs_lead_status = "status" }
    record_url = "https://app.hubspot.com/contacts/62515/record/0-1/{id}"   # where people see the record: the page links there (optional)

    [objects.contact.values.status]               # the CRM's word = ours (optional)
    OPEN = "open"
    UNQUALIFIED = "disqualified"

    [objects.contact.outcomes.lifecyclestage]     # a property's value that tells an outcome = won, lost or churned (optional)
    customer = "won"

An outcome is told as a note (`serving/notes`) of the record's lead (won, lost) or account (churned), at the time of the change;
a deal tells of the lead or account that it belongs to. Each change to such a value is a note of its own; one that was set by
mistake is withdrawn by `DELETE /v1/{entity}/{id}/outcome`. The property need not be in `columns`.

A property that is not in `columns` is stored sealed under its own name, and used where the source has a custom column
of that name. `[writeback]` says where scores are written: see `serving/connections/writeback.py`.

The file's name, without `.toml`, is the name in `/webhooks/{connection}`.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from features.kit.errors import BadInput, Fault, UserMistake
from serving.connections.file import ConnectionFile, read_file
from serving.connections.secrets import from_environment, from_files, token_of
from serving.vendors.destination import WriteBack
from serving.vendors.inbound import Inbound
from serving.vendors.registry import VENDORS

log = logging.getLogger("serving.connections")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True)
class Mapped:
    """Maps one kind of object in the CRM to one of our tables."""

    table: str
    key: str
    """Template of our key with `{id}` in it."""
    columns: Mapping[str, str]
    """Property to canonical column."""
    values: Mapping[str, Mapping[str, str]]
    """Canonical column to (the CRM's word to ours)."""
    outcomes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Property to (its value to won, lost or churned)."""
    record_url: str | None = None
    """Address of a record in the CRM, with `{id}` in its path, query or fragment."""

    def key_of(self, object_id: str) -> str:
        return self.key.replace("{id}", object_id)

    def id_of(self, key: str) -> str | None:
        """The CRM's record id in one of our keys; None for a key that does not fit the template.

        >>> mapped = Mapped("leads", "lead_{id}", {}, {})
        >>> mapped.id_of("lead_7"), mapped.id_of("x7"), mapped.id_of("lead_")
        ('7', None, None)
        """
        before, _, after = self.key.partition("{id}")
        if not (key.startswith(before) and key.endswith(after) and len(key) > len(before) + len(after)):
            return None
        return key[len(before) : len(key) - len(after)]


@dataclass(frozen=True)
class ConnectionConfig:
    """One CRM account. Its secrets are read from the environment at start and never printed."""

    name: str
    vendor: str
    public_url: str
    source: str
    data: Path | None
    objects: Mapping[str, Mapped]
    secrets: tuple[str, ...] = field(repr=False, default=())
    settle_seconds: float = 1.0
    portal_ids: frozenset[int] = frozenset()
    writeback: WriteBack = field(default_factory=WriteBack)
    older_signatures: bool = False
    organizations: tuple[str, ...] = ()
    """The organisations that may send, for vendors whose events name theirs. Empty for all other vendors."""

    @property
    def inbound(self) -> Inbound:
        """The vendor's webhooks. Only for a connection that receives some."""
        found = VENDORS[self.vendor].inbound
        assert found is not None
        return found


Faults = Mapping[str, Sequence[Fault]]
"""By the connection's name."""


@dataclass(frozen=True)
class Connections:
    """The connections of a folder, and the faults of each. A connection with a fault is off; the others are not
    affected."""

    mapped: Mapping[str, ConnectionConfig]
    """Those whose file has no fault, whether or not their secrets are set."""
    unread: Faults
    """Files with a fault: only the connection's name is known."""
    unsigned: Faults
    """Connections whose webhook secrets are not set: webhooks are refused."""
    silent: Faults
    """Connections whose write-back token is not set: scores are queued and not written."""

    @property
    def receiving(self) -> dict[str, ConnectionConfig]:
        """Those whose webhooks are accepted: the vendor sends some, and their secrets are set."""
        return {
            name: config
            for name, config in self.mapped.items()
            if name not in self.unsigned and VENDORS[config.vendor].inbound is not None
        }

    def off(self, *kinds: Faults) -> dict[str, list[Fault]]:
        """Faults by connection: those of the files first, then those of `kinds`."""
        found: dict[str, list[Fault]] = {}
        for kind in (self.unread, *kinds):
            for name, faults in kind.items():
                found.setdefault(name, []).extend(faults)
        return found


def tell(off: Faults, what: str = "connection.off") -> None:
    """Log one line for each fault."""
    for name, faults in off.items():
        for fault in faults:
            log.error("%s connection=%s why=%s", what, name, fault)


def one_of(found: Connections, name: str) -> ConnectionConfig:
    """The connection of that name. Raises `BadInput` with its faults, `UserMistake` when there is none."""
    if name in found.unread:
        raise BadInput(f"connection {name}", found.unread[name])
    if name not in found.mapped:
        names = ", ".join(sorted({*found.mapped, *found.unread})) or "(there is none)"
        raise UserMistake(f"no connection {name!r}: one of {names}")
    return found.mapped[name]


def load_connections(
    folder: Path,
    environ: Mapping[str, str] | None = None,
    *,
    secrets_needed: bool = True,
    tokens_needed: bool = False,
) -> dict[str, ConnectionConfig]:
    """Every connection of a folder, by name; none when there is no folder. Raises `BadInput` with all faults of all
    files."""
    found = read_connections(folder, environ)
    kinds = ([found.unsigned] if secrets_needed else []) + ([found.silent] if tokens_needed else [])
    faults = [fault for of_one in found.off(*kinds).values() for fault in of_one]
    if faults:
        raise BadInput("connections", faults)
    return {name: config if secrets_needed else replace(config, secrets=()) for name, config in found.mapped.items()}


def read_connections(folder: Path, environ: Mapping[str, str] | None = None) -> Connections:
    """The connections of a folder, none when there is no folder, and the faults of each."""
    env = os.environ if environ is None else environ
    mapped: dict[str, ConnectionConfig] = {}
    unread: dict[str, list[Fault]] = {}
    unsigned: dict[str, list[Fault]] = {}
    silent: dict[str, list[Fault]] = {}
    for path in sorted(folder.glob("*.toml")) if folder.is_dir() else []:
        try:
            if path.exists() and not (
                path.is_file() or path.is_dir()
            ):  # reading a pipe would block, and a device has no end
                raise OSError(errno.EINVAL, "it is not a file")
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            unread[path.stem] = [
                Fault(
                    where=str(path),
                    found=str(error),
                    rule="a connection is a TOML file in UTF-8",
                    next_step="mend the line",
                )
            ]
            continue
        except RecursionError:
            why = "its lists or tables are nested too deeply"
            unread[path.stem] = [
                Fault(
                    where=str(path), found=why, rule="a connection is a TOML file in UTF-8", next_step="mend the line"
                )
            ]
            continue
        except OSError as error:  # a folder of that name, a link to nothing, a file of somebody else
            why = f"it cannot be read ({error.strerror})"
            unread[path.stem] = [
                Fault(
                    where=str(path),
                    found=why,
                    rule="a connection is a TOML file in UTF-8",
                    next_step="put the file there or remove it",
                )
            ]
            continue
        found = _read(path, content, env)
        for faults, kind in ((found.faults, unread), (found.unsigned, unsigned), (found.silent, silent)):
            if faults:
                kind[path.stem] = faults
        if found.connection is not None:
            mapped[path.stem] = found.connection
    return Connections(mapped, unread, unsigned, silent)


@dataclass
class _Found:
    """The connection of one file, and the faults of the file and of its secrets."""

    connection: ConnectionConfig | None = None
    faults: list[Fault] = field(default_factory=list)
    unsigned: list[Fault] = field(default_factory=list)
    silent: list[Fault] = field(default_factory=list)


def _read(path: Path, content: dict[str, Any], env: Mapping[str, str]) -> _Found:
    read, faults = read_file(path, content)
    found = _Found(faults=faults)
    if not NAME.fullmatch(path.stem):
        rule = "lower case letters, digits, - and _"
        found.faults.insert(
            0, Fault(where=f"{path}, name of the file", found=repr(path.stem), rule=rule, next_step="rename it")
        )
    vendor = VENDORS.get(str(content.get("vendor")))
    login = ""
    written = content.get("writeback")
    if vendor and vendor.outbound and isinstance(written, dict) and written.get("mode") == "on":
        login, wrong, found.silent = token_of(written.get("token_env"), env, path)
        found.faults += wrong
    secrets = list(_secrets(path, content, env))
    found.unsigned = [each for each in secrets if isinstance(each, Fault)]
    if read is not None and not found.faults:
        known = () if found.unsigned else tuple(each for each in secrets if isinstance(each, str))
        found.connection = _connection(path.stem, read, known, login)
    return found


def _secrets(path: Path, content: Mapping[str, Any], env: Mapping[str, str]) -> Iterator[str | Fault]:
    """The secrets that the CRM signs with, or their faults. They are checked even if the file has other faults, so that
    all are reported at once."""
    vendor = VENDORS.get(str(content.get("vendor")))
    if vendor is not None and vendor.inbound is None:
        return
    form = vendor.inbound.secret if vendor and vendor.inbound else Inbound.secret
    names = content.get("secret_envs", content.get("secret_env"))
    names = [names] if isinstance(names, str) else names
    files = content.get("secret_files")
    if isinstance(names, list) and all(isinstance(name, str) and name for name in names):
        yield from from_environment(names, env, form, path)
    if isinstance(files, list) and all(isinstance(name, str) and name for name in files):
        yield from from_files(files, form, path)


def _connection(name: str, read: ConnectionFile, secrets: tuple[str, ...], token: str) -> ConnectionConfig:
    outbound = VENDORS[read.vendor].outbound
    written = read.writeback.write_back(outbound, token) if read.writeback and outbound else WriteBack()
    objects = {
        each: Mapped(o.table, o.key, o.columns, o.values, o.outcomes, o.record_url) for each, o in read.objects.items()
    }
    return ConnectionConfig(
        name,
        read.vendor,
        read.public_url,
        read.source,
        Path(read.data) if read.data else None,
        objects,
        secrets,
        read.settle_seconds,
        frozenset(read.portal_ids),
        written,
        read.older_signatures,
        read.organizations,
    )
