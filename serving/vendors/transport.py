"""HTTP transport with one deadline for a whole call. httpx's timeouts limit each read, so that an answer that drips
never times out."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

WHOLE_SECONDS = 60.0
"""Deadline of a call, from asking for a connection to the last byte of the answer."""
_of_thread = threading.local()
"""`end`: the monotonic deadline in seconds of the call that the thread makes. Connections are reused, so it is not
stored with them."""


def _left(timeout: float | None, late: type[Exception]) -> float:
    left: float = _of_thread.end - time.monotonic()
    if left <= 0:
        raise late("the call takes too long")
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        # Python's TLS handshake has a single deadline.
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout, httpcore.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    def close(self) -> None:
        self._inner.close()


class _Network(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        # The lookup of the name has the system's own limit (resolv.conf: 5 s a try, 2 tries of each server). Then each
        # address is tried for `timeout`.
        found = super().connect_tcp(host, port, _left(timeout, httpcore.ConnectTimeout), local_address, socket_options)
        return _Stream(found)


class Transport(httpx.HTTPTransport):
    """httpx's transport over connections that keep the deadline. Takes nothing from the environment."""

    def __init__(self, context: ssl.SSLContext, most_idle: int = 20) -> None:
        super().__init__(verify=context, trust_env=False)
        self._pool.close()
        # httpx has no parameter for the network backend; httpcore has.
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=100,
            max_keepalive_connections=most_idle,
            keepalive_expiry=5.0,
            network_backend=_Network(),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        _of_thread.end = time.monotonic() + WHOLE_SECONDS
        return super().handle_request(request)
