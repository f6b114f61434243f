"""HubSpot's signature, against HubSpot's own SDK and vectors."""

from __future__ import annotations

import hmac
import json
import random

import pytest
from hubspot.utils.signature import Signature

from serving.vendors.hubspot import inbound as hubspot
from serving.vendors.inbound import Delivery, Event

SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"


URI = "https://www.example.com/webhook_uri"


BODY = b'{"example_field":"example_value"}'


NOW = 1_700_000_000_000


VENDOR = hubspot.HubSpot()


def delivery(
    signature: str | None, timestamp: str | None = str(NOW), uri: str = URI, body: bytes = BODY, method: str = "POST"
) -> Delivery:
    headers = {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": timestamp}
    return Delivery(method, uri, {k: v for k, v in headers.items() if v is not None}, body)


def signed(body: bytes = BODY, uri: str = URI, timestamp: int = NOW, secret: str = SECRET) -> str:
    """By the vendor's own library, which wants the address decoded already."""
    return Signature.get_signature(secret, body.decode(), "v3", hubspot.decode_uri(uri), "POST", str(timestamp))


class TestVerify:
    def test_the_known_vector(self) -> None:
        """Made with the SDK: POST, body and timestamp as above."""
        assert VENDOR.verify(delivery("rQEKkaNUiu+1qGF//O/pw4BCzstSqO1PyUnGICmf+7o="), [SECRET], NOW)

    def test_the_vector_with_escapes_in_the_address(self) -> None:
        on_the_wire = "https://www.example.com/hook?src=hs%3Aapp%2Fv3&x=%28a%29"
        good = delivery("Itu7MIvMHFHx2R4/rZonra6ivb4XWbMXkR27Y38MabU=", uri=on_the_wire)
        assert VENDOR.verify(good, [SECRET], NOW)
        # What a verifier that forgets decoding would compute must not pass.
        forgotten = delivery("PZUFI8Uli8Y44q/yC0XFJOWGSmc6PDkqu8mrJbz+a+A=", uri=on_the_wire)
        assert not VENDOR.verify(forgotten, [SECRET], NOW)

    def test_a_verifier_that_forgets_decoding_fails_on_the_vector(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hubspot, "decode_uri", lambda uri: uri)
        on_the_wire = "https://www.example.com/hook?src=hs%3Aapp%2Fv3&x=%28a%29"
        assert not VENDOR.verify(
            delivery("Itu7MIvMHFHx2R4/rZonra6ivb4XWbMXkR27Y38MabU=", uri=on_the_wire), [SECRET], NOW
        )

    def test_text_beyond_ascii_is_signed_as_its_bytes(self) -> None:
        body = json.dumps([{"propertyValue": "Zürich 東京"}], ensure_ascii=False).encode()
        assert VENDOR.verify(delivery(signed(body), body=body), [SECRET], NOW)

    @pytest.mark.parametrize(
        ("off_ms", "good"),
        [(0, True), (-300_000, True), (300_000, True), (-300_001, False), (300_001, False), (31_536_000_000, False)],
    )
    def test_the_window_has_two_sides(self, off_ms: int, good: bool) -> None:
        stamp = NOW + off_ms
        assert VENDOR.verify(delivery(signed(timestamp=stamp), str(stamp)), [SECRET], NOW) is good

    def test_the_sdk_alone_would_take_a_signature_from_the_future(self) -> None:
        """Why we do not verify with it."""
        import time

        future = int(time.time() * 1000) + 31_536_000_000
        assert Signature.is_valid(signed(timestamp=future), SECRET, BODY.decode(), URI, "POST", "v3", str(future))

    def test_any_of_the_secrets_may_have_signed_while_they_rotate(self) -> None:
        for secrets in ([SECRET, "other-secret-other"], ["other-secret-other", SECRET]):
            assert VENDOR.verify(delivery(signed()), secrets, NOW)
        assert not VENDOR.verify(delivery(signed()), ["other-secret-other"], NOW)
        assert not VENDOR.verify(delivery(signed()), [], NOW)

    def test_each_part_is_signed(self) -> None:
        good = signed()
        assert not VENDOR.verify(delivery(good, method="PUT"), [SECRET], NOW)
        assert not VENDOR.verify(delivery(good, uri=URI + "?a=1"), [SECRET], NOW)
        assert not VENDOR.verify(delivery(good, body=BODY + b" "), [SECRET], NOW)
        assert not VENDOR.verify(delivery(good, str(NOW + 1)), [SECRET], NOW)

    @pytest.mark.parametrize(
        "timestamp",
        [
            None,
            "",
            "abc",
            "-1",
            "+1700000000000",
            " 1700000000000",
            "1.7e12",
            "1700000000000\n",
            "１７０００００００００００",
            "9" * 400,
        ],
    )
    def test_a_malformed_timestamp_is_refused_without_an_error(self, timestamp: str | None) -> None:
        assert not VENDOR.verify(delivery(signed(), timestamp), [SECRET], NOW)

    @pytest.mark.parametrize(
        "signature", [None, "", "=", "ü", "\x00", "AAAA", "x" * 10_000, "rQEKkaNUiu+1qGF//O/pw4BCzstSqO1PyUnGICmf+7o"]
    )
    def test_a_malformed_signature_is_refused_without_an_error(self, signature: str | None) -> None:
        assert not VENDOR.verify(delivery(signature), [SECRET], NOW)

    def test_no_mutation_is_accepted(self) -> None:
        rng, good, accepted = random.Random(7), signed(), 0
        for _ in range(1000):
            chars = list(good)
            match rng.randrange(4):
                case 0:
                    chars[rng.randrange(len(chars))] = chr(rng.randrange(256))
                case 1:
                    del chars[rng.randrange(len(chars))]
                case 2:
                    chars.insert(rng.randrange(len(chars)), chr(rng.randrange(256)))
                case _:
                    rng.shuffle(chars)
            mutated = "".join(chars)
            accepted += mutated != good and VENDOR.verify(delivery(mutated), [SECRET], NOW)
        assert accepted == 0

    def test_another_spelling_of_the_same_bytes_is_refused(self) -> None:
        good = signed()  # 32 bytes: the last character before = has bits to spare
        assert good.endswith("=")
        spare = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        other = good[:-2] + spare[spare.index(good[-2]) ^ 1] + "="
        assert not VENDOR.verify(delivery(other), [SECRET], NOW)

    def test_secrets_are_compared_in_constant_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[int] = []
        compare = hmac.compare_digest
        monkeypatch.setattr(hmac, "compare_digest", lambda a, b: seen.append(1) or compare(a, b))
        VENDOR.verify(delivery(signed()), [SECRET, "other-secret-other"], NOW)
        assert len(seen) == 2


def parse(body: bytes) -> list[Event | None]:
    return VENDOR.parse(Delivery("POST", URI, {}, body))


def one(**changed: object) -> Event | None:
    item = {
        "eventId": 1,
        "subscriptionId": 12345,
        "portalId": 62515,
        "occurredAt": 1564113600000,
        "objectId": 123,
        "subscriptionType": "contact.propertyChange",
        "propertyName": "industry",
        "propertyValue": "software",
        "attemptNumber": 0,
    }
    return parse(json.dumps([{**item, **changed}]).encode())[0]


class TestParse:
    def test_a_property_change(self) -> None:
        event = one()
        assert event is not None
        assert (event.effect, event.object_type, event.object_id) == ("change", "contact", "123")
        assert (event.property, event.value, event.portal_id) == ("industry", "software", 62515)
        assert event.occurred_at_us == 1_564_113_600_000_000

    def test_another_attempt_is_the_same_event_and_another_property_is_not(self) -> None:
        first, again, other = one(), one(attemptNumber=3), one(propertyName="city")
        assert first is not None
        assert again is not None
        assert other is not None
        assert first.dedupe == again.dedupe != other.dedupe

    def test_the_older_name_of_the_type_and_the_generic_objects(self) -> None:
        old = parse(b'[{"eventType": "company.creation", "objectId": 5, "occurredAt": 1}]')[0]
        new = parse(
            b'[{"subscriptionType": "object.creation", "objectTypeId": "0-2", "objectId": "5", "occurredAt": 1}]'
        )[0]
        assert old is not None
        assert new is not None
        assert (
            (old.object_type, old.object_id, old.effect)
            == (new.object_type, new.object_id, new.effect)
            == ("company", "5", "create")
        )

    @pytest.mark.parametrize(
        "changed",
        [
            {"subscriptionType": "contact.associationChange"},
            {"subscriptionType": 5},
            {"subscriptionType": "x"},
            {"objectId": None},
            {"objectId": "a b"},
            {"occurredAt": "now"},
            {"occurredAt": -1},
            {"propertyName": None},
            {"subscriptionType": "object.creation", "objectTypeId": "0-99"},
        ],
    )
    def test_an_unusable_event_is_none(self, changed: dict[str, object]) -> None:
        assert one(**changed) is None

    def test_deleting_and_forgetting(self) -> None:
        deleted, forgotten = one(subscriptionType="contact.deletion"), one(subscriptionType="contact.privacyDeletion")
        assert deleted is not None
        assert forgotten is not None
        assert (deleted.effect, forgotten.effect, deleted.object_id) == ("delete", "forget", "123")

    def test_a_merge_is_an_event_of_each_record_that_is_gone(self) -> None:
        body = [
            {
                "subscriptionType": "contact.merge",
                "objectId": 9,
                "occurredAt": 5,
                "primaryObjectId": 9,
                "mergedObjectIds": [7, 8],
                "newObjectId": 9,
            },
            {
                "subscriptionType": "company.merge",
                "objectId": 1,
                "occurredAt": 5,
                "primaryObjectId": 1,
                "mergedObjectIds": [2],
                "newObjectId": 3,
            },
        ]
        events = parse(json.dumps(body).encode())
        assert [(e.object_type, e.object_id, e.into, e.effect) for e in events if e] == [
            ("contact", "7", "9", "merge"),
            ("contact", "8", "9", "merge"),
            ("company", "1", "3", "merge"),
            ("company", "2", "3", "merge"),
        ]
        assert parse(b'[{"subscriptionType": "contact.merge", "objectId": 9, "occurredAt": 5}]') == [None]

    @pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"[NaN]", b"\xff", b'[{"a":1,"a":2}]', b"[" * 100_000])
    def test_a_body_of_another_format_is_refused(self, body: bytes) -> None:
        with pytest.raises(ValueError, match=r"."):
            parse(body)


