"""What every sender has in common: which writes are in a call, which values, and how an answer is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import httpx
import pytest

from serving.vendors.calls import CallFailed
from serving.vendors.client import make_client
from serving.vendors.destination import Target, WriteBack
from serving.vendors.outbound import Outbound, Write, WriteResult, one_call, write_key

CONFIG = WriteBack("on", {"lead-fit": Target("contact", {"score": "fit", "band": "fit_band", "reasons": "why"})})


def write(object_id: str, object_type: str = "contact", model: str = "lead-fit") -> Write:
    content = {"score": 82, "band": None, "reasons": ["Because.", "And so."]}
    properties = {"fit": "82", "fit_band": "", "why": "Because.\nAnd so."}
    return Write(f"key {object_id}", model, object_type, object_id, "lead", f"lead_{object_id}", properties, content)


class Acme(Outbound):
    batch = 10

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self._answer = answer
        super().__init__(CONFIG)

    def open_client(self, config: WriteBack) -> httpx.Client:
        return make_client(config, {}, httpx.MockTransport(self._answer))

    def send(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        raise NotImplementedError


class Strict(Acme):
    strict_types = True


def never(_request: httpx.Request) -> httpx.Response:
    raise AssertionError("nothing is to be called")


class TestOneCall:
    def test_it_has_the_first_ones_type_and_each_object_once(self) -> None:
        first, other, twice = write("1"), write("2", "company"), write("1", model="other")
        assert one_call([first, other, twice, write("3")]) == [first, write("3")]


class TestWriteKey:
    def test_each_version_of_a_score_has_a_key_of_its_own(self) -> None:
        keys = {
            write_key("crm", "lead-fit", "lead_1", 2),
            write_key("crm", "lead-fit", "lead_1", 3),
            write_key("crm", "lead-fit", "lead_12", 3),
            write_key("crm2", "lead-fit", "lead_1", 2),
            write_key("crm", "lead-fi", "tlead_1", 2),  # the parts do not run into one another
        }
        assert len(keys) == 5
        assert {len(key) for key in keys} == {32}


class TestValues:
    def test_all_values_are_texts_unless_the_vendor_has_kinds(self) -> None:
        assert Acme(never).values(write("1")) == {"fit": "82", "fit_band": "", "why": "Because.\nAnd so."}
        assert Strict(never).values(write("1")) == {"fit": 82, "fit_band": None, "why": "Because.\nAnd so."}

    def test_a_model_that_is_not_written_any_more_has_no_properties(self) -> None:
        assert Strict(never).target(write("1", model="churn-risk")) is None
        assert Strict(never).values(write("1", model="churn-risk")) == {}


class TestCall:
    def test_it_gives_the_answer_and_raises_what_it_means(self) -> None:
        sender = Acme(lambda request: httpx.Response(200 if request.url.path == "/good" else 503))
        assert sender.call("POST", "https://crm.example/good", json={}).status_code == 200
        with pytest.raises(CallFailed, match="HTTP 503"):
            sender.call("POST", "https://crm.example/bad", json={})
        sender.close()

    def test_a_body_that_stays_unread_may_have_any_size(self) -> None:
        class Endless(httpx.SyncByteStream):
            def __iter__(self) -> Iterator[bytes]:
                raise AssertionError("it is read")

        sender = Acme(lambda _request: httpx.Response(200, stream=Endless()))
        assert sender.call("GET", "https://crm.example/", unread=True).status_code == 200
        with pytest.raises(AssertionError, match="it is read"):
            sender.call("GET", "https://crm.example/")
        sender.close()
