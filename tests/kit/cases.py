"""A case for every way in which a vendor's webhooks say who they are, signed by strangers' libraries, and the API to send them to."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import requests
from fastapi import FastAPI
from hubspot.utils.signature import Signature
from sqlalchemy import func, select
from standardwebhooks.webhooks import Webhook

from serving.app import create_app
from serving.settings import ServingSettings
from serving.store.connect import Store
from serving.store.tables import inbox
from serving.vendors.inbound import Inbound
from serving.vendors.registry import VENDORS
from tests.kit import dataverse, pipedrive
from tests.kit.stores import new_store

PUBLIC = "https://scores.example.com"
ORGANIZATION = "00D30000000XxXxEAK"


@dataclass(frozen=True)
class Case:
    """How a stranger's library signs for one vendor; `scheme` where there are several."""

    vendor: str
    scheme: str
    secret: str
    other_secret: str
    body: bytes
    sign: Callable[[str, bytes, str, int], dict[str, str]]
    """(secret, body, address, seconds) to headers."""
    unwanted: bytes
    timed: bool = True
    """Whether the time is signed."""
    signs_body: bool = True
    """Whether the body is signed; where it is not, a key says who sends."""
    query: str = ""
    """Name of the part of the address that carries the key, where one does."""
    more: str = ""
    on_its_way: str = ""
    """A second secret, while one rotates; one that fits all but logins when it is not given."""
    mapped: str = '[objects.contact]\ntable = "leads"\ncolumns = { industry = "industry" }\n'

    @property
    def name(self) -> str:
        return f"{self.vendor}-{self.scheme}"

    @property
    def old_secret(self) -> str:
        return self.on_its_way or whsec(b"a key that is on its way")

    def same(self, headers: Mapping[str, str], changed: Mapping[str, str]) -> bool:
        """Whether changed headers mean the same, by HTTP or the vendor's own rules."""
        if self.scheme == "v1" and set(changed) < set(headers):
            return "x-hubspot-signature-version" not in changed  # v1 is what a signature without a version is
        return {name: self._meant(value) for name, value in changed.items()} == {
            name: self._meant(value) for name, value in headers.items()
        }

    def _meant(self, value: str) -> str:
        value = value.strip(" \t")  # around a value white space means nothing
        scheme, space, rest = value.partition(" ")
        return scheme.lower() + space + rest if self.scheme == "basic" else value  # the name of a scheme has no case