def older(version: str, signature: str, body: bytes = BODY, method: str = "POST", uri: str = URI) -> Delivery:
    headers = {"x-hubspot-signature": signature, "x-hubspot-signature-version": version}
    return Delivery(method, uri, headers, body)


class TestOlderSignatures:
    """HubSpot's own examples, and its SDK."""

    V1_BODY = (
        b'[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":"contact.creation",'
        b'"attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]'
    )
    V1 = "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de"
    V2 = "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900"
    V2_GET = "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"

    def test_the_known_vectors(self) -> None:
        assert VENDOR.verify(older("v1", self.V1, self.V1_BODY), [SECRET], NOW, True)
        assert VENDOR.verify(older("v2", self.V2), [SECRET], NOW, True)
        assert VENDOR.verify(older("v2", self.V2_GET, b"", "GET"), [SECRET], NOW, True)

    def test_older_signatures_are_accepted_only_where_the_connection_asks(self) -> None:
        assert not VENDOR.verify(older("v2", self.V2), [SECRET], NOW)

    def test_one_version_does_not_pass_for_another(self) -> None:
        assert not VENDOR.verify(older("v1", self.V2), [SECRET], NOW, True)
        assert not VENDOR.verify(older("v9", self.V2), [SECRET], NOW, True)

    def test_a_v3_signature_that_is_there_must_be_good(self) -> None:
        sent = older("v2", self.V2)
        bad = Delivery("POST", URI, {**sent.headers, "x-hubspot-signature-v3": "AAAA"}, BODY)
        assert not VENDOR.verify(bad, [SECRET], NOW, True)

    @pytest.mark.parametrize("version", ["v1", "v2"])
    def test_no_mutation_is_accepted(self, version: str) -> None:
        rng = random.Random(8)
        good = Signature.get_signature(SECRET, BODY.decode(), version, URI, "POST")
        assert VENDOR.verify(older(version, good), [SECRET], NOW, True)
        accepted = 0
        for _ in range(1000):
            chars = list(good)
            chars[rng.randrange(len(chars))] = chr(rng.randrange(256))
            mutated = "".join(chars)
            accepted += mutated != good and VENDOR.verify(older(version, mutated), [SECRET], NOW, True)
        assert accepted == 0
