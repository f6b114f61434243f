"""Writing to Dataverse: one `$batch`, strictly read, an answer for each record; logging in."""

from __future__ import annotations

import email
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serving.inbox.truncated import read_truncated
from serving.outbox import deliver
from serving.outbox.deliver import Delivered
from serving.vendors.calls import CallFailed
from serving.vendors.destination import Target, WriteBack
from serving.vendors.dynamics import outbound as dynamics
from serving.vendors.dynamics.outbound import Dynamics
from serving.vendors.outbound import Write, WriteResult
from tests.kit.dataverse import guid
from tests.kit.fake_dataverse import FakeDataverse, fake_dataverse, read_batch
from tests.kit.stores import new_store
from tests.kit.writebacks import VENDORS, connection_to, put, rows

PROPERTIES = {"score": "new_fit", "band": "new_fitband", "probability": "new_probability", "reasons": "new_reasons"}


def write(number: int, object_id: str | None = None, **more: Any) -> Write:
    content = {"score": 82, "band": "high", "probability": 0.43, "reasons": ["Because.", "--batch_x--\r\n", "Ünd so."]}
    return Write(
        f"k{number}", "lead-fit", "lead", object_id or guid(number), "lead", f"lead_{number}", {}, {**content, **more}
    )


@pytest.fixture
def crm() -> Iterator[FakeDataverse]:
    with fake_dataverse() as fake:
        yield fake


@pytest.fixture
def config(crm: FakeDataverse) -> WriteBack:
    return WriteBack("on", {"lead-fit": Target("lead", PROPERTIES)}, url=crm.url, token="t" * 20)


@pytest.fixture
def sender(config: WriteBack) -> Iterator[Dynamics]:
    made = Dynamics(config)
    yield made
    made.close()