def hubspot(version: str) -> Callable[[str, bytes, str, int], dict[str, str]]:
    def sign(secret: str, body: bytes, address: str, seconds: int) -> dict[str, str]:
        stamp = str(seconds * 1000)
        signature = Signature.get_signature(secret, body.decode(), version, address, "POST", stamp)
        if version == "v3":
            return {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": stamp}
        return {"x-hubspot-signature": signature, "x-hubspot-signature-version": version}

    return sign


def standard(secret: str, body: bytes, _address: str, seconds: int) -> dict[str, str]:
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    signature = Webhook(secret).sign(msg_id="msg_1", timestamp=moment, data=body.decode())
    return {"webhook-id": "msg_1", "webhook-timestamp": str(seconds), "webhook-signature": signature}


def _hubspot_body(portal: int = 62515, kind: str = "contact.propertyChange") -> bytes:
    event = {
        "eventId": 1,
        "subscriptionId": 2,
        "portalId": portal,
        "occurredAt": 1_764_547_200_000,
        "objectId": 7,
        "subscriptionType": kind,
        "propertyName": "industry",
        "propertyValue": "ü",
    }
    return json.dumps([event], ensure_ascii=False).encode()


def _standard_body(kind: str = "contact.updated") -> bytes:
    data = {"object": "contact", "id": "7", "properties": {"industry": "ü"}}
    return json.dumps({"type": kind, "timestamp": "2025-12-01T00:00:00Z", "data": data}, ensure_ascii=False).encode()


def whsec(text: bytes) -> str:
    return "whsec_" + base64.b64encode(text).decode()


def in_header(secret: str, _body: bytes, _address: str, _seconds: int) -> dict[str, str]:
    return {"x-webhook-key": secret}


def basic(secret: str, _body: bytes, _address: str, _seconds: int) -> dict[str, str]:
    """As the library requests logs in."""
    user, _, password = secret.partition(":")
    request = requests.Request("POST", PUBLIC, auth=(user, password)).prepare()
    return {"authorization": request.headers["Authorization"]}  # type: ignore[dict-item]


def in_query(_secret: str, _body: bytes, _address: str, _seconds: int) -> dict[str, str]:
    return {}


def salesforce_body(kind: str = "Lead", organization: str = ORGANIZATION, record: str = "00Q30000001aaaaEAA") -> bytes:
    """As the vendor's guide prints it; zeep's own is in `vendors/salesforce/test_inbound.py`."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <soapenv:Body>
  <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
   <OrganizationId>{organization}</OrganizationId>
   <ActionId>04k3000000000abAAA</ActionId>
   <SessionId xsi:nil="true"/>
   <EnterpriseUrl>https://example.my.salesforce.com/services/Soap/c/62.0/{organization[:15]}</EnterpriseUrl>
   <PartnerUrl>https://example.my.salesforce.com/services/Soap/u/62.0/{organization[:15]}</PartnerUrl>
   <Notification>
    <Id>04l3000000000abAAA</Id>
    <sObject xsi:type="sf:{kind}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">
     <sf:Id>{record}</sf:Id>
     <sf:Industry>ü</sf:Industry>
     <sf:SystemModstamp>2025-12-01T00:00:00.000Z</sf:SystemModstamp>
    </sObject>
   </Notification>
  </notifications>
 </soapenv:Body>
</soapenv:Envelope>""".encode()


_OLDER = "older_signatures = true\n"
_HUBSPOT = ("s" * 36, "t" * 36, _hubspot_body())
_SALESFORCE = ("k" * 36, "l" * 36, salesforce_body())
_SALESFORCE_MORE: dict[str, Any] = {
    "timed": False,
    "signs_body": False,
    "more": f'organizations = ["00D300000000OTH", "{ORGANIZATION[:15]}"]\n',
    "mapped": '[objects.Lead]\ntable = "leads"\ncolumns = { Industry = "industry" }\n',
}
_DYNAMICS = (
    "k" * 36,
    "l" * 36,
    dataverse.as_sent(dataverse.changed(dataverse.guid(7), {"industrycode": dataverse.choice(7)})),
)
_NOT_WANTED = dataverse.as_sent(dataverse.changed(dataverse.guid(7), {"subject": "x"}, entity="task"))
_DYNAMICS_MORE: dict[str, Any] = {
    "timed": False,
    "signs_body": False,
    "more": f'organizations = ["{dataverse.ORGANIZATION}"]\n',
    "mapped": '[objects.lead]\ntable = "leads"\ncolumns = { industrycode = "industry" }\n',
}
_PIPEDRIVE = (
    f"pipedrive:{'k' * 36}",
    f"pipedrive:{'l' * 36}",
    pipedrive.as_sent(
        pipedrive.event("change", "lead", pipedrive.LEAD, {"title": "ü", "was_seen": True}, {"title": "u"})
    ),
)
CASES = [
    Case("hubspot", "v3", *_HUBSPOT, hubspot("v3"), _hubspot_body(portal=1)),
    Case("hubspot", "v2", *_HUBSPOT, hubspot("v2"), _hubspot_body(kind="deal.creation"), timed=False, more=_OLDER),
    Case("hubspot", "v1", *_HUBSPOT, hubspot("v1"), _hubspot_body(kind="contact.unheardOf"), timed=False, more=_OLDER),
    Case(
        "standard-webhooks",
        "v1",
        whsec(b"a key of 24 bytes, first"),
        whsec(b"a key of 24 bytes, other"),
        _standard_body(),
        standard,
        _standard_body("invoice.paid"),
    ),
    Case(
        "pipedrive",
        "basic",
        *_PIPEDRIVE,
        basic,
        pipedrive.as_sent(pipedrive.event("create", "note", "1", {"content": "x"})),
        timed=False,
        signs_body=False,
        more=f'organizations = ["{pipedrive.COMPANY}"]\n',
        on_its_way=f"pipedrive:{'o' * 36}",
        mapped='[objects.lead]\ntable = "leads"\ncolumns = { title = "title" }\n',
    ),
    Case("salesforce", "query", *_SALESFORCE, in_query, salesforce_body("Idea"), query="key", **_SALESFORCE_MORE),
    Case("salesforce", "header", *_SALESFORCE, in_header, salesforce_body("Idea"), **_SALESFORCE_MORE),
    Case("dynamics", "code", *_DYNAMICS, in_query, _NOT_WANTED, query="code", **_DYNAMICS_MORE),
    Case("dynamics", "query", *_DYNAMICS, in_query, _NOT_WANTED, query="key", **_DYNAMICS_MORE),
    Case("dynamics", "header", *_DYNAMICS, in_header, _NOT_WANTED, **_DYNAMICS_MORE),
]


@dataclass
class Door:
    app: FastAPI
    store: Store
    case: Case
    loop: asyncio.Runner
    client: httpx.AsyncClient

    @property
    def inbound(self) -> Inbound:
        found = VENDORS[self.case.vendor].inbound
        assert found is not None
        return found

    @property
    def path(self) -> str:
        return "/webhooks/crm" + self.query(self.case.secret)

    @property
    def accepted(self) -> int:
        return self.inbound.answer.status

    def query(self, key: str) -> str:
        return f"?{self.case.query}={quote(key)}" if self.case.query else ""

    def headers(self, body: bytes | None = None, secret: str | None = None, off: int = 0) -> dict[str, str]:
        body = self.case.body if body is None else body
        return self.case.sign(secret or self.case.secret, body, PUBLIC + self.path, int(time.time()) + off)

    def post(self, headers: dict[str, str], body: bytes | None = None, path: str | None = None) -> int:
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        content = self.case.body if body is None else body
        answer = self.loop.run(self.client.post(path or self.path, content=content, headers=raw))
        if answer.is_success:
            assert answer.content == self.inbound.answer.body
        return answer.status_code

    def stored(self) -> int:
        with self.store.read() as connection:
            return connection.execute(select(func.count()).select_from(inbox)).scalar_one()


@contextlib.contextmanager
def open_door(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    folder = tmp_path / "connections"
    folder.mkdir()
    (folder / "crm.toml").write_text(
        f'vendor = "{case.vendor}"\npublic_url = "{PUBLIC}"\nsecret_envs = ["OLD_SECRET", "CRM_SECRET"]\nsource = "sample"\n'
        + ("portal_ids = [62515]\n" if case.vendor == "hubspot" else "")
        + case.more
        + case.mapped
    )
    for name in ("ACCOUNTSCORE_CONNECTIONS", "ACCOUNTSCORE_STORE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ACCOUNTSCORE_HOME", str(tmp_path))
    monkeypatch.setenv("CRM_SECRET", case.secret)
    monkeypatch.setenv("OLD_SECRET", case.old_secret)
    settings = ServingSettings.from_env()
    store = new_store(tmp_path)
    with asyncio.Runner() as loop:
        _, app = create_app(settings)
        lifespan = app.router.lifespan_context(app)
        loop.run(lifespan.__aenter__())
        transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 1), raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")
        yield Door(app, store, case, loop, client)
        loop.run(client.aclose())
        loop.run(lifespan.__aexit__(None, None, None))
    store.close()
