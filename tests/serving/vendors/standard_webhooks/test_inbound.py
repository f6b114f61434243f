"""Standard Webhooks, against the libraries of standardwebhooks and svix."""

from __future__ import annotations

import base64
import datetime as dt
import json
import random
import time

import pytest
import svix.webhooks
from standardwebhooks.webhooks import Webhook

from serving.vendors.inbound import Delivery, Event
from serving.vendors.standard_webhooks.inbound import StandardWebhooks, key_of, sign

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


OTHER = "whsec_" + base64.b64encode(b"another key of 24 bytes.").decode()


VENDOR = StandardWebhooks()


NOW = 1_700_000_000


BODY = b'{"type": "contact.updated", "timestamp": "2023-11-14T22:13:20Z", "data": {"object": "contact", "id": "7", "properties": {"industry": "software", "size": 5, "vip": true, "city": null}}}'


def delivery(
    signature: str | None,
    body: bytes = BODY,
    at: str | None = str(NOW),
    name: str | None = "msg_1",
    prefix: str = "webhook",
) -> Delivery:
    headers = {f"{prefix}-id": name, f"{prefix}-timestamp": at, f"{prefix}-signature": signature}
    return Delivery("POST", "https://x.example/webhooks/a", {k: v for k, v in headers.items() if v is not None}, body)


def signed(body: bytes = BODY, at: int = NOW, secret: str = SECRET, name: str = "msg_1") -> str:
    """By the reference library, which wants UTC."""
    return Webhook(secret).sign(msg_id=name, timestamp=dt.datetime.fromtimestamp(at, dt.UTC), data=body.decode())


class TestVerify:
    def test_the_known_vector(self) -> None:
        known = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        sent = delivery(known, b'{"test": 2432232314}', "1614265330", "msg_p5jXN8AQM9LWM0D4loKWxJek")
        assert VENDOR.verify(sent, [SECRET], 1_614_265_330_000)

    def test_signatures_of_both_libraries_are_accepted(self) -> None:
        theirs = svix.webhooks.Webhook(SECRET).sign("msg_1", dt.datetime.fromtimestamp(NOW, dt.UTC), BODY.decode())
        assert theirs == signed()
        for prefix in ("webhook", "svix"):
            assert VENDOR.verify(delivery(theirs, prefix=prefix), [SECRET], NOW * 1000)

    def test_both_libraries_accept_our_signature(self) -> None:
        now = int(time.time())
        headers = {
            "webhook-id": "msg_2",
            "webhook-timestamp": str(now),
            "webhook-signature": sign(key_of(SECRET), "msg_2", now, BODY),
        }
        assert Webhook(SECRET).verify(BODY.decode(), headers) == json.loads(BODY)
        svix.webhooks.Webhook(SECRET).verify(BODY, headers)

    @pytest.mark.parametrize(("off", "good"), [(0, True), (-300, True), (300, True), (-301, False), (301, False)])
    def test_the_window_has_two_sides(self, off: int, good: bool) -> None:
        assert VENDOR.verify(delivery(signed(at=NOW + off), at=str(NOW + off)), [SECRET], NOW * 1000) is good

    def test_secrets_rotate_on_either_side(self) -> None:
        assert VENDOR.verify(delivery(signed(secret=OTHER)), [SECRET, OTHER], NOW * 1000)
        assert VENDOR.verify(delivery(f"{signed(secret=OTHER)} {signed()}"), [SECRET], NOW * 1000)
        assert not VENDOR.verify(delivery(signed(secret=OTHER)), [SECRET], NOW * 1000)

    def test_each_part_is_signed(self) -> None:
        good = signed()
        assert not VENDOR.verify(delivery(good, BODY + b" "), [SECRET], NOW * 1000)
        assert not VENDOR.verify(delivery(good, name="msg_2"), [SECRET], NOW * 1000)
        assert not VENDOR.verify(delivery(good, at=str(NOW + 1)), [SECRET], NOW * 1000)

    @pytest.mark.parametrize(
        "signature",
        [
            None,
            "",
            "v1",
            "v1,",
            "v1,=",
            "v1,a,b",
            "v1,AAAA  v1,AAAA",
            "v1a,AAAA",
            "v2,AAAA",
            "ü",
            "v1,ü",
            "\x00",
            "x" * 9999,
        ],
    )
    def test_a_malformed_signature_is_refused_without_an_error(self, signature: str | None) -> None:
        assert not VENDOR.verify(delivery(signature), [SECRET], NOW * 1000)
        assert not VENDOR.verify(delivery(signature, b"\xff\xfe"), [SECRET], NOW * 1000)

    def test_a_signature_without_its_version_is_refused(self) -> None:
        assert not VENDOR.verify(delivery(signed().removeprefix("v1,")), [SECRET], NOW * 1000)

    @pytest.mark.parametrize("at", [None, "", "now", "-1", "1.7e9", "１７００００００００", "9" * 400])
    def test_a_malformed_timestamp_is_refused_without_an_error(self, at: str | None) -> None:
        assert not VENDOR.verify(delivery(signed(), at=at), [SECRET], NOW * 1000)

    def test_no_mutation_is_accepted(self) -> None:
        rng, accepted = random.Random(9), 0
        good = {"name": "msg_1", "at": str(NOW), "signature": signed()}
        assert VENDOR.verify(delivery(**good), [SECRET], NOW * 1000)  # type: ignore[arg-type]
        for _ in range(2000):
            part = rng.choice(list(good))
            chars = list(good[part])
            place = rng.randrange(len(chars))
            chars[place : place + rng.randrange(2)] = [chr(rng.randrange(256))] * rng.randrange(2)
            mutated = {**good, part: "".join(chars)}
            accepted += mutated != good and VENDOR.verify(delivery(**mutated), [SECRET], NOW * 1000)  # type: ignore[arg-type]
        assert accepted == 0


