"""User and password in the header Authorization."""

from __future__ import annotations

import base64

import pytest

from serving.vendors import basic_auth
from serving.vendors.inbound import Delivery
from serving.vendors.pipedrive.inbound import Pipedrive
from tests.kit.cases import CASES, basic

VENDOR = Pipedrive()


CASE = next(case for case in CASES if case.vendor == "pipedrive")


SECRET = CASE.secret


URI = "https://scores.example.com/webhooks/crm"


def verify(*values: str, secrets: tuple[str, ...] = (SECRET,)) -> bool:
    headers = {"authorization": values[0]} if len(values) == 1 else {}
    return VENDOR.verify(Delivery("POST", URI, headers, b""), secrets, 0)


def login(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


class TestLogin:
    def test_user_and_password_as_other_libraries_send_them(self) -> None:
        for secret in (SECRET, "ann:with:colons:in:it", "jürgen:straße straße straße"):
            assert verify(login(secret.encode()), secrets=("another:aaaaaaaaaaaaaaaa", secret))
        assert verify(basic(SECRET, b"", "", 0)["authorization"])
        assert verify(basic(SECRET, b"", "", 0)["authorization"].replace("Basic", "bAsIc"))

    @pytest.mark.parametrize(
        "bad",
        [
            "",
            "Basic",
            "Basic ",
            "basic " * 2,
            login(b"other:" + b"k" * 36),
            login(b"pipedrive:" + b"k" * 35),
            login(b"Pipedrive:" + b"k" * 36),
            login(SECRET.encode() + b" "),
            login(SECRET.encode() + b"\0"),
            login(b""),
            login(SECRET.encode()).replace("Basic ", "Basic  "),
            login(SECRET.encode()).replace("Basic ", "Basic\t"),
            login(SECRET.encode()).replace("Basic", "Bearer"),
            "Basic " + SECRET,
            login(SECRET.encode()) + "=",
            login(SECRET.encode())[:-1],
            "Basic \xff\xfe",
            "Basic ====",
            f"{login(SECRET.encode())},{login(b'a:b')}",
            login(b"pipedrive:" + b"k" * 36)[:-1] + "\n",
            "Basic " + "A" * 100_000,
        ],
    )
    def test_any_other_login_is_refused(self, bad: str) -> None:
        assert not verify(bad)

    def test_another_spelling_of_the_same_bytes_is_refused(self) -> None:
        """Base64 has unused bits at its end: what is not the one spelling is no login."""
        right = login(b"pipedrive:" + b"k" * 37)
        assert right.endswith("=")
        other = right[:-2] + chr(ord(right[-2]) + 1) + "="
        assert base64.b64decode(other[6:]) == base64.b64decode(right[6:])
        assert verify(right, secrets=("pipedrive:" + "k" * 37,))
        assert not verify(other, secrets=("pipedrive:" + "k" * 37,))

    def test_every_secret_is_compared_whole_and_in_constant_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[int] = []

        class Hmac:
            @staticmethod
            def compare_digest(one: bytes, other: bytes) -> bool:
                seen.append(len(one))
                return one == other

        monkeypatch.setattr(basic_auth, "hmac", Hmac)
        assert verify(login(SECRET.encode()), secrets=(SECRET, "a:" + "b" * 16, "c:" + "d" * 200))
        assert seen == [32, 32, 32]
