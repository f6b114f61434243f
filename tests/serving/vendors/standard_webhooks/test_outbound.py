"""The signed callback: over TLS to an address that was looked at, verified by two libraries of others."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import svix.webhooks
from standardwebhooks.webhooks import Webhook

from serving.vendors.calls import CallFailed, CallRefused
from serving.vendors.destination import WriteBack
from serving.vendors.outbound import Write
from serving.vendors.standard_webhooks.outbound import Callback
from tests.kit.certificates import certificate

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


HOST = "hooks.example.com"


@dataclass
class Customer:
    port: int = 0
    ca_file: Path = Path()
    status: int = 204
    location: str | None = None
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def customer(tmp_path: Path) -> Iterator[Customer]:
    with serving(tmp_path, HOST) as found:
        yield found


@contextlib.contextmanager
def serving(folder: Path, host: str) -> Iterator[Customer]:
    found = Customer(ca_file=certificate(folder, host))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(found.status)
            if found.location:
                self.send_header("location", found.location)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that breaks the handshake off
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(found.ca_file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Names:
    """A resolver whose answers can change."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, _host: str, _port: int) -> list[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


def callback(customer: Customer, names: Names, allow: tuple[str, ...] = ("127.0.0.0/8",)) -> Callback:
    url = f"https://{HOST}:{customer.port}/scores?for=us"
    return Callback(WriteBack("on", {}, url=url, token=SECRET, allow_networks=allow, ca_file=customer.ca_file), names)


WRITE = Write(
    "k" * 32,
    "lead-fit",
    "contact",
    "7",
    "lead",
    "lead_7",
    {},
    {"score": 82, "band": "high", "scored_at": "2026-01-01T00:00:00Z"},
)


def test_two_libraries_verify_what_arrives_and_a_changed_byte_is_seen(customer: Customer) -> None:
    sender = callback(customer, Names(["127.0.0.1"]))
    assert [o.state for o in sender.send([WRITE])] == ["sent"]
    ((headers, body),) = customer.got
    assert headers["host"] == f"{HOST}:{customer.port}"
    told = Webhook(SECRET).verify(body.decode(), headers)
    svix.webhooks.Webhook(SECRET).verify(body, headers)
    assert told["type"] == "score.changed"
    assert (told["data"]["id"], told["data"]["score"], told["data"]["model"]) == ("7", 82, "lead-fit")
    with pytest.raises(Exception, match="signature"):
        Webhook(SECRET).verify(body.decode().replace("82", "99"), headers)


def test_every_attempt_has_the_same_id_and_body(customer: Customer) -> None:
    sender = callback(customer, Names(["127.0.0.1"]))
    customer.status = 503
    with pytest.raises(CallFailed):
        sender.send([WRITE])
    customer.status = 200
    sender.send([WRITE])
    (first, first_body), (second, second_body) = customer.got
    assert first["webhook-id"] == second["webhook-id"]
    assert first_body == second_body


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1", "100.64.0.1"]
)
def test_a_name_that_resolves_into_our_network_is_refused(customer: Customer, address: str) -> None:
    with pytest.raises(CallFailed):
        callback(customer, Names([address]), ()).send([WRITE])
    with pytest.raises(CallFailed):
        callback(customer, Names(["93.184.216.34", address]), ()).send([WRITE])
    assert customer.got == []


def test_the_name_is_resolved_once(customer: Customer) -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    callback(customer, names).send([WRITE])
    assert names.asked == 1
    assert len(customer.got) == 1


def test_a_redirect_is_not_followed(customer: Customer) -> None:
    customer.status, customer.location = 302, f"https://{HOST}:{customer.port}/elsewhere"
    with pytest.raises(CallRefused):
        callback(customer, Names(["127.0.0.1"])).send([WRITE])
    assert len(customer.got) == 1


def test_the_certificate_must_be_the_hosts(tmp_path: Path) -> None:
    with serving(tmp_path, "somebody.example.net") as other, pytest.raises(CallFailed):
        callback(other, Names(["127.0.0.1"])).send([WRITE])
    assert other.got == []


def test_an_address_instead_of_a_name_is_checked_too(customer: Customer) -> None:
    config = WriteBack("on", {}, url=f"https://127.0.0.1:{customer.port}/", token=SECRET, ca_file=customer.ca_file)
    with pytest.raises(CallFailed):
        Callback(config).send([WRITE])
    assert customer.got == []


def test_without_the_address_check_the_call_gets_through(customer: Customer) -> None:
    """The sabotaged twin: allowed to go everywhere, the same call arrives."""
    everywhere = (str(ipaddress.ip_network("0.0.0.0/0")), str(ipaddress.ip_network("::/0")))
    callback(customer, Names(["127.0.0.1"]), everywhere).send([WRITE])
    assert json.loads(customer.got[0][1])["data"]["entity_id"] == "lead_7"
