"""Calling an address that a customer gave: resolved once, looked at, and called at exactly what was looked at.

Without it a callback is a way into our own network (server-side request forgery): by an address inside it, by a name that
answers differently the second time (DNS rebinding), or by a redirect. Source: OWASP, "SSRF Prevention Cheat Sheet".
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence

import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Forbidden(httpx.ConnectError):
    """Raised for an address that a callback must not reach."""


def resolve(host: str, port: int) -> list[str]:
    """Every address of a host; raises `httpx.ConnectError` when there is none."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        raise httpx.ConnectError("the host has no address") from None


def is_public(address: str) -> bool:
    """Whether an address is in the public internet, those that hide another one looked into.

    >>> [is_public(a) for a in ("93.184.216.34", "127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "0.0.0.0")]
    [True, False, False, False, False, False]
    >>> [is_public(a) for a in ("::1", "::ffff:127.0.0.1", "fe80::1", "fd00::1", "64:ff9b::7f00:1", "2002:7f00:1::")]
    [False, False, False, False, False, False]
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        hidden = found.ipv4_mapped or found.sixtofour or (found.teredo and found.teredo[1]) or None
        if hidden is None and found in _NAT64:
            hidden = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if hidden is not None:
            return is_public(str(hidden))
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


def checked(address: str, allowed: Sequence[str]) -> bool:
    bare = ipaddress.ip_address(address.partition("%")[0])
    return is_public(address) or any(bare in ipaddress.ip_network(network) for network in allowed)


class PinnedTransport(httpx.BaseTransport):
    """Resolves the host, refuses it when any of its addresses is not public or allowed, and connects to the first one.
    The certificate must still be the host's."""

    def __init__(self, context: ssl.SSLContext, allowed: Sequence[str] = (), resolver: Resolve = resolve) -> None:
        # No connection is kept: the next call looks anew.
        self._inner = httpx.HTTPTransport(
            verify=context, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )
        self._allowed, self._resolve = tuple(allowed), resolver

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if url.scheme != "https":
            raise Forbidden("a callback is https")
        addresses = self._resolve(url.host, url.port or 443)
        if not addresses or not all(checked(address, self._allowed) for address in addresses):
            raise Forbidden("the host is not in the public internet")
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        request.url = url.copy_with(host=addresses[0])  # the header Host was set from the name already
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()