class TestBatch:
    def test_values_keep_their_types_and_cannot_end_a_part(self, sender: Dynamics, crm: FakeDataverse) -> None:
        assert sender.send([write(1), write(2, score=None, band=None)]) == [WriteResult("sent")] * 2
        rest = {"new_probability": 0.43, "new_reasons": "Because.\n--batch_x--\r\n\nÜnd so."}
        assert crm.values == {
            guid(1): {"new_fit": 82, "new_fitband": "high", **rest},
            guid(2): {"new_fit": None, "new_fitband": None, **rest},
        }

    def test_each_record_has_an_answer_of_its_own(self, sender: Dynamics, crm: FakeDataverse) -> None:
        crm.unknown = {guid(1)}
        found = sender.send([write(1), write(2, score=0.5), write(3)])
        assert found == [
            WriteResult("dead", "HTTP 404 0x80040217"),
            WriteResult("dead", "HTTP 400 0x80048d19"),
            WriteResult("sent"),
        ]
        assert set(crm.values) == {guid(3)}

    def test_without_going_on_after_an_error_the_rest_is_not_worked_on(
        self, config: WriteBack, crm: FakeDataverse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: one bad row holds back the others, and they are not taken for sent."""
        sender = Dynamics(config)
        call = sender.call
        monkeypatch.setattr(
            sender,
            "call",
            lambda method, url, content, headers: call(method, url, content=content, headers={**headers, "Prefer": ""}),
        )
        crm.unknown = {guid(1)}
        found = sender.send([write(1), write(2), write(3)])
        assert [outcome.state for outcome in found] == ["dead", "retry", "retry"]
        assert crm.values == {}
        sender.close()

    def test_an_id_that_is_no_guid_is_never_sent(self, sender: Dynamics, crm: FakeDataverse) -> None:
        for bad in ("7", f"{guid(1)})", f"{guid(1)}\r\nX: y", guid(1)[:-1], "contacts(1)"):
            assert sender.send([write(1, bad)]) == [WriteResult("dead", "the record's id is no GUID")]
        assert crm.calls == 0
        assert [o.state for o in sender.send([write(1, "7"), write(2)])] == ["dead", "sent"]

    def test_fewer_answers_than_records(self, sender: Dynamics, crm: FakeDataverse) -> None:
        crm.broken = True
        assert sender.send([write(1), write(2)]) == [WriteResult("sent"), WriteResult("retry", "not in the answer")]

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("text/html", b"<html>"),
            ("multipart/mixed", b""),
            ("multipart/mixed; boundary=a", b"--b\r\n\r\nx\r\n--b--"),
            ("multipart/mixed; boundary=a", b"--a\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 none\r\n--a--"),
            ("multipart/mixed; boundary=a", b"--a\r\n\r\n\r\n--a--"),
            ("application/http", b"HTTP/1.1 204 x\r\n\r\n"),
            ("multipart/mixed; boundary=a", b"--a\r\n\r\nHTTP/1.1 204 x\r\n\r\n\r\n" * 3 + b"--a--"),
            ("", b"HTTP/1.1 204 x\r\n"),
            (
                "multipart/mixed; boundary=a",
                b"--a\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nHTTP/1.1 204 x\r\n\r\n--c--\r\n--a--",
            ),
            ("multipart/mixed; boundary=a", b"--a\r\nContent-Transfer-Encoding: base64\r\n\r\n!!\r\n--a--"),
        ],
    )
    def test_a_malformed_answer_is_retried(self, sender: Dynamics, crm: FakeDataverse, kind: str, body: bytes) -> None:
        crm.misbehave = lambda _call: (200, {"content-type": kind}, body)
        with pytest.raises(CallFailed, match="description"):
            sender.send([write(1), write(2)])

    def test_an_unknown_error_code_is_not_repeated(self, sender: Dynamics, crm: FakeDataverse) -> None:
        part = b'--a\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 400 x\r\n\r\n{"error": {"code": "of a person: Anna"}}\r\n--a--'
        crm.misbehave = lambda _call: (200, {"content-type": "multipart/mixed; boundary=a"}, part)
        assert sender.send([write(1)]) == [WriteResult("dead", "HTTP 400")]


class TestPace:
    def test_a_wait_for_one_record_pauses_the_connection(self, tmp_path: Path, crm: FakeDataverse) -> None:
        vendor = next(v for v in VENDORS if v.name == "dynamics")
        store = new_store(tmp_path)
        conf = connection_to(vendor, crm)
        sender = Dynamics(conf.writeback)
        try:
            crm.busy = {guid(2): "120"}
            put(store, vendor, 1, 2, 3)
            delivery = deliver.Deliverer(store, conf, sender, read_truncated)
            assert delivery.once(threading.Event()) == Delivered(sent=2, again=1)
            row = rows(store, vendor)[2]
            assert (row["state"], row["error"]) == ("waiting", "HTTP 429 0x80072322")
            assert 110 < (int(str(row["due_at"])) - deliver.system_us()) / 1e6 < 130  # type: ignore[attr-defined]
            put(store, vendor, 4)
            assert delivery.round() == Delivered()
            assert guid(4) not in crm.values
        finally:
            sender.close()
            store.close()


class TestLogin:
    def test_for_the_organisation_that_is_written_to(self, crm: FakeDataverse, config: WriteBack) -> None:
        sender = Dynamics(
            replace(config, client_id=crm.tokens.client_id, token_url=f"{crm.url}/tenant/oauth2/v2.0/token")
        )
        assert sender.send([write(1)]) == [WriteResult("sent")]
        assert (crm.tokens.given, crm.tokens.scope) == (1, f"{crm.url}/.default")
        sender.close()


GOOD = (
    b"--x\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nPATCH /api/data/v9.2/leads("
    + guid(1).encode()
    + b') HTTP/1.1\r\nContent-Type: application/json; type=entry\r\nIf-Match: *\r\n\r\n{"new_fit": 5}\r\n--x--\r\n'
)


KIND = {"content-type": "multipart/mixed; boundary=x"}


class TestTheFake:
    def test_it_takes_what_the_vendor_prints(self) -> None:
        assert read_batch(KIND, GOOD) == [(guid(1), {"new_fit": 5})]

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"\r\n", b"\n"),
            (b"If-Match: *\r\n", b""),
            (b"application/http", b"text/plain"),
            (b"--x--", b"--y--"),
            (b"PATCH", b"POST"),
            (b"Content-Transfer-Encoding: binary\r\n", b""),
            (b'{"new_fit": 5}', b"{}"),
            (b"{", b"<"),
            (b"leads(", b"../leads("),
        ],
    )
    def test_it_can_say_no(self, old: bytes, new: bytes) -> None:
        with pytest.raises((ValueError, email.errors.MessageError)):
            read_batch(KIND, GOOD.replace(old, new))

    def test_the_fake_refuses_bare_line_feeds(
        self, crm: FakeDataverse, sender: Dynamics, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        part = Dynamics._part
        monkeypatch.setattr(dynamics.Dynamics, "_part", lambda self, each: part(self, each).replace(b"\r\n", b"\n"))
        with pytest.raises(Exception, match="HTTP 400"):
            sender.send([write(1)])
        assert json.loads(json.dumps(crm.values)) == {}
