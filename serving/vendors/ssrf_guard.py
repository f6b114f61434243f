"""Guards calls to addresses that a customer gave: the name is resolved once, the address checked, and exactly that
address called.

Without it a callback is a way into our own network (server-side request forgery): by an internal address, by a name
that resolves differently the second time (DNS rebinding), or by a redirect. Source: OWASP, "SSRF Prevention Cheat Sheet".
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence

import httpx

from serving.vendors.transport import Transport

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
_REFUSED = [
    ipaddress.ip_network(network)
    for network in (
        "fec0::/10",  # site-local (RFC 3879): routed inside some networks still
        "3fff::/20",  # documentation (RFC 9637)
        "5f00::/16",  # segment routing identifiers (RFC 9602)
        "64:ff9b:1::/48",  # NAT64 of one's own network (RFC 8215): how the address is hidden is its own affair
        "192.88.99.0/24",  # relay anycast of 6to4 (RFC 7526)
        "168.63.129.16/32",  # the host of a virtual machine in Azure, beside 169.254.169.254
        "192.0.0.0/24",  # protocol assignments (RFC 6890); 192.0.0.192 tells secrets of a machine in Oracle's cloud
        "192.31.196.0/24",  # AS112 (RFC 7535),
        "192.175.48.0/24",  # (RFC 7534),
        "2620:4f:8000::/48",  # and the same: sinks for questions about private names
        "192.52.193.0/24",  # relays of multicast (RFC 7450)
        "2001::/23",  # protocol assignments (RFC 2928), Teredo (RFC 4380) among them, and
        "2002::/16",  # 6to4 (RFC 3056): both are tunnels to an IPv4 address, and given up
        "::/96",  # IPv4-compatible (RFC 4291), given up
        "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
    )
]
"""Ranges that some release of `ipaddress` calls global and that no callback may reach."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_ISATAP, _ISATAP_BITS = 0x00005EFE, 0xFCFFFFFF
"""The upper half of an interface identifier that embeds an IPv4 address, with its bits u and g masked (RFC 5214)."""


class Forbidden(httpx.ConnectError):
    """Raised for an address that a callback must not reach."""


def resolve(host: str, port: int) -> list[str]:
    """Every address of a host. Raises `httpx.ConnectError` when there is none. The system's resolver has its own
    timeout."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        raise httpx.ConnectError("the host has no address") from None


def is_public(address: str) -> bool:
    """Whether an address is in the public internet. An IPv4 address inside an IPv6 address is checked too.

    >>> [is_public(a) for a in ("93.184.216.34", "127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "0.0.0.0")]
    [True, False, False, False, False, False]
    >>> [is_public(a) for a in ("2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822")]
    [True, True, True]
    >>> [is_public(a) for a in ("::1", "::ffff:127.0.0.1", "fe80::1", "fd00::1", "64:ff9b::7f00:1", "2002:7f00:1::")]
    [False, False, False, False, False, False]
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if any(found.version == network.version and found in network for network in _REFUSED):
        return False
    if isinstance(found, ipaddress.IPv6Address):
        last = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if found.ipv4_mapped or found in _NAT64:
            return is_public(str(last))
        if (int(found) >> 32) & _ISATAP_BITS == _ISATAP and not is_public(str(last)):
            return False
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


def checked(address: str, allowed: Sequence[str]) -> bool:
    bare = ipaddress.ip_address(address.partition("%")[0])
    return is_public(address) or any(bare in ipaddress.ip_network(network) for network in allowed)


class PinnedTransport(httpx.BaseTransport):
    """Resolves the host, refuses it when any of its addresses is not public or allowed, and connects to the first one.
    The certificate must still be the host's."""

    def __init__(self, context: ssl.SSLContext, allowed: Sequence[str] = (), resolver: Resolve = resolve) -> None:
        # No connection is kept, so that every call is checked.
        self._inner = Transport(context, most_idle=0)
        self._allowed, self._resolve = tuple(allowed), resolver

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if url.scheme != "https":
            raise Forbidden("a callback is https")
        addresses = self._resolve(url.host, url.port or 443)
        if not addresses or not all(checked(address, self._allowed) for address in addresses):
            raise Forbidden("the host is not in the public internet")
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        request.url = url.copy_with(host=addresses[0])  # the Host header already has the name
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()
