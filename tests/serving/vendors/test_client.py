"""Calls to a CRM: what an answer means, and what the client does not do."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from serving.vendors import client as module
from serving.vendors.calls import CallFailed, CallRefused
from serving.vendors.client import judge, make_client
from serving.vendors.destination import WriteBack

URL = "https://crm.example/x"


class Parts(httpx.SyncByteStream):
    """An answer's content that has not been read yet, as it comes over a socket."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        yield from self._parts


def ask(answer: Callable[[httpx.Request], httpx.Response], **headers: str) -> httpx.Response:
    with make_client(WriteBack(), headers, httpx.MockTransport(answer)) as client:
        return judge(lambda: client.get(URL))


def failure(status: int, locked: float = 0.0, **headers: str) -> CallFailed:
    def answer() -> httpx.Response:
        return httpx.Response(status, headers=headers)

    with pytest.raises(CallFailed) as caught:
        judge(answer, locked)
    return caught.value


class TestJudge:
    @pytest.mark.parametrize("status", [200, 201, 204, 207])
    def test_2xx_is_the_answer(self, status: int) -> None:
        assert judge(lambda: httpx.Response(status)).status_code == status

    @pytest.mark.parametrize("status", [302, 307, 400, 404, 409, 422])
    def test_what_is_wrong_with_the_call_is_refused(self, status: int) -> None:
        with pytest.raises(CallRefused, match=f"HTTP {status}"):
            judge(lambda: httpx.Response(status))

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_wrong_token_waits_a_minute_at_least_and_counts_no_attempt(self, status: int) -> None:
        assert (failure(status).retry_after, failure(status).paused) == (60.0, True)
        assert failure(status, **{"retry-after": "90"}).retry_after == 90.0  # type: ignore[arg-type]

    def test_too_many_requests_count_no_attempt(self) -> None:
        error = failure(429, **{"retry-after": "7"})  # type: ignore[arg-type]
        assert (str(error), error.retry_after, error.paused) == ("HTTP 429", 7.0, True)

    def test_a_locked_record_waits_as_long_as_the_vendor_needs(self) -> None:
        assert [failure(423, 2.0).retry_after, failure(423, 2.0, **{"retry-after": "5"}).retry_after] == [2.0, 5.0]

    @pytest.mark.parametrize("status", [408, 425, 500, 502, 503])
    def test_temporary_errors_are_retried_and_counted(self, status: int) -> None:
        assert (failure(status).retry_after, failure(status).paused) == (None, False)

    def test_an_answer_that_does_not_come_has_the_name_of_its_error(self) -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            raise httpx.ReadTimeout("after 30 s at https://user:password@crm.example")

        with pytest.raises(CallFailed, match=r"^ReadTimeout$"):
            ask(answer)


class TestMakeClient:
    def test_a_redirect_is_not_followed(self) -> None:
        asked: list[str] = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(str(request.url))
            return httpx.Response(302, headers={"location": "https://elsewhere.example"})

        with pytest.raises(CallRefused, match="HTTP 302"):
            ask(answer)
        assert asked == [URL]

    def test_it_says_who_it_is_and_wants_nothing_compressed(self) -> None:
        sent = ask(lambda request: httpx.Response(200, json=dict(request.headers)), extra="of the vendor").json()
        assert (sent["user-agent"], sent["accept-encoding"]) == ("accountscore", "identity")
        assert sent["extra"] == "of the vendor"

    def test_credentials_of_the_environment_are_not_sent(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / ".netrc").write_text("machine crm.example login me password secret")
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        assert "authorization" not in ask(lambda request: httpx.Response(200, json=dict(request.headers))).json()

    def test_an_answer_ends_at_the_largest_size(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "LARGEST_ANSWER", 10)
        assert ask(lambda _: httpx.Response(200, stream=Parts(b"12345", b"67890"))).content == b"1234567890"
        with pytest.raises(CallFailed, match="ReadError"):
            ask(lambda _: httpx.Response(200, stream=Parts(b"12345", b"67890", b"1")))

    def test_a_compressed_answer_is_not_unpacked(self) -> None:
        packed = Parts(gzip.compress(b"{}"))
        with pytest.raises(CallFailed, match="DecodingError"):
            ask(lambda _: httpx.Response(200, headers={"content-encoding": "GZIP"}, stream=packed))
