"""The `[writeback]` table of a connection: which parts of a score are written where. Off by default.

[writeback]
mode = "on"                           # off (default), dry-run (queued and shown, never sent) or on
token_env = "HUBSPOT_TOKEN"           # environment variable with the token, or the secret (of client_id, of standard-webhooks)
client_id = "3MVG9..."                # salesforce, dynamics: log in as this application; else the token is an access token
token_url = "https://login..."        # where it logs in (dynamics; salesforce does at its own url)
minimum_change = 3                    # points of the score, 1 to 100, that are worth a write (default 3)
hysteresis = 3                        # points below its threshold at which a band is left (default 3)
requests_per_second = 10.0            # default 10
url = "https://api.hubapi.com"        # the CRM's address (salesforce, dynamics: the organisation's own), or the callback's
allow_networks = ["10.0.0.0/8"]       # private addresses that a callback may reach (default none)
ca_file = "/etc/ssl/our-ca.pem"       # certificates to trust beside the usual ones (optional)

[writeback.models.lead-fit]
object = "contact"                    # the object that gets this model's score
score = "fit_score"                   # property for each of: score, band, probability, reasons, scored_at, version
band = "fit_band"
external_id = "Accountscore_Id__c"    # salesforce: find the record by this field, which holds our key, not by its id (optional)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, PlainValidator, ValidationInfo, field_validator

from features.kit.errors import Fault
from models.catalog import MODELS, get_model
from serving.connections.faults import TomlTable, fail, place_of, says
from serving.vendors.destination import Target, WriteBack
from serving.vendors.outbound import Outbound
from serving.vendors.registry import VENDORS

FIELDS = ("score", "band", "probability", "reasons", "scored_at", "version")
ENTITY_TABLE = {"account": "accounts", "lead": "leads"}
LOCAL = ("127.0.0.1", "localhost", "::1")
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")]


def _property(part: str) -> Any:
    return says("the name of a property", f'write {part} = "fit_{part}"')


def senders() -> dict[str, type[Outbound]]:
    """Vendors that scores can be sent to."""
    return {name: vendor.outbound for name, vendor in VENDORS.items() if vendor.outbound is not None}


def split_url(url: Any) -> SplitResult | None:
    """The parts of an address; None for an invalid one."""
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        good = parts is not None and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    return parts if good else None


def _outbound(info: ValidationInfo) -> type[Outbound]:
    outbound: type[Outbound] = info.context["outbound"]  # type: ignore[index]
    return outbound


def _address(url: Any, loopback_http: bool, key: str) -> str:
    parts = split_url(url)
    if (
        parts is None
        or parts.fragment
        or parts.username
        or parts.password
        or not (parts.scheme == "https" or (loopback_http and parts.scheme == "http" and parts.hostname in LOCAL))
    ):
        # It may hold a password, so it is not repeated.
        fail(
            "none" if url is None else "is none",
            "an https:// address without a user in it",
            f'write {key} = "https://..."',
        )
    return str(url).rstrip("/")


def _url(value: Any, info: ValidationInfo) -> str:
    given = info.context["writeback"].get("url")  # type: ignore[index]
    outbound = _outbound(info)
    return _address(outbound.default_url if given is None else given, outbound.loopback_http, "url")


def _client_id(value: Any, info: ValidationInfo) -> str | None:
    if value is None and "token_url" not in info.context["writeback"]:  # type: ignore[index]
        return None
    if _outbound(info).login_path is None:
        known = [name for name, each in senders().items() if each.login_path is not None]
        fail(f"is there for {info.context['vendor']}", f"only for {', '.join(known)}", "remove it")  # type: ignore[index]
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value:
        fail(repr(value), "the id of the application", "copy it from the CRM")
    return value


def _token_url(value: Any, info: ValidationInfo) -> str | None:
    # Without a valid client id only that fault is reported.
    if not info.data.get("client_id") or (value is None and _outbound(info).login_path):
        return None
    return _address(value, True, "token_url")


def _networks(found: Any) -> tuple[str, ...]:
    try:
        if not isinstance(found, list):
            raise ValueError
        return tuple(str(ipaddress.ip_network(each)) for each in found)
    except ValueError:
        fail(repr(found), "a list of networks", 'write ["10.0.0.0/8"]')


def _file(value: Any) -> Path:
    try:
        if isinstance(value, str) and Path(value).is_file():
            return Path(value)
    except ValueError:  # a NUL in it
        pass
    fail(repr(value), "a file of certificates", "mend the path")


class ModelTable(TomlTable):
    """`[writeback.models.NAME]`: the object and the properties that get one model's score."""

    object: Any = None
    """Checked against the connection's objects by `faults_across`."""
    score: Annotated[Name | None, _property("score")] = None
    band: Annotated[Name | None, _property("band")] = None
    probability: Annotated[Name | None, _property("probability")] = None
    reasons: Annotated[Name | None, _property("reasons")] = None
    scored_at: Annotated[Name | None, _property("scored_at")] = None
    version: Annotated[Name | None, _property("version")] = None
    external_id: Annotated[Name | None, _property("external_id")] = None

    @field_validator("external_id", mode="before")
    @classmethod
    def _where_there_is_one(cls, value: Any, info: ValidationInfo) -> Any:
        if not _outbound(info).finds_by_external_id:
            fail("no such key", f"one of {', '.join(('object', *FIELDS))}", "mend its name")
        return value

    def target(self) -> Target:
        given = {part: getattr(self, part) for part in FIELDS}
        return Target(str(self.object), {part: to for part, to in given.items() if to is not None}, self.external_id)


