"""Which addresses a callback may reach: every range that is not the public internet, and the public ones beside them."""

from __future__ import annotations

import ssl

import httpx
import pytest

from serving.vendors import ssrf_guard
from serving.vendors.ssrf_guard import Forbidden, PinnedTransport, checked, is_public

INSIDE = {
    "this network": "0.0.0.0 0.1.2.3 0.255.255.255",
    "private": "10.0.0.0 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255 fc00::1 fdff::1",
    "shared by a carrier": "100.64.0.0 100.127.255.255",
    "loopback": "127.0.0.1 127.255.255.255 ::1",
    "link-local": "169.254.0.1 169.254.255.255 fe80::1 fe80::1%eth0 febf:ffff::1",
    "site-local": "fec0:: fec0::1 feff:ffff::1",
    "metadata of a cloud": "169.254.169.254 169.254.170.2 168.63.129.16 100.100.100.200 192.0.0.192 fd00:ec2::254 fd20:ce::254",
    "documentation": "192.0.2.1 198.51.100.1 203.0.113.1 2001:db8::1 3fff:: 3fff:fff:ffff::1",
    "benchmarks": "198.18.0.1 198.19.255.255 2001:2::1",
    "multicast": "224.0.0.1 239.255.255.255 ff02::1 ff0e::1",
    "reserved": "240.0.0.1 255.255.255.255 4000::1 8000::1 200::1 1::1",
    "unspecified": "::",
    "discarded": "100::1",
    "segment routing": "5f00:: 5f00:ffff::1",
    "protocol assignments": "192.0.0.0 192.0.0.9 192.0.0.255 192.31.196.1 192.52.193.1 192.175.48.1 2001:1::1 2001:20::1 2620:4f:8000::1",
    "relay of 6to4": "192.88.99.0 192.88.99.1 192.88.99.255",
    "6to4": "2002:7f00:1:: 2002:808:808::1",
    "Teredo": "2001:: 2001:0:808:808::1",
    "IPv4-mapped": "::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:168.63.129.16 ::ffff:0.0.0.0",
    "IPv4-compatible": "::127.0.0.1 ::10.0.0.1 ::8.8.8.8",
    "IPv4-translated": "::ffff:0:127.0.0.1 ::ffff:0:10.0.0.1 ::ffff:0:8.8.8.8",
    "NAT64": "64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 64:ff9b::168.63.129.16 64:ff9b:1::8.8.8.8",
    "ISATAP": (
        "2606:2800::5efe:10.0.0.1 2606:2800::100:5efe:127.0.0.1 2606:2800::200:5efe:169.254.169.254 "
        "2606:2800::300:5efe:192.88.99.1 fe80::5efe:8.8.8.8"
    ),
}


PUBLIC = """
    8.8.8.8 1.1.1.1 93.184.216.34 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 168.63.129.15 168.63.129.17 169.253.1.1
    172.15.0.1 172.32.0.1 192.0.1.1 192.88.98.1 192.88.100.1 192.167.0.1 192.169.0.1 198.17.0.1 198.20.0.1 223.255.255.255
    2606:4700::1111 2001:4860:4860::8888 2a00:1450::1 2600:: 3ffe::1 2001:200::1 2003::1 2620:4f:7fff::1
    ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2606:2800::5efe:8.8.8.8 2606:2800::1:5efe:10.0.0.1
""".split()  # noqa: SIM905  # a table is read more easily


@pytest.mark.parametrize("kind", INSIDE)
def test_every_special_range_is_refused(kind: str) -> None:
    for address in INSIDE[kind].split():
        assert not is_public(address), address
        assert not checked(address, ["192.168.77.0/24", "fd77::/64"]), address


def test_public_addresses_are_allowed() -> None:
    assert [address for address in PUBLIC if not is_public(address)] == []


def test_an_operator_may_allow_a_range_of_his_own() -> None:
    assert checked("fec0::7", ["fec0::/64"])
    assert checked("10.1.2.3", ["10.1.0.0/16"])
    assert not checked("10.2.2.3", ["10.1.0.0/16"])


def test_without_our_ranges_some_of_each_would_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sabotaged twin: `ipaddress` alone. Ranges that this release of Python knows are not asked for."""
    monkeypatch.setattr(ssrf_guard, "_REFUSED", [])
    monkeypatch.setattr(ssrf_guard, "_ISATAP", -1)
    through = {kind for kind, addresses in INSIDE.items() if any(is_public(a) for a in addresses.split())}
    assert through >= {"metadata of a cloud", "protocol assignments", "ISATAP"}


@pytest.mark.parametrize("kind", INSIDE)
def test_a_name_that_resolves_to_such_a_range_is_not_called(kind: str) -> None:
    answers: list[str] = []
    transport = PinnedTransport(ssl.create_default_context(), (), lambda _host, _port: answers)
    for address in INSIDE[kind].split():
        for answers in ([address], ["93.184.216.34", address]):  # noqa: B007  # the resolver above reads it
            with pytest.raises(Forbidden):
                transport.handle_request(httpx.Request("POST", "https://hooks.example.com/"))
