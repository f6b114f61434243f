"""The HTTP client for calls to a CRM, and what the status of an answer means for the call."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping

import httpx

from serving.vendors.calls import CallFailed, CallRefused
from serving.vendors.destination import WriteBack
from serving.vendors.retry_after import retry_after
from serving.vendors.transport import Transport

CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 30.0
"""Timeouts: for the connection, and between two reads of an answer."""
LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes: 200 records of Salesforce have 40 kB."""


def make_client(
    config: WriteBack,
    headers: Mapping[str, str],
    transport: httpx.BaseTransport | None = None,
    auth: httpx.Auth | None = None,
) -> httpx.Client:
    """A client that verifies certificates, follows no redirect, and takes no proxy or credentials from the environment."""
    return httpx.Client(
        headers={"User-Agent": "accountscore", "Accept-Encoding": "identity", **headers},
        timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        follow_redirects=False,
        trust_env=False,
        transport=transport or Transport(trusted(config)),
        auth=auth,
        event_hooks={"response": [_bound]},
    )


class _Bounded(httpx.SyncByteStream):
    """The body of an answer, limited to `LARGEST_ANSWER`. The transport limits its time."""

    def __init__(self, stream: httpx.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        left = LARGEST_ANSWER
        for part in self._stream:
            left -= len(part)
            if left < 0:
                raise httpx.ReadError("the answer is too large")
            yield part

    def close(self) -> None:
        self._stream.close()


def _bound(answer: httpx.Response) -> None:
    # The limit counts bytes as they arrive, and 16 MB of gzip may hold 16 GB. So compression is neither requested nor
    # accepted.
    if answer.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise httpx.DecodingError("the answer is compressed, which was not asked for")
    if isinstance(answer.stream, httpx.SyncByteStream):
        answer.stream = _Bounded(answer.stream)


def trusted(config: WriteBack) -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=False)
    if config.ca_file is not None:
        context.load_verify_locations(config.ca_file)
    return context


def judge(call: Callable[[], httpx.Response], locked: float = 0.0) -> httpx.Response:
    """The answer when it is 2xx. Raises `CallFailed` where trying again can help, `CallRefused` where it cannot."""
    try:
        answer = call()
    except httpx.HTTPError as error:
        raise CallFailed(type(error).__name__) from None
    status = answer.status_code
    if 200 <= status < 300:
        return answer
    wait = retry_after(answer.headers.get("retry-after"))
    why = f"HTTP {status}"
    if status in (
        401,
        403,
    ):  # a wrong token fails every write: a person has to mend it, and nothing is lost until then
        raise CallFailed(why, max(wait or 0.0, 60.0), paused=True)
    if status == 429:
        raise CallFailed(why, wait, paused=True)
    if status == 423:
        raise CallFailed(why, max(wait or 0.0, locked))
    if status in (408, 425) or status >= 500:
        raise CallFailed(why, wait)
    raise CallRefused(why)  # 3xx too: no redirect is followed