class WriteBackTable(TomlTable):
    """`[writeback]`: its keys stand at the head of this module. Its validation context has `outbound` (the vendor's
    class), `vendor` (its name) and `writeback` (the raw table)."""

    mode: Annotated[Literal["off", "dry-run", "on"], says("off, dry-run or on", 'write mode = "dry-run"')] = "off"
    token_env: Any = None
    """Read by `serving.connections.secrets`."""
    client_id: Annotated[str | None, PlainValidator(_client_id)] = Field(None, validate_default=True)
    token_url: Annotated[str | None, PlainValidator(_token_url)] = Field(None, validate_default=True)
    minimum_change: Annotated[
        int, Field(ge=1, le=100), says("a whole number from 1 to 100", "write minimum_change = 3")
    ] = 3
    hysteresis: Annotated[int, Field(ge=0, le=50), says("a whole number from 0 to 50", "write hysteresis = 3")] = 3
    requests_per_second: Annotated[
        float, Field(ge=0.01, le=1000), says("a number from 0.01 to 1000", "write requests_per_second = 10.0")
    ] = 10.0
    url: Annotated[str, PlainValidator(_url)] = Field("", validate_default=True)
    allow_networks: Annotated[tuple[str, ...], PlainValidator(_networks)] = ()
    ca_file: Annotated[Path | None, PlainValidator(_file)] = None
    models: Annotated[
        dict[str, ModelTable] | None,
        Field(validate_default=True),
    ] = None

    @field_validator("models", mode="before")
    @classmethod
    def _some(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not value:
            fail("is missing or empty", "says which model is written where", "write [writeback.models.lead-fit]")
        return value

    def write_back(self, outbound: type[Outbound], token: str) -> WriteBack:
        token_url = self.token_url or ""
        if self.client_id and not token_url:
            token_url = f"{self.url}{outbound.login_path}"
        return WriteBack(
            self.mode,
            {name: table.target() for name, table in (self.models or {}).items()},
            self.minimum_change,
            self.hysteresis,
            self.requests_per_second,
            self.url,
            token,
            self.allow_networks,
            self.ca_file,
            self.client_id or "",
            token_url,
        )


def faults_across(content: Mapping[str, Any], outbound: type[Outbound], file: str) -> Iterator[Fault]:
    """Faults between `[writeback.models]` and the rest of the file: unknown models, objects of another table, no
    property."""
    objects, written = content.get("objects"), content.get("writeback")
    found = written.get("models") if isinstance(written, dict) else None
    for name, described in found.items() if isinstance(found, dict) else ():
        where = f"{file}, {place_of(('writeback', 'models', name))}"
        if name not in MODELS:
            yield Fault(
                where=where, found="no such model", rule=f"one of {', '.join(MODELS)}", next_step="mend its name"
            )
        elif isinstance(described, dict):
            table = ENTITY_TABLE[get_model(name).entity]
            tables = objects.items() if isinstance(objects, dict) else ()
            choices = [key for key, each in tables if isinstance(each, dict) and each.get("table") == table]
            if described.get("object") not in choices:
                rule = f"an object of [objects] that is {table}: {', '.join(choices) or 'there is none'}"
                yield Fault(
                    where=f"{where}, key object",
                    found=repr(described.get("object")),
                    rule=rule,
                    next_step="write one of them",
                )
            if outbound.writes_properties and not any(part in described for part in FIELDS):
                yield Fault(
                    where=where,
                    found="names no property",
                    rule=f"one of {', '.join(FIELDS)}",
                    next_step='write score = "fit_score"',
                )
