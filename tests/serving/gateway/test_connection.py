"""Clients that keep a server waiting: real sockets, thousands of them, and a process that ends in every state of theirs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import signal
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from models import champion_pointer
from serving.gateway import connection as module
from serving.gateway.connection import Connection, Connections
from serving.settings import Limits
from tests.kit.running import Home, free_port, running, wait_for
from tests.kit.scorers import copy_scorer

BODY = json.dumps({"records": [{"signals": {"number_0": 1.0}}]}).encode()
JSON = {"content-type": "application/json"}
SCORE = "/v1/churn-risk/score"
HEAD = f"POST {SCORE} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n".encode()
HEALTH = b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
DOWNLOAD = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
KINDS = {
    "slow download": DOWNLOAD,
    "idle": b"",
    "slow headers": HEAD[:30],
    "slow body": HEAD + BODY[:9],
    "keep-alive": HEALTH,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("slow")
    made = Home(folder / "home", folder)
    copy_scorer(folder / "made", n=600)
    with champion_pointer.locked(made.path, "churn-risk"):
        champion_pointer.put_live(made.path, "churn-risk", folder / "made", 1)
    assert made.run("serving", "migrate").returncode == 0
    return made


@pytest.fixture
def files() -> Iterator[int]:
    """As many descriptors as this process may have, while the test runs."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield module.most_files()
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextlib.contextmanager
def serving(home: Home, **settings: str) -> Iterator[tuple[Any, int]]:
    """The API in a process of its own, ready; yields the process and its port."""
    port = free_port()
    env = {f"ACCOUNTSCORE_{name.upper()}": value for name, value in settings.items()}
    with running(home, "api", "--port", str(port), env=env) as process:
        wait_for(lambda: ready(port))
        yield process, port


def ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


async def connected(port: int, count: int, first: bytes) -> list[socket.socket]:
    """Clients that have sent `first` and send no more; those that asked for something have their answer."""
    loop = asyncio.get_running_loop()
    turns = asyncio.Semaphore(100)  # less than the system's queue of connections that wait to be accepted

    async def one() -> socket.socket:
        async with turns:
            made = socket.socket()
            made.setblocking(False)
            await loop.sock_connect(made, ("127.0.0.1", port))
            if first:
                await loop.sock_sendall(made, first)
            if first == HEALTH:
                assert (await loop.sock_recv(made, 65536)).startswith(b"HTTP/1.1 200")
            return made

    return await asyncio.gather(*(one() for _ in range(count)))