def parse(content: object, name: str = "msg_1") -> list[Event | None]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return VENDOR.parse(delivery(None, body, name=name))


class TestParse:
    def test_a_change_is_an_event_per_property(self) -> None:
        events = parse(BODY)
        assert [(e.property, e.value) for e in events if e] == [
            ("industry", "software"),
            ("size", "5"),
            ("vip", "true"),
            ("city", None),
        ]
        assert {e.occurred_at_us for e in events if e} == {NOW * 1_000_000}
        assert len({e.dedupe for e in events if e}) == 4
        assert parse(BODY) == events
        assert {e.dedupe for e in parse(BODY, "msg_2") if e}.isdisjoint(e.dedupe for e in events if e)

    @pytest.mark.parametrize(
        ("verb", "more", "effect"),
        [
            ("created", {}, "create"),
            ("restored", {}, "create"),
            ("deleted", {}, "delete"),
            ("privacy_deleted", {}, "forget"),
            ("merged", {"into": "8"}, "merge"),
        ],
    )
    def test_each_verb_has_its_effect(self, verb: str, more: dict[str, str], effect: str) -> None:
        (event,) = parse(
            {
                "type": f"company.{verb}",
                "timestamp": "2023-11-14T22:13:20Z",
                "data": {"object": "company", "id": 7, **more},
            }
        )
        assert event is not None
        assert (event.effect, event.object_id, event.into) == (effect, "7", more.get("into"))

    @pytest.mark.parametrize(
        "content",
        [
            {"type": "invoice.paid", "data": {}},
            {"type": 5},
            {"type": "a.updated", "timestamp": "soon", "data": {"object": "a", "id": "1"}},
            {"type": "a.updated", "timestamp": "2023-11-14", "data": {"object": "a", "id": ["1"]}},
            {"type": "a.merged", "timestamp": "2023-11-14", "data": {"object": "a", "id": "1"}},
        ],
    )
    def test_an_unusable_event_is_none(self, content: object) -> None:
        assert parse(content) == [None]

    @pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"a": NaN}', b'{"a":1,"a":2}', b"hello"])
    def test_a_body_of_another_format_is_refused(self, body: bytes) -> None:
        with pytest.raises(ValueError, match=r"."):
            parse(body)
