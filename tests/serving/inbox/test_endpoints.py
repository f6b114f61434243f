"""One hostile event of a delivery fails, and the others wait to be worked on (issue 13)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import select

from serving.store.tables import inbox
from serving.store.text import kept
from tests.kit.cases import whsec
from tests.kit.databases import DATABASES, store_url
from tests.kit.hostile import CONNECTION, HOSTILE, NOT_KEPT, event
from tests.kit.inside import Inside, running_inside
from tests.kit.killing import SECRET, signed


@dataclass
class Running:
    inside: Inside
    database: str


pytestmark = pytest.mark.both_databases


@pytest.fixture(scope="module", params=DATABASES)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp(f"hostile-{request.param}")
    (folder / "connections").mkdir()
    (folder / "connections" / "crm.toml").write_text(CONNECTION.format(vendor="hubspot"))
    (folder / "connections" / "other.toml").write_text(CONNECTION.format(vendor="standard-webhooks"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CRM_SECRET", SECRET)
        with running_inside(folder, {"ACCOUNTSCORE_STORE_URL": store_url(request, folder)}) as inside:
            yield Running(inside, request.param)


def stored(inside: Inside) -> dict[str, tuple[str, str | None]]:
    with inside.state.store.read() as connection:
        return {row.object_id: (row.state, row.value) for row in connection.execute(select(inbox))}


def test_one_hostile_event_of_a_delivery_fails_and_the_others_wait_to_be_worked_on(running: Running) -> None:
    texts = {name: text for name, text in HOSTILE.items() if name != "long"}
    events = [event(n, n, text) for n, text in enumerate(texts.values(), 1)]
    events += [event(50, 50, "software"), event(51, 51, 10**200), event(52, 52, "x" * 500_000)]
    body, headers = signed(events)
    assert running.inside.client.post("/webhooks/crm", content=body, headers=headers).status_code == 204
    found = stored(running.inside)
    for n, name in enumerate(texts, 1):
        assert found[str(n)] == ("failed" if name in NOT_KEPT else "waiting", kept(texts[name])), name
    assert found["50"] == ("waiting", "software")
    assert found["51"] == ("waiting", str(10**200))  # the worker fails it
    assert found["52"] == ("waiting", "x" * 500_000)
    # Numbers that nothing holds are no reason to refuse the others either.
    text = body.decode().replace('"eventId": 50', '"eventId": 60').replace('"software"', "1e999")
    body, headers = _signed_raw(text)
    assert running.inside.client.post("/webhooks/crm", content=body, headers=headers).status_code == 204
    with running.inside.state.store.read() as connection:
        assert "1e999" in connection.execute(select(inbox.c.value)).scalars().all()


def _signed_raw(text: str) -> tuple[bytes, dict[str, str]]:
    from hubspot.utils.signature import Signature

    stamp = str(int(time.time() * 1000))
    signature = Signature.get_signature(SECRET, text, "v3", "https://scores.example.com/webhooks/crm", "POST", stamp)
    return text.encode(), {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": stamp}


def test_an_absurd_time_of_an_event_is_not_wanted_and_nothing_fails(running: Running) -> None:
    import datetime as dt

    from standardwebhooks.webhooks import Webhook

    for number, stamp in enumerate(
        ("99999999999999999999", "-99999999999999999999", "10000-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
    ):
        content = {
            "type": "contact.updated",
            "timestamp": stamp,
            "data": {"object": "contact", "id": f"t{number}", "properties": {"industry": "a\x00"}},
        }
        body = json.dumps(content)
        moment = dt.datetime.fromtimestamp(int(time.time()), dt.UTC)
        secret = whsec(SECRET.encode())
        headers = {
            "webhook-id": f"m{number}",
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": Webhook(secret).sign(msg_id=f"m{number}", timestamp=moment, data=body),
        }
        assert running.inside.client.post("/webhooks/other", content=body, headers=headers).status_code == 204
    found = stored(running.inside)
    assert "t0" not in found
    assert "t1" not in found
    assert found["t3"][0] == "failed"
