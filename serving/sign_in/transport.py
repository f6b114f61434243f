"""How a request reached us: from which address, and whether nobody on the way could read a key or a cookie.

A listed proxy (`ACCOUNTSCORE_PROXY_NETWORKS`) is believed; the same headers from anybody else are not.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from serving.sign_in_settings import SignInSettings, is_local

_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto")


@dataclass(frozen=True)
class Transport:
    """What is known of the way of one request."""

    address: str
    """Of the client; of the proxy where no proxy is listed."""
    from_proxy: bool
    """Whether a listed proxy sent it."""
    secure: bool
    """Whether it came by HTTPS, or never left this machine."""
    why: str
    """Where it is not secure: what is missing and the next step."""
    hosts: frozenset[str]
    """Host and port under which the browser may know us, lower case."""


def transport_of(scope: Any, settings: SignInSettings) -> Transport:
    """Reads the way of a request from its ASGI scope."""
    peer = (scope.get("client") or ("",))[0]
    from_proxy = settings.is_proxy(peer)
    host = _one(scope, b"host")
    hosts = {host.lower()}
    if settings.public_url is not None:
        hosts.add(settings.public_url.partition("://")[2].lower())
    proto, address = "", peer
    if from_proxy:
        hosts |= {_one(scope, b"x-forwarded-host").lower()}
        proto = _one(scope, b"x-forwarded-proto").strip().lower()
        address = _client_behind(scope, settings, peer)
    forwarded = any(name in _FORWARDED for name, _ in scope["headers"])
    local = _is_loopback(peer) and not forwarded and is_local(_name_of(host))
    secure = scope.get("scheme") == "https" or proto == "https" or local
    return Transport(address, from_proxy, secure, "" if secure else _why(peer, from_proxy), frozenset(hosts - {""}))


def _why(peer: str, from_proxy: bool) -> str:
    if from_proxy:
        return f"the proxy {peer} did not say X-Forwarded-Proto: https: let it, and let it ask for https"
    return (
        "this page came over plain http, where a key can be read on the way: open it by https. Behind a proxy that speaks "
        f"https, list its address ({peer or 'unknown'}) in ACCOUNTSCORE_PROXY_NETWORKS and let it set X-Forwarded-Proto"
    )


def _client_behind(scope: Any, settings: SignInSettings, peer: str) -> str:
    """The nearest address of X-Forwarded-For that no listed proxy has: what stands before it, the client may have
    written itself.
    """
    for text in reversed(_one(scope, b"x-forwarded-for").split(",")):
        try:
            address = str(ipaddress.ip_address(text.strip()))
        except ValueError:
            break
        if not settings.is_proxy(address):
            return address
    return peer


def _one(scope: Any, name: bytes) -> str:
    """A header that is there once; else nothing."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else ""


def _name_of(host: str) -> str:
    """A host without its port.

    >>> _name_of("localhost:8000"), _name_of("[::1]:8000"), _name_of("[")
    ('localhost', '::1', '')
    """
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
