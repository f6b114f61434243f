"""The `[writeback]` table of a connection: what of a score is written where. Off until it is switched on.

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
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from models.catalog import MODELS, get_model
from serving.vendors.outbound import Outbound, Target, WriteBack
from serving.vendors.registry import VENDORS

FIELDS = ("score", "band", "probability", "reasons", "scored_at", "version")
ENTITY_TABLE = {"account": "accounts", "lead": "leads"}
LOCAL = ("127.0.0.1", "localhost", "::1")
MIN_TOKEN_CHARACTERS = 16
_KEYS = (
    "mode", "token_env", "minimum_change", "hysteresis", "requests_per_second", "url", "allow_networks", "ca_file", "models",
    "client_id", "token_url",
)  # fmt: skip


Fail = Callable[[str, str, str, str], None]


def read_writeback(
    content: Any, vendor: str, objects: Mapping[str, str], env: Mapping[str, str], fail: Fail, unset: Fail
) -> WriteBack:
    """The table as it is in the file; `objects` says which table each object is. Calls `fail(where, found, rule, next step)`
    for every fault and then returns something that nobody may use, and `unset` for a token that is not in the environment."""
    if content is None:
        return WriteBack()
    if not isinstance(content, dict):
        fail("[writeback]", type(content).__name__, "a table", "write [writeback]")
        return WriteBack()
    outbound = VENDORS[vendor].outbound if vendor in VENDORS else None
    if outbound is None:
        fail("[writeback]", f"is there for {vendor}", f"only for {', '.join(_senders())}", "remove it")
        return WriteBack()
    for key in content.keys() - set(_KEYS):
        fail(f"[writeback], key {key}", "no such key", f"one of {', '.join(_KEYS)}", "mend its name")
    mode = content.get("mode", "off")
    if mode not in ("off", "dry-run", "on"):
        fail("[writeback], key mode", repr(mode), "off, dry-run or on", 'write mode = "dry-run"')
        mode = "off"
    numbers = {}
    for name, lowest, highest, default in (
        ("minimum_change", 1, 100, 3), ("hysteresis", 0, 50, 3), ("requests_per_second", 0.01, 1000, 10.0),
    ):  # fmt: skip
        value = content.get(name, default)
        whole = isinstance(default, int) and type(value) is not int
        if isinstance(value, bool) or not isinstance(value, (int, float)) or whole or not lowest <= value <= highest:
            kind = "a whole number" if isinstance(default, int) else "a number"
            fail(
                f"[writeback], key {name}",
                repr(value),
                f"{kind} from {lowest} to {highest}",
                f"write {name} = {default}",
            )
            value = default
        numbers[name] = value
    ca_file = content.get("ca_file")
    if ca_file is not None and not (isinstance(ca_file, str) and Path(ca_file).is_file()):
        fail("[writeback], key ca_file", repr(ca_file), "a file of certificates", "mend the path")
        ca_file = None
    client_id, token_url = _login(content, vendor, outbound, fail)
    return WriteBack(
        mode, _models(content.get("models"), outbound, objects, fail), int(numbers["minimum_change"]), int(numbers["hysteresis"]),
        float(numbers["requests_per_second"]), _url(content.get("url", outbound.default_url), fail, outbound.loopback_http),
        _token(content.get("token_env"), env, fail, unset) if mode == "on" else "",
        _networks(content.get("allow_networks", []), fail), Path(ca_file) if ca_file else None,
        client_id, token_url,
    )  # fmt: skip


def _senders() -> dict[str, type[Outbound]]:
    return {name: vendor.outbound for name, vendor in VENDORS.items() if vendor.outbound is not None}


def _models(content: Any, outbound: type[Outbound], objects: Mapping[str, str], fail: Fail) -> dict[str, Target]:
    if not isinstance(content, dict) or not content:
        fail("[writeback], table models", "is missing or empty", "says which model is written where", "write [writeback.models.lead-fit]")  # fmt: skip
        return {}
    found = {}
    for name, described in content.items():
        where = f"[writeback.models.{name}]"
        if name not in MODELS:
            fail(where, "no such model", f"one of {', '.join(MODELS)}", "mend its name")
            continue
        if not isinstance(described, dict):
            fail(where, type(described).__name__, "a table", f"write {where}")
            continue
        table = ENTITY_TABLE[get_model(name).entity]
        choices = [o for o, t in objects.items() if t == table]
        if described.get("object") not in choices:
            rule = f"an object of [objects] that is {table}: {', '.join(choices) or 'there is none'}"
            fail(f"{where}, key object", repr(described.get("object")), rule, "write one of them")
        keys = ("object", *FIELDS, *(["external_id"] if outbound.finds_by_external_id else []))
        for key in described.keys() - set(keys):
            fail(f"{where}, key {key}", "no such key", f"one of {', '.join(keys)}", "mend its name")
        properties = {part: described[part] for part in FIELDS if part in described}
        external = described.get("external_id")
        for part, to in [*properties.items(), *([("external_id", external)] if external is not None else [])]:
            if not isinstance(to, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,99}", to):
                fail(f"{where}, key {part}", repr(to), "the name of a property", f'write {part} = "fit_{part}"')
        if not properties and outbound.writes_properties:
            fail(where, "names no property", f"one of {', '.join(FIELDS)}", 'write score = "fit_score"')
        found[str(name)] = Target(str(described.get("object")), properties, external)
    return found


def _url(url: Any, fail: Fail, plain_at_home: bool, key: str = "url") -> str:
    parts = urlsplit(url) if isinstance(url, str) else None
    try:
        host = parts.hostname if parts else None
        port_good = parts is not None and (parts.port is None or parts.port > 0)
    except ValueError:
        host, port_good = None, False
    local = host in LOCAL
    secure = parts is not None and (parts.scheme == "https" or (plain_at_home and parts.scheme == "http" and local))
    if parts is None or not secure or not host or not port_good or parts.fragment or parts.username or parts.password:
        fail(f"[writeback], key {key}", "none" if url is None else "is none", "an https:// address without a user in it", f'write {key} = "https://..."')  # fmt: skip
        return ""
    return str(url).rstrip("/")


def _login(content: dict[str, Any], vendor: str, outbound: type[Outbound], fail: Fail) -> tuple[str, str]:
    """Client id and address of the login; two empty texts where the token is sent as it is."""
    client_id, token_url = content.get("client_id"), content.get("token_url")
    if client_id is None and token_url is None:
        return "", ""
    path = outbound.login_path
    if path is None:
        known = [name for name, each in _senders().items() if each.login_path is not None]
        fail("[writeback], key client_id", f"is there for {vendor}", f"only for {', '.join(known)}", "remove it")
        return "", ""
    if not isinstance(client_id, str) or not client_id.isascii() or not client_id.isprintable() or not client_id:
        fail("[writeback], key client_id", repr(client_id), "the id of the application", "copy it from the CRM")
        return "", ""
    if token_url is None and path:
        return client_id, f"{str(content.get('url')).rstrip('/')}{path}"
    return client_id, _url(token_url, fail, True, "token_url")


def _token(name: Any, env: Mapping[str, str], fail: Fail, unset: Fail) -> str:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
        rule = "the name of the environment variable that holds the token, never the token itself"
        fail("[writeback], key token_env", type(name).__name__, rule, 'write token_env = "HUBSPOT_TOKEN"')
        return ""
    token = env.get(name, "")
    if len(token) < MIN_TOKEN_CHARACTERS or not token.isascii() or not token.isprintable():
        state = "is not set" if not token else f"has {len(token)} characters"
        unset(f"environment variable {name}", state, f"a token has at least {MIN_TOKEN_CHARACTERS}, printable ASCII", "set it and start the worker anew")  # fmt: skip
        return ""
    return token


def _networks(found: Any, fail: Fail) -> tuple[str, ...]:
    try:
        if not isinstance(found, list):
            raise ValueError
        return tuple(str(ipaddress.ip_network(each)) for each in found)
    except ValueError:
        fail("[writeback], key allow_networks", repr(found), "a list of networks", 'write ["10.0.0.0/8"]')
        return ()
