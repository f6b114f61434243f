"""A key in the address or in a header, where a vendor signs nothing."""

from __future__ import annotations

import random

import pytest

from serving.vendors import shared_key
from serving.vendors.inbound import Delivery
from serving.vendors.salesforce.inbound import Salesforce
from tests.kit.cases import PUBLIC

VENDOR = Salesforce()


SECRET = "k" * 36


URI = f"{PUBLIC}/webhooks/crm?key={SECRET}"


def verified(key: str | None = None, uri: str = URI) -> bool:
    headers = {} if key is None else {"x-webhook-key": key}
    return VENDOR.verify(Delivery("POST", uri, headers, b""), ["an older secret of ours", SECRET], 0)


class TestKey:
    def test_a_key_in_the_address_or_a_header_is_accepted(self) -> None:
        assert verified()
        assert verified(uri=URI.replace("k" * 36, "%6b" * 36))
        assert verified(SECRET, f"{PUBLIC}/webhooks/crm")

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "?",
            "?key",
            "?key=",
            "?Key=" + SECRET,
            "?key=%",
            "?key=" + SECRET + "%00",
            "?key=" + SECRET + "&key=",
            "?;key=" + SECRET,
        ],
    )
    def test_a_missing_malformed_or_repeated_key_is_refused(self, query: str) -> None:
        assert not verified(uri=f"{PUBLIC}/webhooks/crm{query}")

    def test_no_mutation_is_accepted(self) -> None:
        assert accepted() == 0

    def test_a_lax_comparison_is_caught(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin."""
        monkeypatch.setattr(shared_key.hmac, "compare_digest", lambda a, b: a[:1] == b[:1])  # type: ignore[attr-defined]
        assert accepted() > 0

    def test_keys_are_compared_in_constant_time_with_every_secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[int] = []
        compare = shared_key.hmac.compare_digest  # type: ignore[attr-defined]
        monkeypatch.setattr(shared_key.hmac, "compare_digest", lambda a, b: seen.append(len(a)) or compare(a, b))  # type: ignore[attr-defined]
        VENDOR.verify(Delivery("POST", f"{PUBLIC}?key=short", {}, b""), [SECRET, "another secret"], 0)
        assert seen == [32, 32]


def accepted() -> int:
    rng, count = random.Random(3), 0
    for number in range(2000):
        chars = list(SECRET)
        for _ in range(rng.randrange(1, 3)):
            place = rng.randrange(len(chars))
            chars[place : place + rng.randrange(2)] = [chr(rng.randrange(1, 0x2000))] * rng.randrange(2)
        mutated = "".join(chars)
        if mutated != SECRET:
            by_header = number % 2
            uri = f"{PUBLIC}/webhooks/crm"
            count += verified(mutated, uri) if by_header else verified(uri=f"{uri}?key={mutated.replace('&', '%26')}")
    return count
