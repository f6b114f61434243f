"""How a request reached us, and who is believed about it."""

from __future__ import annotations

import ipaddress

import pytest

from serving.sign_in.transport import Transport, transport_of
from serving.sign_in_settings import SignInSettings

PROXIED = SignInSettings(proxies=(ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("127.0.0.1")))


def seen(peer: str, settings: SignInSettings = PROXIED, scheme: str = "http", **headers: str) -> Transport:
    given = {"host": "scores.example.com", **headers}
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]
    return transport_of({"scheme": scheme, "client": (peer, 1), "headers": pairs}, settings)


class TestSecure:
    def test_plain_http_from_elsewhere_is_not_and_the_next_step_is_told(self) -> None:
        found = seen("192.0.2.7")
        assert not found.secure
        assert "192.0.2.7" in found.why
        assert "ACCOUNTSCORE_PROXY_NETWORKS" in found.why

    def test_https_is(self) -> None:
        assert seen("192.0.2.7", scheme="https") == Transport(
            "192.0.2.7", False, True, "", frozenset({"scores.example.com"})
        )

    def test_a_listed_proxy_is_believed_and_a_stranger_is_not(self) -> None:
        assert seen("10.1.2.3", x_forwarded_proto="https").secure
        assert not seen("192.0.2.7", x_forwarded_proto="https").secure
        assert not seen("10.1.2.3", SignInSettings(), x_forwarded_proto="https").secure  # the twin: nothing is listed

    def test_a_listed_proxy_that_does_not_say_https_is_told_so(self) -> None:
        assert "X-Forwarded-Proto: https" in seen("10.1.2.3").why
        assert not seen("10.1.2.3", x_forwarded_proto="http").secure

    def test_a_chain_that_was_plain_somewhere_is_not(self) -> None:
        assert not seen("10.1.2.3", x_forwarded_proto="https, http").secure

    @pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
    def test_what_never_leaves_this_machine_is(self, host: str) -> None:
        assert seen("127.0.0.1", SignInSettings(), host=host).secure
        assert seen("::1", SignInSettings(), host=host).secure

    @pytest.mark.parametrize("name", ["x_forwarded_for", "x_forwarded_proto", "forwarded", "x_forwarded_host"])
    def test_a_proxy_on_this_machine_is_no_loopback(self, name: str) -> None:
        assert not seen("127.0.0.1", SignInSettings(), host="localhost", **{name: "for=192.0.2.7"}).secure

    @pytest.mark.parametrize("host", ["scores.example.com", "localhost.evil.example", "[", ""])
    def test_another_name_is_no_loopback(self, host: str) -> None:
        assert not seen("127.0.0.1", SignInSettings(), host=host).secure


class TestAddress:
    def test_behind_listed_proxies_it_is_the_nearest_that_is_not_one(self) -> None:
        assert seen("10.1.2.3", x_forwarded_for="198.51.100.1, 192.0.2.7, 10.9.9.9").address == "192.0.2.7"
        assert seen("10.1.2.3", x_forwarded_for="not an address").address == "10.1.2.3"
        assert seen("192.0.2.7", x_forwarded_for="198.51.100.1").address == "192.0.2.7"

    def test_hosts_are_those_that_the_browser_may_know(self) -> None:
        settings = SignInSettings("https://Public.example", PROXIED.proxies)
        found = seen("10.1.2.3", settings, x_forwarded_host="front.example").hosts
        assert found == {"scores.example.com", "public.example", "front.example"}
        assert seen("192.0.2.7", settings, x_forwarded_host="evil.example").hosts == {
            "scores.example.com",
            "public.example",
        }


def test_an_ipv4_address_written_as_ipv6_is_the_same_proxy() -> None:
    assert seen("::ffff:10.1.2.3", x_forwarded_proto="https").secure
