"""Connections: one TOML file per CRM account says how its objects and properties are our tables and columns.

    vendor = "hubspot"
    public_url = "https://scores.example.com"     # this service as the CRM reaches it, without /webhooks/...
    secret_envs = ["HUBSPOT_CLIENT_SECRET"]       # names of environment variables; two while a secret rotates
    secret_files = ["/run/secrets/hubspot"]       # or files that hold one each, and nobody else may read; beside this one when relative
    source = "sample"                             # the source whose rows the events change
    data = "var/sample"                           # what ${data} stands for (optional)
    settle_seconds = 1.0                          # changes to a record within this time are scored once (optional)
    portal_ids = [62515]                          # events of other portals are not wanted (optional)
    older_signatures = false                      # also take HubSpot's v1 and v2, which can be replayed (optional)
    organizations = ["00D30000000XxXx"]           # who may send, for vendors that sign nothing (salesforce)

    [objects.contact]                             # a contact there is a lead here
    table = "leads"
    key = "{id}"                                  # our key, from the CRM's record id (optional)
    columns = { industry = "industry", jobtitle = "title", hs_lead_status = "status" }

    [objects.contact.values.status]               # the CRM's word = ours (optional)
    OPEN = "open"
    UNQUALIFIED = "disqualified"

A property that is not in `columns` is kept under its own name as custom; it is a signal where the source has a custom column
of that name. Where scores are written is said in `[writeback]`, see `serving/connections/writeback.py`.

The file's name, without `.toml`, is the name in `/webhooks/{connection}`.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from features.kit.errors import BadInput, Fault, UserMistake
from features.sources.schema import TABLES
from serving.connections.writeback import read_writeback
from serving.vendors.inbound import Inbound
from serving.vendors.outbound import WriteBack
from serving.vendors.registry import VENDORS

log = logging.getLogger("serving.connections")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
MIN_SECRET_CHARACTERS = 16
_KEYS = (
    "vendor",
    "public_url",
    "secret_env",
    "secret_envs",
    "secret_files",
    "source",
    "data",
    "settle_seconds",
    "portal_ids",
    "older_signatures",
    "organizations",
    "objects",
    "writeback",
)
_OBJECT_KEYS = ("table", "key", "columns", "values")


@dataclass(frozen=True)
class Mapped:
    """How one kind of object in the CRM is a row of ours."""

    table: str
    key: str
    """Template of our key with `{id}` in it."""
    columns: Mapping[str, str]
    """Property to canonical column."""
    values: Mapping[str, Mapping[str, str]]
    """Canonical column to (the CRM's word to ours)."""

    def key_of(self, object_id: str) -> str:
        return self.key.replace("{id}", object_id)

    def id_of(self, key: str) -> str | None:
        """The CRM's record id of a key of ours; None for a key that is not of the template.

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
    """Of a vendor whose events name the organisation that sends: those that may."""

    @property
    def inbound(self) -> Inbound:
        """Of a connection that is receiving."""
        found = VENDORS[self.vendor].inbound
        assert found is not None
        return found


Faults = Mapping[str, Sequence[Fault]]
"""By the connection's name."""


@dataclass(frozen=True)
class Connections:
    """The connections of a folder, and what is wrong with each: one that has a fault is off, and the others are not."""

    mapped: Mapping[str, ConnectionConfig]
    """Those whose file has no fault, whether or not their secrets are set."""
    unread: Faults
    """Files with a fault: nothing is known of the connection but its name."""
    unsigned: Faults
    """Secrets that CRMs sign with and that are not set: webhooks are not taken."""
    silent: Faults
    """Tokens that are not set: scores are queued and not written."""

    @property
    def receiving(self) -> dict[str, ConnectionConfig]:
        """Those whose webhooks are taken."""
        return {name: config for name, config in self.mapped.items() if name not in self.unsigned}

    def off(self, *kinds: Faults) -> dict[str, list[Fault]]:
        """The faults of some kinds by name, those of files first."""
        found: dict[str, list[Fault]] = {}
        for kind in (self.unread, *kinds):
            for name, faults in kind.items():
                found.setdefault(name, []).extend(faults)
        return found


def tell(off: Faults, what: str = "connection.off") -> None:
    """One line in the log for each fault."""
    for name, faults in off.items():
        for fault in faults:
            log.error("%s connection=%s why=%s", what, name, fault)


def one_of(found: Connections, name: str) -> ConnectionConfig:
    """The connection of a name. Raises `BadInput` with its faults, `UserMistake` when there is none."""
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
    """Every connection of a folder, by name; none when there is no folder. Raises `BadInput` with all faults of all files at once."""
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
            ):  # a pipe would be waited for, and a device has no end
                raise OSError(errno.EINVAL, "it is no file")
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            unread[path.stem] = [Fault(str(path), str(error), "a connection is a TOML file in UTF-8", "mend the line")]
            continue
        except RecursionError:
            why = "its lists or tables are nested too deeply"
            unread[path.stem] = [Fault(str(path), why, "a connection is a TOML file in UTF-8", "mend the line")]
            continue
        except OSError as error:  # a folder of that name, a link to nothing, a file of somebody else
            why = f"it cannot be read ({error.strerror})"
            unread[path.stem] = [
                Fault(str(path), why, "a connection is a TOML file in UTF-8", "put the file there or remove it")
            ]
            continue
        reader = _Reader(path, content, env)
        connection = reader.read()
        for faults, kind in ((reader.faults, unread), (reader.unsigned, unsigned), (reader.silent, silent)):
            if faults:
                kind[path.stem] = faults
        if connection is not None:
            mapped[connection.name] = connection
    return Connections(mapped, unread, unsigned, silent)


