"""A CRM that answers byte by byte, or without end, keeps nobody: a real socket."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
from collections.abc import Iterator
from itertools import repeat

import httpx
import pytest

from serving.vendors import client as module
from serving.vendors import transport
from serving.vendors.calls import CallFailed
from serving.vendors.client import judge, make_client
from serving.vendors.destination import WriteBack

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"


PLACES = {
    "the status line": (b"", b"H"),
    "the name of a header": (b"HTTP/1.1 200 OK\r\n", b"x"),
    "header after header": (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
    "interim answers": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "the content": (HEAD, b"1\r\n \r\n"),
    "the size of a part": (HEAD, b"0"),
    "the trailer": (HEAD + b"0\r\n", b"x: y\r\n"),
    "content of a stated length": (b"HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n", b" "),
}


class Clock:
    """The client's: each part that drips takes a second, so that no deadline depends on how busy the machine is."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(transport, "time", made)
    monkeypatch.setattr(transport, "WHOLE_SECONDS", 20.0)
    return made


@contextlib.contextmanager
def answering(start: bytes, part: bytes, pause: float, whole: bytes = b"", clock: Clock | None = None) -> Iterator[str]:
    """A server that sends `whole` to the first request, to the last one `start` and then `part` again and again until nobody
    listens; yields its address."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            with contextlib.suppress(OSError):
                call, _ = server.accept()
                with call:
                    call.recv(65536)
                    if whole:
                        call.sendall(whole)
                        call.recv(65536)
                    call.sendall(start)
                    for each in repeat(part):
                        call.sendall(each)
                        if over.wait(pause):
                            return
                        if clock is not None:
                            clock.now += 1.0

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        over.set()
    thread.join(30)


@pytest.mark.parametrize("place", PLACES)
def test_a_dripping_answer_ends_at_the_deadline(place: str, clock: Clock) -> None:
    with (
        answering(*PLACES[place], 0.005, clock=clock) as url,
        make_client(WriteBack(), {}) as client,
        pytest.raises(CallFailed, match="ReadTimeout"),
    ):
        judge(lambda: client.get(url))
    assert clock.now >= 20


def test_a_connection_that_is_used_again_has_a_new_deadline(clock: Clock) -> None:
    whole = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
    with answering(*PLACES["the name of a header"], 0.005, whole, clock) as url, make_client(WriteBack(), {}) as client:
        assert judge(lambda: client.get(url)).json() == {}
        clock.now = 25.0
        with pytest.raises(CallFailed, match="ReadTimeout"):
            judge(lambda: client.get(url))
        assert clock.now >= 25 + 20


def test_an_answer_ends_at_the_largest_size() -> None:
    part = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with (
        answering(HEAD, part, 0.0) as url,
        make_client(WriteBack(), {}) as client,
        pytest.raises(CallFailed, match="ReadError"),
    ):
        judge(lambda: client.get(url))


def test_without_the_limits_an_answer_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sabotaged twin: each part comes in time, for as long as one looks."""
    monkeypatch.setattr(transport, "WHOLE_SECONDS", 1e6)
    monkeypatch.setattr(module, "LARGEST_ANSWER", 10**12)
    with (
        answering(*PLACES["the content"], 0.001) as url,
        make_client(WriteBack(), {}) as client,
        client.stream("GET", url) as answer,
    ):
        assert sum(1 for _, _part in zip(range(100), answer.iter_bytes(), strict=False)) == 100
    head = threading.Event()

    def wait(url: str) -> None:
        with contextlib.suppress(CallFailed), make_client(WriteBack(), {}) as client:
            judge(lambda: client.get(url))
        head.set()

    with answering(*PLACES["the name of a header"], 0.02) as url:
        threading.Thread(target=wait, args=(url,), daemon=True).start()
        assert not head.wait(1.0)


def packed() -> bytes:
    content = gzip.compress(b" " * 32_000_000)
    return b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%s" % (len(content), content)


def test_an_answer_is_not_unpacked() -> None:
    with (
        answering(b"", b" ", 0.02, packed()) as url,
        make_client(WriteBack(), {}) as client,
        pytest.raises(CallFailed, match="DecodingError"),
    ):
        judge(lambda: client.get(url))


def test_an_unpacked_answer_would_exceed_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sabotaged twin: 31 kB arrive, and the bound counts those."""

    def count_only(answer: httpx.Response) -> None:
        assert isinstance(answer.stream, httpx.SyncByteStream)
        answer.stream = module._Bounded(answer.stream)

    monkeypatch.setattr(module, "_bound", count_only)
    with answering(b"", b" ", 0.02, packed()) as url, make_client(WriteBack(), {}) as client:
        assert len(judge(lambda: client.get(url)).content) > module.LARGEST_ANSWER
