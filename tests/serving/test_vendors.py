"""One suite that every vendor of webhooks passes, through the API itself; deliveries are signed by strangers' libraries."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import json
import random
import re
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import httpx
import pytest
from fastapi import FastAPI
from hubspot.utils.signature import Signature
from sqlalchemy import func, select
from standardwebhooks.webhooks import Webhook

from features.errors import BadInput
from serving.app import create_app
from serving.connections import load_connections
from serving.settings import ServingSettings
from serving.store.connect import Store, open_store
from serving.store.migrate import migrate
from serving.store.tables import inbox
from serving.webhooks.vendors import VENDORS
from serving.writeback.vendors import make_sender
from tests.serving import dataverse

PUBLIC = "https://scores.example.com"
ORGANIZATION = "00D30000000XxXxEAK"
MUTATIONS = 1_000


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
    mapped: str = '[objects.contact]\ntable = "leads"\ncolumns = { industry = "industry" }\n'

    @property
    def name(self) -> str:
        return f"{self.vendor}-{self.scheme}"


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
    event = {"eventId": 1, "subscriptionId": 2, "portalId": portal, "occurredAt": 1_764_547_200_000, "objectId": 7, "subscriptionType": kind, "propertyName": "industry", "propertyValue": "ü"}  # fmt: skip
    return json.dumps([event], ensure_ascii=False).encode()


def _standard_body(kind: str = "contact.updated") -> bytes:
    data = {"object": "contact", "id": "7", "properties": {"industry": "ü"}}
    return json.dumps({"type": kind, "timestamp": "2025-12-01T00:00:00Z", "data": data}, ensure_ascii=False).encode()


def _whsec(text: bytes) -> str:
    return "whsec_" + base64.b64encode(text).decode()


def in_header(secret: str, _body: bytes, _address: str, _seconds: int) -> dict[str, str]:
    return {"x-webhook-key": secret}


def in_query(_secret: str, _body: bytes, _address: str, _seconds: int) -> dict[str, str]:
    return {}


def salesforce_body(kind: str = "Lead", organization: str = ORGANIZATION, record: str = "00Q30000001aaaaEAA") -> bytes:
    """As the vendor's guide prints it; zeep's own is in `test_salesforce.py`."""
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
    "timed": False, "signs_body": False, "more": f'organizations = ["00D300000000OTH", "{ORGANIZATION[:15]}"]\n',
    "mapped": '[objects.Lead]\ntable = "leads"\ncolumns = { Industry = "industry" }\n',
}  # fmt: skip
_DYNAMICS = (
    "k" * 36,
    "l" * 36,
    dataverse.as_sent(dataverse.changed(dataverse.guid(7), {"industrycode": dataverse.choice(7)})),
)
_NOT_WANTED = dataverse.as_sent(dataverse.changed(dataverse.guid(7), {"subject": "x"}, entity="task"))
_DYNAMICS_MORE: dict[str, Any] = {
    "timed": False, "signs_body": False, "more": f'organizations = ["{dataverse.ORGANIZATION}"]\n',
    "mapped": '[objects.lead]\ntable = "leads"\ncolumns = { industrycode = "industry" }\n',
}  # fmt: skip
CASES = [
    Case("hubspot", "v3", *_HUBSPOT, hubspot("v3"), _hubspot_body(portal=1)),
    Case("hubspot", "v2", *_HUBSPOT, hubspot("v2"), _hubspot_body(kind="deal.creation"), timed=False, more=_OLDER),
    Case("hubspot", "v1", *_HUBSPOT, hubspot("v1"), _hubspot_body(kind="contact.unheardOf"), timed=False, more=_OLDER),
    Case(
        "standard-webhooks", "v1", _whsec(b"a key of 24 bytes, first"), _whsec(b"a key of 24 bytes, other"),
        _standard_body(), standard, _standard_body("invoice.paid"),
    ),
    Case("salesforce", "query", *_SALESFORCE, in_query, salesforce_body("Idea"), query="key", **_SALESFORCE_MORE),
    Case("salesforce", "header", *_SALESFORCE, in_header, salesforce_body("Idea"), **_SALESFORCE_MORE),
    Case("dynamics", "code", *_DYNAMICS, in_query, _NOT_WANTED, query="code", **_DYNAMICS_MORE),
    Case("dynamics", "query", *_DYNAMICS, in_query, _NOT_WANTED, query="key", **_DYNAMICS_MORE),
    Case("dynamics", "header", *_DYNAMICS, in_header, _NOT_WANTED, **_DYNAMICS_MORE),
]  # fmt: skip


@dataclass
class Door:
    app: FastAPI
    store: Store
    case: Case
    loop: asyncio.Runner
    client: httpx.AsyncClient

    @property
    def path(self) -> str:
        return "/webhooks/crm" + self.query(self.case.secret)

    @property
    def accepted(self) -> int:
        return VENDORS[self.case.vendor].answer.status

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
            assert answer.content == VENDORS[self.case.vendor].answer.body
        return answer.status_code

    def stored(self) -> int:
        with self.store.read() as connection:
            return connection.execute(select(func.count()).select_from(inbox)).scalar_one()


@pytest.fixture(params=CASES, ids=[case.name for case in CASES])
def door(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    with open_door(request.param, tmp_path, monkeypatch) as found:
        yield found


@contextlib.contextmanager
def open_door(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    folder = tmp_path / "connections"
    folder.mkdir()
    (folder / "crm.toml").write_text(
        f'vendor = "{case.vendor}"\npublic_url = "{PUBLIC}"\nsecret_envs = ["OLD_SECRET", "CRM_SECRET"]\nsource = "sample"\n'
        + ("portal_ids = [62515]\n" if case.vendor == "hubspot" else "") + case.more
        + case.mapped
    )  # fmt: skip
    for name in ("ACCOUNTSCORE_CONNECTIONS", "ACCOUNTSCORE_STORE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ACCOUNTSCORE_HOME", str(tmp_path))
    monkeypatch.setenv("CRM_SECRET", case.secret)
    monkeypatch.setenv("OLD_SECRET", _whsec(b"a key that is on its way"))
    settings = ServingSettings.from_env()
    store = open_store(settings.base.store_url)
    migrate(store)
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


def test_every_vendor_is_in_the_suite() -> None:
    assert {case.vendor for case in CASES} == set(VENDORS)


class TestEveryVendor:
    def test_what_is_signed_is_stored_before_the_answer_and_once(self, door: Door) -> None:
        assert door.post(door.headers()) == door.accepted
        assert door.stored() == 1
        assert door.post(door.headers()) == door.accepted
        assert door.stored() == 1

    def test_an_authentic_event_that_nobody_wants_is_2xx_and_not_stored(self, door: Door) -> None:
        assert door.post(door.headers(door.case.unwanted), door.case.unwanted) == door.accepted
        assert door.stored() == 0

    def test_another_secret_a_changed_body_and_no_signature_are_401(self, door: Door) -> None:
        other = "/webhooks/crm" + door.query(door.case.other_secret)
        assert door.post(door.headers(secret=door.case.other_secret), path=other) == 401
        if door.case.signs_body:
            assert door.post(door.headers(), door.case.body + b" ") == 401
        assert door.post({}, path="/webhooks/crm") == 401
        assert door.stored() == 0

    def test_the_window_has_two_sides(self, door: Door) -> None:
        # Why HubSpot's older schemes are off until asked for; who signs nothing signs no time.
        expected = 401 if door.case.timed else door.accepted
        for off in (-3600, 3600, -(10**8), 10**8):
            assert door.post(door.headers(off=off)) == expected
        assert door.stored() == (0 if door.case.timed else 1)

    def test_an_authentic_body_that_is_none_is_400(self, door: Door) -> None:
        for body in (b"", b"hello", b"[1]", b'{"a": NaN}', b"\xef\xbb\xbf[]"):
            assert door.post(door.headers(body), body) == 400
        assert door.stored() == 0

    def test_a_thousand_mutations_are_all_refused_and_none_is_an_error_of_ours(self, door: Door) -> None:
        """Signature or key, header names and values, time and signed body, one change each."""
        rng, tried = random.Random(11), 0
        while tried < MUTATIONS:
            headers, body, path = door.headers(), door.case.body, door.path
            before = dict(headers)
            which = rng.randrange(5)
            name = rng.choice(list(headers)) if headers else ""
            if door.case.query:
                path = mutated_query(rng, path)
                if key_in(path, door.case.query) == [door.case.secret]:
                    continue
            elif which == 0:
                del headers[name]
            elif which == 1 and door.case.signs_body:
                place = rng.randrange(len(body))
                body = body[:place] + bytes([body[place] ^ (1 << rng.randrange(8))]) + body[place + 1 :]
            else:
                value = list(headers[name])
                place = rng.randrange(len(value))
                value[place : place + rng.randrange(2)] = [_character(rng)] * rng.randrange(1, 3)
                headers[name] = "".join(value)
            # Around a value white space means nothing, to HTTP itself.
            same = {k: v.strip(" \t") for k, v in headers.items()} == before and body == door.case.body
            same &= not door.case.query
            harmless = (
                set(headers) < set(before) and "x-hubspot-signature-version" not in headers and door.case.scheme == "v1"
            )
            if same or harmless:  # HubSpot's v1 is what a signature without a version is
                continue
            status, tried = door.post(headers, body, path), tried + 1
            assert status == 401, (status, which, name, headers, path)
        assert door.stored() == 0

    def test_a_thousand_mutations_of_an_unsigned_body_are_no_error_of_ours(self, door: Door) -> None:
        if door.case.signs_body:
            return
        rng, seen = random.Random(12), set()
        for _ in range(MUTATIONS):
            body = bytearray(door.case.body)
            for _ in range(rng.randrange(1, 4)):
                place = rng.randrange(len(body))
                body[place : place + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
            seen.add(door.post(door.headers(), bytes(body)))
        assert seen <= {door.accepted, 400, 401}
        assert {door.accepted, 400} <= seen

    def test_secrets_rotate_and_two_keys_are_none(self, door: Door) -> None:
        old = _whsec(b"a key that is on its way")
        assert door.post(door.headers(secret=old), path="/webhooks/crm" + door.query(old)) == door.accepted
        if door.case.query:
            assert door.post({}, path=f"{door.path}&{door.case.query}={door.case.secret}") == 401
            assert door.post({"x-webhook-key": door.case.secret}) == 401


def mutated_query(rng: random.Random, path: str) -> str:
    """One change in the query; what httpx would escape by itself is escaped."""
    start = path.index("?") + 1
    place = rng.randrange(start, len(path))
    new = "".join(rng.choice(_IN_QUERY) for _ in range(rng.randrange(3)))
    return path[:place] + new + path[place + rng.randrange(2) :]


_IN_QUERY = [*map(chr, range(0x30, 0x3A)), *"abcxyzABCXYZ-._~&=+%/?:@!$,;", "%00", "%ff", "%20", "%"]


def key_in(path: str, name: str) -> list[str]:
    """The values of a part of the query, as a library of others reads it."""
    return [value for key, value in parse_qsl(path.partition("?")[2], keep_blank_values=True) if key == name]


def _character(rng: random.Random) -> str:
    """Any that may stand in a header."""
    return chr(rng.choice([*range(0x20, 0x7F), *range(0xA0, 0x100)]))


PAGE = Path("serving/webhooks/README.md")


def examples() -> dict[str, str]:
    """The connections that the page shows, by vendor."""
    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return {str(tomllib.loads(block)["vendor"]): block for block in blocks}


class TestThePage:
    def test_its_connections_are_good_and_every_vendor_with_a_key_has_one(self, tmp_path: Path) -> None:
        names: set[str] = set()
        for vendor, block in examples().items():
            (tmp_path / f"{vendor}.toml").write_text(block)
            names |= set(re.findall(r'"([A-Z][A-Z0-9_]+)"', block))
        found = load_connections(tmp_path, dict.fromkeys(names, "k" * 36), tokens_needed=True)
        assert {config.vendor for config in found.values()} >= {
            name for name, vendor in VENDORS.items() if vendor.organization
        }

    def test_they_can_be_switched_on(self, tmp_path: Path) -> None:
        for vendor, block in examples().items():
            folder = tmp_path / vendor
            folder.mkdir()
            (folder / f"{vendor}.toml").write_text(block.replace('"dry-run"', '"on"'))
            names = re.findall(r'"([A-Z][A-Z0-9_]+)"', block)
            config = load_connections(folder, dict.fromkeys(names, "k" * 36), tokens_needed=True)[vendor]
            sender = make_sender(vendor, config.writeback)
            sender.close()
            assert config.writeback.token == "k" * 36
            assert config.writeback.token_url.startswith("https://")

    def test_an_organisation_is_asked_for(self, tmp_path: Path) -> None:
        for vendor, block in examples().items():
            for bad in ("", "organizations = []\n", 'organizations = ["x"]\n', "organizations = 5\n"):
                (tmp_path / f"{vendor}.toml").write_text(re.sub(r"organizations = .*\n", bad, block))
                with pytest.raises(BadInput, match="key organizations"):
                    load_connections(tmp_path, secrets_needed=False)

    def test_who_signs_has_none(self, tmp_path: Path) -> None:
        (tmp_path / "crm.toml").write_text(
            'vendor = "hubspot"\npublic_url = "https://x.example"\nsecret_env = "S"\nsource = "sample"\norganizations = ["1"]\n'
            '[objects.contact]\ntable = "leads"\n'
        )
        with pytest.raises(BadInput, match="only for vendors that sign nothing"):
            load_connections(tmp_path, secrets_needed=False)

    def test_the_files_and_names_that_it_tells_of_are_there(self) -> None:
        text = PAGE.read_text(encoding="utf-8")
        for name in re.findall(r"`([a-z_/]+\.py)`", text):
            folder = "serving/webhooks/" if "/" not in name else ""
            assert Path(folder + name).exists() or Path(f"serving/writeback/{name}").exists(), name
        for name in (
            "Vendor",
            "VENDORS",
            "Case",
            "Sender",
            "Outcome",
            "CallFailed",
            "CallRefused",
            "make_sender",
            "URLS",
        ):
            assert f"`{name}`" in text
            files = [*Path("serving/webhooks").glob("*.py"), *Path("serving/writeback").glob("*.py"), Path(__file__)]
            assert any(re.search(rf"(class |def |^){name}\b", f.read_text(), re.MULTILINE) for f in files), name