@pytest.mark.parametrize("most", [300, pytest.param(2_000, marks=pytest.mark.slow)])
def test_many_clients_that_wait_stop_nobody(home: Home, files: int, most: int) -> None:
    count = min(most, (files - 500) // len(KINDS))
    assert count > 128
    with serving(home, client_seconds="600", max_connections="50000") as (process, port):
        held = []
        for first in KINDS.values():
            held += asyncio.run(connected(port, count, first))
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(timeout=30) as client:
            assert client.get(f"{url}/healthz").status_code == 200
            assert client.post(f"{url}{SCORE}", content=BODY, headers=JSON).status_code == 200
        resident = int(Path(f"/proc/{process.pid}/status").read_text().partition("VmRSS:")[2].split()[0])
        assert resident < 1_000_000  # kB; 394 MB with 10,000 clients
        # All of them are still open: it was not their end that let the others in.
        held[0].setblocking(True)
        assert len(list(Path(f"/proc/{process.pid}/fd").iterdir())) > count * len(KINDS)
        for each in held:
            each.close()


def test_over_the_limit_there_is_an_answer_and_idle_ones_make_room(home: Home, files: int) -> None:
    with serving(home, client_seconds="600", max_connections="100") as (_, port):
        held = asyncio.run(connected(port, 100, b""))
        with socket.create_connection(("127.0.0.1", port), timeout=10) as more:
            answer = more.recv(65536)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'"code":"too_many_connections"' in answer
        # Idle ones, the longest idle first, give way to who comes.
        wait_for(lambda: ready(port), 20)
        for each in held:
            each.close()


# A server in this process, with short deadlines.


class Slow:
    """Answers what it is asked with `size` bytes, after it has read the body."""

    def __init__(self, size: int = 2) -> None:
        self.size = size
        self.gone = 0

    async def __call__(
        self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone += 1
                return
            if not message.get("more_body"):
                break
        headers = [(b"content-length", b"%d" % self.size)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * self.size})


class Later(Slow):
    """Takes its time."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.2)
        await super().__call__(scope, receive, send)


@contextlib.asynccontextmanager
async def listening(app: Slow, limits: Limits) -> AsyncIterator[tuple[int, Connections]]:
    connections = Connections(app, limits)
    server = await asyncio.get_running_loop().create_server(connections, "127.0.0.1", 0)
    sweeping = asyncio.create_task(connections.sweep())
    try:
        yield server.sockets[0].getsockname()[1], connections
    finally:
        sweeping.cancel()
        server.close()
        await connections.close(0.1)


async def answer_to(port: int, first: bytes, within: float = 20.0) -> bytes:
    """All that comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(first)
    try:
        async with asyncio.timeout(within):
            return await reader.read()
    finally:
        writer.close()


POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n"
LATE = {
    "nothing": (b"", b""),
    "a part of the headers": (POST[:20], b"408"),
    "a part of the body": (POST + b"1234", b"408"),
    "a part of a chunk": (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n9\r\n12", b"408"),
    "blank lines alone": (b"\r\n\r\n", b""),
    "one request and then nothing": (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"200"),
    "one request and a part of the next": (b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HT", b"408"),
}


class TestDeadlines:
    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "SWEEP_SECONDS", 0.02)

    def test_whoever_is_late_is_closed(self) -> None:
        async def run() -> list[bytes]:
            # Long enough that what is sent at once is there in time on a busy machine, too.
            async with listening(Slow(), Limits(100, 1.5, 1.5)) as (port, _):
                return await asyncio.gather(*(answer_to(port, first) for first, _ in LATE.values()))

        for (kind, (_, status)), answer in zip(LATE.items(), asyncio.run(run()), strict=True):
            assert status in answer if status else answer == b"", kind

    def test_without_the_sweep_slow_clients_stay(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin."""
        monkeypatch.setattr(Connection, "look", lambda _self, _now: None)

        async def run() -> None:
            async with listening(Slow(), Limits(100, 0.2, 0.2)) as (port, _):
                waiting = (answer_to(port, first, within=0.6) for first, _ in LATE.values())
                ended = await asyncio.gather(*waiting, return_exceptions=True)
                assert [type(each) for each in ended] == [TimeoutError] * len(LATE)

        asyncio.run(run())

    def test_one_byte_at_a_time_is_late_too(self) -> None:
        async def run(first: bytes) -> bytes:
            async with listening(Slow(), Limits(100, 0.3, 0.3)) as (port, _):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                reading = asyncio.create_task(reader.read())
                writer.write(first)
                while not reading.done():
                    writer.write(b"a")
                    await asyncio.sleep(0.02)
                answer = b"closed"
                with contextlib.suppress(ConnectionError):
                    answer = await reading
                writer.close()
                return answer

        for first in (
            b"GET / HTTP/1.1\r\nhost: x\r\nx-more: ",
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999\r\n\r\n",
        ):
            assert asyncio.run(run(first))[9:12] in (b"408", b"")

    def test_who_does_not_read_the_answer_is_cut_off(self) -> None:
        app = Slow(size=30_000_000)

        async def run() -> None:
            async with listening(app, Limits(100, 0.3, 0.3)) as (port, connections):
                _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
                writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                async with asyncio.timeout(20):
                    while not connections.state.connections:
                        await asyncio.sleep(0.01)
                    while connections.state.connections:
                        await asyncio.sleep(0.01)
                assert not connections.state.connections  # within 20 s
                writer.close()

        asyncio.run(run())

    @staticmethod
    async def download(port: int, size: int, pause: float, rounds: int) -> int:
        """Bytes that a client gets that takes `size` at a time and then waits; the rest at once."""
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        made.setblocking(False)
        loop, got = asyncio.get_running_loop(), 0
        await loop.sock_connect(made, ("127.0.0.1", port))
        await loop.sock_sendall(made, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(rounds):
                wanted = size
                while wanted > 0 and (part := await loop.sock_recv(made, wanted)):
                    wanted, got = wanted - len(part), got + len(part)
                await asyncio.sleep(pause)
            made.shutdown(socket.SHUT_WR)
            while part := await loop.sock_recv(made, 2**20):
                got += len(part)
        made.close()
        return got

    def test_a_slow_download_goes_on_while_bytes_move(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It takes many times the seconds of a request."""
        size = 30_000_000

        async def run() -> int:
            async with listening(Slow(size=size), Limits(100, 0.4, 0.4)) as (port, _):
                async with asyncio.timeout(60):
                    return await self.download(port, 1_000_000, 0.1, 14)

        assert asyncio.run(run()) > size
        monkeypatch.setattr(module, "LEAST_MOVED", 10**9)  # the sabotaged twin: a deadline on the whole
        assert asyncio.run(run()) < size

    def test_a_client_that_reads_a_few_bytes_at_a_time_is_closed(self) -> None:
        """A few bytes at a time are too few: else a client held its connection for a day."""

        async def run() -> int:
            async with listening(Slow(size=30_000_000), Limits(100, 0.3, 0.3)) as (port, connections):
                async with asyncio.timeout(60):
                    got = await self.download(port, 10, 0.05, 30)
                    assert connections.state.connections == set()
                    return got

        assert asyncio.run(run()) < 30_000_000

    def test_too_many_slow_readers_make_room_for_others(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Those that have taken longest are cut off when there are too many, for who comes."""

        async def run(within: float) -> bytes:
            async with listening(Slow(size=8_000_000), Limits(20, 600.0, 600.0)) as (port, connections):
                held = [await asyncio.open_connection("127.0.0.1", port, limit=1) for _ in range(20)]
                try:
                    for _, writer in held:
                        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                    async with asyncio.timeout(within):
                        while len(connections.state.connections) < 20:
                            await asyncio.sleep(0.01)
                        while len(connections.state.connections) > 18:  # as many as there may be without a crowd
                            await asyncio.sleep(0.05)
                    return await answer_to(port, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                finally:
                    for _, writer in held:
                        writer.transport.abort()
                    await asyncio.sleep(0.1)

        assert asyncio.run(run(20)).startswith(b"HTTP/1.1 200 ")
        monkeypatch.setattr(module, "CROWDED", 2.0)  # the sabotaged twin
        with pytest.raises(TimeoutError):
            asyncio.run(run(1.5))

    @pytest.mark.parametrize("requests", [1, 3])
    def test_who_has_said_all_gets_the_answers(self, requests: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """A client that shuts its side after a whole request (`nc -N`, some HTTP clients) still listens."""

        async def run() -> bytes:
            async with listening(Later(), Limits(100, 5.0, 5.0)) as (port, connections):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write((POST + b"123456789") * requests)
                writer.write_eof()
                async with asyncio.timeout(20):
                    found = await reader.read()
                    while connections.state.connections:  # and it is not kept for a next one
                        await asyncio.sleep(0.01)
                writer.close()
                return found

        assert asyncio.run(run()).count(b"HTTP/1.1 200 ") == requests
        monkeypatch.delattr(module.Connection, "eof_received")  # the sabotaged twin: uvicorn's
        assert asyncio.run(run()).count(b"HTTP/1.1 200 ") < requests

    def test_who_says_half_and_no_more_is_closed(self) -> None:
        async def run() -> bytes:
            async with listening(Slow(), Limits(100, 60.0, 60.0)) as (port, _):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(POST + b"1")
                writer.write_eof()
                async with asyncio.timeout(30):
                    found = await reader.read()
                writer.close()
                return found

        assert asyncio.run(run()) == b""

    def test_an_app_that_waits_for_a_body_is_told_that_nobody_comes(self) -> None:
        app = Slow()

        async def run() -> None:
            async with listening(app, Limits(100, 0.2, 0.2)) as (port, _):
                await answer_to(port, POST + b"1")
                async with asyncio.timeout(20):
                    while not app.gone:
                        await asyncio.sleep(0.01)

        asyncio.run(run())
        assert app.gone == 1


class TestHeads:
    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 70_000 + b"\r\n\r\n", b"431"),
            (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 700_000, b"431"),
            (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", b"431"),
            (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 40_000 + b"\r\n", b"431"),
            (b"nonsense\r\n\r\n", b"400"),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
            (b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", b"400"),
            (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", b"400"),
            (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 5_000, b"400"),
        ],
    )
    def test_a_malformed_or_too_large_head_is_refused_at_once(self, sent: bytes, status: bytes) -> None:
        async def run() -> bytes:
            async with listening(Slow(), Limits(100, 60.0, 60.0)) as (port, _):
                with contextlib.suppress(ConnectionError):
                    return await answer_to(port, sent)
                return b"closed"

        answer = asyncio.run(run())
        assert answer[9:12] == status or answer in (b"", b"closed"), answer[:200]

    def test_many_requests_at_once_are_answered_in_their_order(self) -> None:
        async def run() -> bytes:
            async with listening(Slow(), Limits(100, 60.0, 60.0)) as (port, _):
                last = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
                return await answer_to(port, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 20 + last)

        assert asyncio.run(run()).count(b"HTTP/1.1 200") == 21

    def test_an_upgrade_request_is_answered_in_http_1(self) -> None:
        async def run() -> bytes:
            async with listening(Slow(), Limits(100, 60.0, 60.0)) as (port, _):
                head = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n"
                return await answer_to(port, head + b"content-length: 3\r\n\r\nabc")

        assert asyncio.run(run()).startswith(b"HTTP/1.1 200")


# The end of the process.


class TestSigterm:
    def test_it_ends_in_every_state_of_a_client(self, home: Home) -> None:
        with serving(home, drain_seconds="1") as (process, port), contextlib.ExitStack() as stack:
            for first in KINDS.values():
                one = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
                one.sendall(first)
            unread = stack.enter_context(socket.socket())
            unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            unread.connect(("127.0.0.1", port))
            body = json.dumps({"records": [{"signals": {"number_0": 1.0}}] * 1000, "reasons": 20}).encode()
            unread.sendall(
                b"POST %s HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                % (SCORE.encode(), len(body))
                + body
            )
            wait_for(lambda: b"HTTP/1.1 200" in unread.recv(64, socket.MSG_PEEK))
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            assert time.monotonic() - began > 0.9  # the half-sent body had its time
        assert "api.stopped\n" in (home.path / "api.log").read_text()

    def test_it_ends_while_the_store_keeps_a_request_waiting(self, home: Home) -> None:
        with (
            serving(home, drain_seconds="0") as (process, port),
            locked(home.path / "store.db"),
            socket.create_connection(("127.0.0.1", port), timeout=10) as one,
        ):
            one.sendall(HEAD + BODY)
            wait_for(lambda: ready(port))  # the request is at work by now
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


@contextlib.contextmanager
def locked(store: Path) -> Iterator[None]:
    """Another process writes to the store, and does not come to an end."""
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


CHUNKED = (
    HEAD.partition(b"content-type")[0]
    + b"transfer-encoding: chunked\r\n%b\r\n"
    + b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)
)
TYPE = b"content-type: application/json\r\n"


@pytest.fixture(scope="class")
def port(home: Home) -> Iterator[int]:
    with serving(home) as (_, found):
        yield found


class TestTrailers:
    """Headers after the content: they count as none, and there are not many."""

    def ask(self, port: int, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(request)
            return client.recv(65536)

    def test_a_trailer_is_no_header(self, port: int) -> None:
        assert self.ask(port, CHUNKED % TYPE + b"x-sum: 1\r\n\r\n").startswith(b"HTTP/1.1 200")
        assert self.ask(port, CHUNKED % b"" + TYPE + b"\r\n").startswith(b"HTTP/1.1 415")

    def test_the_size_of_trailers_is_bounded(self, port: int) -> None:
        many = b"".join(b"x-%d: y\r\n" % i for i in range(20_000))
        sent = 0
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client, contextlib.suppress(ConnectionError):
            client.sendall(CHUNKED % TYPE)
            while sent < 100_000_000:
                client.sendall(many)
                sent += len(many)
        assert sent < 100_000_000

    def test_the_twin_that_reads_trailers_as_headers_is_seen(self) -> None:
        """The sabotaged twin: uvicorn's own protocol, in this process."""
        seen: list[bytes] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.extend(name for name, _ in scope["headers"])

        async def run(ours: bool) -> None:
            connections = Connections(app, Limits())
            made = Connection(connections) if ours else HttpToolsProtocol(connections.config, connections.state, {})
            server = await asyncio.get_running_loop().create_server(lambda: made, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(CHUNKED % b"" + TYPE + b"\r\n")
            await reader.read(1)
            writer.close()
            server.close()

        asyncio.run(run(ours=True))
        assert b"content-type" not in seen
        asyncio.run(run(ours=False))
        assert b"content-type" in seen
