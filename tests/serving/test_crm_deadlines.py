"""A CRM that answers byte by byte, or without end, keeps nobody: a real socket."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from serving.writeback import http as module
from serving.writeback.config import WriteBack
from serving.writeback.http import judge, make_client
from serving.writeback.sender import CallFailed

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"


@contextlib.contextmanager
def answering(part: bytes, pause: float) -> Iterator[str]:
    """A server that sends `part` again and again until nobody listens; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            with contextlib.suppress(OSError):
                call, _ = server.accept()
                with call:
                    call.recv(65536)
                    call.sendall(HEAD)
                    while True:
                        call.sendall(b"%x\r\n%s\r\n" % (len(part), part))
                        time.sleep(pause)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    thread.join(30)


@pytest.mark.parametrize(("part", "pause", "why"), [(b" ", 0.02, "ReadTimeout"), (b" " * 65536, 0.0, "ReadError")])
def test_an_answer_ends_in_time_and_in_size(
    part: bytes, pause: float, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WHOLE_SECONDS", 0.3 if pause else 60.0)
    with answering(part, pause) as url, make_client(WriteBack(), {}) as client, pytest.raises(CallFailed, match=why):
        judge(lambda: client.get(url))


def test_without_the_bound_it_has_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sabotaged twin: each part comes in time, for as long as one looks."""
    monkeypatch.setattr(module, "WHOLE_SECONDS", 1e9)
    monkeypatch.setattr(module, "LARGEST_ANSWER", 10**12)
    with answering(b" ", 0.001) as url, make_client(WriteBack(), {}) as client, client.stream("GET", url) as answer:
        assert sum(1 for _, _part in zip(range(100), answer.iter_bytes(), strict=False)) == 100
