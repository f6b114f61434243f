"""What the small CRMs of the tests have in common: they keep what is written to them, answer on a socket, and can misbehave."""

from __future__ import annotations

import abc
import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Wire:
    """One record of one call, as it arrived."""

    key: str
    """HubSpot's trace id; the other vendors have no place for one."""
    object_id: str
    properties: dict[str, Any]


@dataclass
class FakeCrm(abc.ABC):
    url: str = ""
    writes: list[Wire] = field(default_factory=list)
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: int = 0
    calls_at_once: list[int] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    """Record ids that there are not."""
    invalid: set[str] = field(default_factory=set)
    """Record ids whose presence makes the whole call a 400, as an invalid property does."""
    misbehave: Callable[[int], Answer | str | None] = lambda _call: None
    """Given the number of the call: an answer to give in the place of work, "drop" to hang up before, "lose" to work and
    hang up before answering, None to behave."""
    on_write: Callable[[Wire, bool], None] = lambda _wire, _changed: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @abc.abstractmethod
    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """The answer to a request; None to hang up."""

    def begin(self) -> Answer | str | None:
        """Count the call; says how to misbehave in it."""
        with self.lock:
            self.calls += 1
            call = self.calls
        return self.misbehave(call)

    def keep(self, wire: Wire) -> None:
        """Write one record; the caller holds the lock."""
        self.writes.append(wire)
        before = dict(self.values.get(wire.object_id, {}))
        self.values.setdefault(wire.object_id, {}).update(wire.properties)
        self.on_write(wire, self.values[wire.object_id] != before)


@dataclass
class Tokens:
    """A login of applications: client credentials, with tokens that can be taken back."""

    client_id: str = "an application"
    secret: str = "t" * 20
    """Also an access token of its own, as one got elsewhere."""
    given: int = 0
    valid: set[str] = field(default_factory=set)
    scope: str | None = None
    misbehave: Callable[[int], Answer | None] = lambda _call: None

    def login(self, headers: Mapping[str, str], body: bytes) -> Answer:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.given += 1
        bad = self.misbehave(self.given)
        if bad is not None:
            return bad
        wanted = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.secret}
        if self.scope is not None:
            wanted["scope"] = self.scope
        if headers.get("content-type") != "application/x-www-form-urlencoded" or form != wanted:
            return 400, {}, b'{"error": "invalid_client"}'
        token = f"token-{self.given}"
        self.valid.add(token)
        return (
            200,
            {"content-type": "application/json"},
            b'{"token_type": "Bearer", "access_token": "%s"}' % token.encode(),
        )

    def may(self, headers: Mapping[str, str]) -> bool:
        kind, _, token = headers.get("authorization", "").partition(" ")
        return kind == "Bearer" and (token == self.secret or token in self.valid)


C = TypeVar("C", bound=FakeCrm)


@contextlib.contextmanager
def running_crm(fake: C, port: int = 0, certificate: Path | None = None) -> Iterator[C]:
    """Until the block ends, over TLS where there is a certificate (with its key in the file)."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def work(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length)
            if len(body) < length:  # who asked was killed in the middle of it
                self.close_connection = True
                return
            answer = fake.handle(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            if answer is None:
                self.close_connection = True
                return
            status, headers, content = answer
            with contextlib.suppress(OSError):  # who asked may have been killed
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = do_PATCH = work

        def handle(self) -> None:
            with contextlib.suppress(OSError):
                super().handle()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that breaks the handshake off
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    fake.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
