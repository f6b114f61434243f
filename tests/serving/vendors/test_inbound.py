"""One suite that every vendor of webhooks passes, through the API itself; deliveries are signed by strangers' libraries."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from serving.vendors.registry import VENDORS
from tests.kit.cases import CASES, Door, open_door
from tests.kit.found import cases

MUTATIONS = [100, pytest.param(1_000, marks=pytest.mark.slow)]


EVERY = [*CASES, *cases("INBOUND")]


@pytest.fixture(params=EVERY, ids=[case.name for case in EVERY])
def door(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    with open_door(request.param, tmp_path, monkeypatch) as found:
        yield found


def test_every_vendor_is_in_the_suite() -> None:
    assert {case.vendor for case in EVERY} == {name for name, vendor in VENDORS.items() if vendor.inbound}


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

    def test_an_authentic_body_of_another_format_is_400(self, door: Door) -> None:
        for body in (b"", b"hello", b"[1]", b'{"a": NaN}', b"\xef\xbb\xbf[]"):
            assert door.post(door.headers(body), body) == 400
        assert door.stored() == 0

    @pytest.mark.parametrize("mutations", MUTATIONS)
    def test_mutations_are_all_refused_and_none_is_an_error_of_ours(self, door: Door, mutations: int) -> None:
        """Signature or key, header names and values, time and signed body, one change each."""
        rng, tried = random.Random(11), 0
        while tried < mutations:
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
            if not door.case.query and body == door.case.body and door.case.same(before, headers):
                continue
            status, tried = door.post(headers, body, path), tried + 1
            assert status == 401, (status, which, name, headers, path)
        assert door.stored() == 0

    @pytest.mark.parametrize("mutations", MUTATIONS)
    def test_mutations_of_an_unsigned_body_are_no_error_of_ours(self, door: Door, mutations: int) -> None:
        if door.case.signs_body:
            return
        rng, seen = random.Random(12), set()
        for _ in range(mutations):
            body = bytearray(door.case.body)
            for _ in range(rng.randrange(1, 4)):
                place = rng.randrange(len(body))
                body[place : place + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
            seen.add(door.post(door.headers(), bytes(body)))
        assert seen <= {door.accepted, 400, 401}
        assert {door.accepted, 400} <= seen

    def test_secrets_rotate_and_two_keys_are_none(self, door: Door) -> None:
        old = door.case.old_secret
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
