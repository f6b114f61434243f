"""One suite that every vendor of webhooks passes, through the API itself; deliveries are signed by strangers' libraries."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from hubspot.utils.signature import Signature
from sqlalchemy import func, select
from standardwebhooks.webhooks import Webhook

from serving.app import create_app
from serving.settings import ServingSettings
from serving.store.connect import Store, open_store
from serving.store.migrate import migrate
from serving.store.tables import inbox
from serving.webhooks.vendors import VENDORS

PUBLIC = "https://scores.example.com"
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
    more: str = ""

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


_OLDER = "older_signatures = true\n"
_HUBSPOT = ("s" * 36, "t" * 36, _hubspot_body())
CASES = [
    Case("hubspot", "v3", *_HUBSPOT, hubspot("v3"), _hubspot_body(portal=1)),
    Case("hubspot", "v2", *_HUBSPOT, hubspot("v2"), _hubspot_body(kind="deal.creation"), timed=False, more=_OLDER),
    Case("hubspot", "v1", *_HUBSPOT, hubspot("v1"), _hubspot_body(kind="contact.unheardOf"), timed=False, more=_OLDER),
    Case(
        "standard-webhooks", "v1", _whsec(b"a key of 24 bytes, first"), _whsec(b"a key of 24 bytes, other"),
        _standard_body(), standard, _standard_body("invoice.paid"),
    ),
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
        return "/webhooks/crm"

    def headers(self, body: bytes | None = None, secret: str | None = None, off: int = 0) -> dict[str, str]:
        body = self.case.body if body is None else body
        return self.case.sign(secret or self.case.secret, body, PUBLIC + self.path, int(time.time()) + off)

    def post(self, headers: dict[str, str], body: bytes | None = None) -> int:
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        content = self.case.body if body is None else body
        return self.loop.run(self.client.post(self.path, content=content, headers=raw)).status_code

    def stored(self) -> int:
        with self.store.read() as connection:
            return connection.execute(select(func.count()).select_from(inbox)).scalar_one()


@pytest.fixture(params=CASES, ids=[case.name for case in CASES])
def door(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    case: Case = request.param
    folder = tmp_path / "connections"
    folder.mkdir()
    (folder / "crm.toml").write_text(
        f'vendor = "{case.vendor}"\npublic_url = "{PUBLIC}"\nsecret_envs = ["OLD_SECRET", "CRM_SECRET"]\nsource = "sample"\n'
        + ("portal_ids = [62515]\n" if case.vendor == "hubspot" else "") + case.more
        + '[objects.contact]\ntable = "leads"\ncolumns = { industry = "industry" }\n'
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
        assert door.post(door.headers()) == 204
        assert door.stored() == 1
        assert door.post(door.headers()) == 204
        assert door.stored() == 1

    def test_an_authentic_event_that_nobody_wants_is_2xx_and_not_stored(self, door: Door) -> None:
        assert door.post(door.headers(door.case.unwanted), door.case.unwanted) == 204
        assert door.stored() == 0

    def test_another_secret_a_changed_body_and_no_signature_are_401(self, door: Door) -> None:
        assert door.post(door.headers(secret=door.case.other_secret)) == 401
        assert door.post(door.headers(), door.case.body + b" ") == 401
        assert door.post({}) == 401
        assert door.stored() == 0

    def test_the_window_has_two_sides(self, door: Door) -> None:
        expected = 401 if door.case.timed else 204  # why HubSpot's older schemes are off until asked for
        for off in (-3600, 3600, -(10**8), 10**8):
            assert door.post(door.headers(off=off)) == expected
        assert door.stored() == (0 if door.case.timed else 1)

    def test_an_authentic_body_that_is_none_is_400(self, door: Door) -> None:
        for body in (b"", b"hello", b"[1]", b'{"a": NaN}', b"\xef\xbb\xbf[]"):
            assert door.post(door.headers(body), body) == 400
        assert door.stored() == 0

    def test_a_thousand_mutations_are_all_refused_and_none_is_an_error_of_ours(self, door: Door) -> None:
        """Signature, header names and values, time and body, one change each."""
        rng, tried = random.Random(11), 0
        while tried < MUTATIONS:
            headers, body = door.headers(), door.case.body
            before = dict(headers)
            which = rng.randrange(5)
            name = rng.choice(list(headers))
            if which == 0:
                del headers[name]
            elif which == 1:
                place = rng.randrange(len(body))
                body = body[:place] + bytes([body[place] ^ (1 << rng.randrange(8))]) + body[place + 1 :]
            else:
                value = list(headers[name])
                place = rng.randrange(len(value))
                value[place : place + rng.randrange(2)] = [_character(rng)] * rng.randrange(1, 3)
                headers[name] = "".join(value)
            # Around a value white space means nothing, to HTTP itself.
            same = {k: v.strip(" \t") for k, v in headers.items()} == before and body == door.case.body
            harmless = (
                set(headers) < set(before) and "x-hubspot-signature-version" not in headers and door.case.scheme == "v1"
            )
            if same or harmless:  # HubSpot's v1 is what a signature without a version is
                continue
            status, tried = door.post(headers, body), tried + 1
            assert status == 401, (status, which, name, headers)
        assert door.stored() == 0


def _character(rng: random.Random) -> str:
    """Any that may stand in a header."""
    return chr(rng.choice([*range(0x20, 0x7F), *range(0xA0, 0x100)]))