class _Reader:
    """Reads one file and collects what is wrong with it."""

    def __init__(self, path: Path, content: dict[str, Any], env: Mapping[str, str]) -> None:
        self.path, self.content, self.env = path, content, env
        self.faults: list[Fault] = []
        self.unsigned: list[Fault] = []
        self.silent: list[Fault] = []

    def read(self) -> ConnectionConfig | None:
        content = self.content
        if not NAME.fullmatch(self.path.stem):
            self._fault("name of the file", repr(self.path.stem), "lower case letters, digits, - and _", "rename it")
        for key in content.keys() - set(_KEYS):
            self._fault(f"key {key}", "no such key", f"one of {', '.join(_KEYS)}", "remove it or mend its name")
        vendor = content.get("vendor")
        if vendor not in VENDORS:
            self._fault("key vendor", repr(vendor), f"one of {', '.join(VENDORS)}", "write one of them")
        source = content.get("source")
        if not isinstance(source, str) or not source:
            self._fault("key source", repr(source), "the name or the folder of a source", 'write source = "sample"')
        data = content.get("data")
        if data is not None and not isinstance(data, str):
            self._fault("key data", repr(data), "a folder, as text", "put it in quotes")
        settle = content.get("settle_seconds", 1.0)
        if isinstance(settle, bool) or not isinstance(settle, (int, float)) or not 0 <= settle <= 3600:
            self._fault("key settle_seconds", repr(settle), "a number of seconds from 0 to 3600", "write 1.0")
        portals = content.get("portal_ids", [])
        if not isinstance(portals, list) or not all(type(p) is int for p in portals):
            self._fault("key portal_ids", repr(portals), "a list of whole numbers", "write portal_ids = [62515]")
        older = content.get("older_signatures", False)
        if not isinstance(older, bool):
            self._fault("key older_signatures", repr(older), "true or false", "write older_signatures = false")
        organizations = self._organizations(str(vendor))
        url, secrets, objects = self._public_url(), self._secrets(), self._objects(str(vendor))
        tables = {name: mapped.table for name, mapped in objects.items()}
        writeback = read_writeback(
            content.get("writeback"),
            str(vendor),
            tables,
            self.env,
            self._fault,
            self._no_token,
        )
        if self.faults:
            return None
        return ConnectionConfig(
            self.path.stem, str(vendor), url, str(source), Path(data) if data else None, objects, secrets,
            float(settle), frozenset(portals), writeback, bool(older), organizations,
        )  # fmt: skip

    def _public_url(self) -> str:
        url = self.content.get("public_url")
        parts = urlsplit(url) if isinstance(url, str) else None
        if parts is None or parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            rule = "the address of this service as the CRM calls it, with https:// and without /webhooks/..."
            self._fault("key public_url", repr(url), rule, 'write public_url = "https://scores.example.com"')
            return ""
        return str(url).rstrip("/")

    def _secrets(self) -> tuple[str, ...]:
        names = self.content.get("secret_envs", self.content.get("secret_env"))
        names = [names] if isinstance(names, str) else names
        files = self._secret_files()
        if names is None and self.content.get("secret_files"):
            return () if self.unsigned else files
        if not isinstance(names, list) or not names or not all(isinstance(n, str) and n for n in names):
            rule = "names of the environment variables that hold the CRM's client secret, never the secret itself"
            self._fault("key secret_envs", type(names).__name__, rule, 'write secret_envs = ["HUBSPOT_CLIENT_SECRET"]')
            return ()
        secrets = []
        for name in names:
            secret = self.env.get(name, "")
            if len(secret) < MIN_SECRET_CHARACTERS:
                state = "is not set" if not secret else f"has {len(secret)} characters"
                rule = f"a secret has at least {MIN_SECRET_CHARACTERS}"
                # A secret that was pasted in the place of its variable's name is not repeated.
                shown = name if re.fullmatch(r"[A-Z][A-Z0-9_]*", name) else "(a name that is none)"
                step = "set it to the CRM app's client secret and start the API anew"
                self._fault(f"environment variable {shown}", state, rule, step, into=self.unsigned)
            secrets.append(secret)
        return () if self.unsigned else (*secrets, *files)

    def _secret_files(self) -> tuple[str, ...]:
        """The secrets that lie in files, each read when it is needed; one that others may read is refused."""
        names = self.content.get("secret_files", [])
        if not isinstance(names, list) or not all(isinstance(n, str) and n for n in names):
            rule = "paths of files that hold one secret each"
            self._fault("key secret_files", type(names).__name__, rule, 'write secret_files = ["/run/secrets/hubspot"]')
            return ()
        found = []
        for number, name in enumerate(names, 1):
            path, where = (
                self.path.parent / name,
                f"key secret_files, file {number}",
            )  # a secret pasted here is not repeated
            try:
                open_to = path.stat().st_mode & 0o007
                secret = path.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                said = error.strerror if isinstance(error, OSError) else "is no text"
                self._fault(
                    where, str(said), "a file with the CRM app's client secret", "write it there", into=self.unsigned
                )
                continue
            if open_to:
                self._fault(
                    where, "any user may read it", "a secret is its owner's", f"chmod o= {path}", into=self.unsigned
                )
            elif len(secret) < MIN_SECRET_CHARACTERS:
                rule = f"a secret has at least {MIN_SECRET_CHARACTERS}"
                self._fault(
                    where,
                    f"has {len(secret)} characters",
                    rule,
                    "write the CRM app's client secret",
                    into=self.unsigned,
                )
            found.append(secret)
        return tuple(found)

    def _organizations(self, vendor: str) -> tuple[str, ...]:
        found = self.content.get("organizations", [])
        inbound = VENDORS[vendor].inbound if vendor in VENDORS else None
        if inbound is None:
            return ()
        form = inbound.organization
        if form is None:
            if found:
                rule = "only for vendors that sign nothing"
                self._fault("key organizations", f"is there for {vendor}", rule, "remove it")
            return ()
        if not isinstance(found, list) or not found or not all(isinstance(o, str) and form.fullmatch(o) for o in found):
            rule = f"a list of the ids of the organisations that may send, each {form.pattern}"
            self._fault("key organizations", repr(found), rule, "copy the id from the organisation's settings")
            return ()
        return tuple(inbound.same(each) for each in found)

    def _objects(self, vendor: str) -> dict[str, Mapped]:
        objects = self.content.get("objects")
        if not isinstance(objects, dict) or not objects:
            rule = "says which objects of the CRM are which tables"
            self._fault("table [objects]", "is missing or empty", rule, "write [objects.contact] with table = ...")
            return {}
        inbound = VENDORS[vendor].inbound if vendor in VENDORS else None
        kinds = inbound.object_types if inbound else ()
        found = {}
        for name, described in objects.items():
            where = f"[objects.{name}]"
            if kinds and name not in kinds:
                self._fault(where, "no such object", f"one of {', '.join(kinds)}", "mend its name")
            if not isinstance(described, dict):
                self._fault(where, type(described).__name__, "a table", f"write [objects.{name}]")
                continue
            mapped = self._object(where, described)
            if mapped is not None:
                found[name] = mapped
        return found

    def _object(self, where: str, described: dict[str, Any]) -> Mapped | None:
        before = len(self.faults)
        for key in described.keys() - set(_OBJECT_KEYS):
            self._fault(f"{where}, key {key}", "no such key", f"one of {', '.join(_OBJECT_KEYS)}", "mend its name")
        states = [t.name for t in TABLES.values() if t.kind == "state"]
        name = described.get("table")
        if name not in states:
            self._fault(f"{where}, key table", repr(name), f"one of {', '.join(states)}", "write one of them")
            return None
        table = TABLES[str(name)]
        key = described.get("key", "{id}")
        if not isinstance(key, str) or key.count("{id}") != 1:
            self._fault(f"{where}, key key", repr(key), "a text with {id} in it once", 'write key = "{id}"')
        columns, values = described.get("columns", {}), described.get("values", {})
        changeable = [c.name for c in table.columns if c.name not in (table.key, "event_time")]
        if not isinstance(columns, dict):
            self._fault(f"{where}, key columns", type(columns).__name__, "property = column", "write a table")
            columns = {}
        for property_name, column in columns.items():
            if column not in changeable:
                place = f"{where}, columns.{property_name}"
                self._fault(place, repr(column), f"a column of {table.name}: {', '.join(changeable)}", "mend its name")
        if not isinstance(values, dict):
            self._fault(f"{where}, key values", type(values).__name__, "column = { theirs = ours }", "write a table")
            values = {}
        for column, words in values.items():
            right = isinstance(words, dict) and all(isinstance(w, str) for w in words.values())
            if column not in changeable or not right:
                rule = f"a column of {table.name} and a table of theirs = ours, both text"
                self._fault(f"{where}, values.{column}", "is none", rule, "mend it")
        if len(self.faults) > before:
            return None
        return Mapped(table.name, str(key), dict(columns), {c: dict(w) for c, w in values.items()})

    def _no_token(self, where: str, found: str, rule: str, next_step: str) -> None:
        self._fault(where, found, rule, next_step, into=self.silent)

    def _fault(self, where: str, found: str, rule: str, next_step: str, into: list[Fault] | None = None) -> None:
        (self.faults if into is None else into).append(Fault(f"{self.path}, {where}", found, rule, next_step))
