"""Logging in as an application: a token for many calls, a new one when it ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from serving.vendors.calls import CallFailed
from serving.vendors.destination import Target, WriteBack
from serving.vendors.outbound import WriteResult
from serving.vendors.salesforce.outbound import Salesforce
from tests.kit.fake_salesforce import FakeSalesforce, fake_salesforce
from tests.kit.salesforce_writes import PROPERTIES, write


@pytest.fixture
def crm() -> Iterator[FakeSalesforce]:
    with fake_salesforce() as fake:
        yield fake


@pytest.fixture
def config(crm: FakeSalesforce) -> WriteBack:
    return WriteBack("on", {"lead-fit": Target("Lead", PROPERTIES)}, url=crm.url, token="t" * 20)


@pytest.fixture
def sender(config: WriteBack) -> Iterator[Salesforce]:
    made = Salesforce(config)
    yield made
    made.close()


class TestLogin:
    def application(self, crm: FakeSalesforce, config: WriteBack) -> Salesforce:
        return Salesforce(replace(config, client_id=crm.tokens.client_id, token_url=f"{crm.url}/services/oauth2/token"))

    def test_once_for_many_calls_and_anew_when_the_session_ended(self, crm: FakeSalesforce, config: WriteBack) -> None:
        sender = self.application(crm, config)
        for number in (1, 2):
            assert sender.send([write(number)]) == [WriteResult("sent")]
        assert crm.tokens.given == 1
        crm.tokens.valid.clear()
        assert sender.send([write(3)]) == [WriteResult("sent")]
        assert crm.tokens.given == 2
        sender.close()

    def test_a_login_that_is_refused_is_for_a_person_to_mend(self, crm: FakeSalesforce, config: WriteBack) -> None:
        sender = self.application(crm, config)
        crm.tokens.secret = "another"
        with pytest.raises(CallFailed, match="no token: HTTP 400") as caught:
            sender.send([write(1)])
        assert caught.value.paused
        assert caught.value.retry_after == 60
        sender.close()

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b"{}", b'{"access_token": 5}', b'{"access_token": "a\\nb"}', b"<html>"]
    )
    def test_an_invalid_token_is_refused(self, crm: FakeSalesforce, config: WriteBack, body: bytes) -> None:
        sender = self.application(crm, config)
        crm.tokens.misbehave = lambda _call: (200, {}, body)
        with pytest.raises(CallFailed, match="no token"):
            sender.send([write(1)])
        crm.tokens.misbehave = lambda _call: (503, {"retry-after": "7"}, b"")
        with pytest.raises(CallFailed) as caught:
            sender.send([write(1)])
        assert (caught.value.retry_after, caught.value.paused) == (7, False)
        sender.close()

    def test_new_tokens_that_are_refused_too_end_it(self, crm: FakeSalesforce, config: WriteBack) -> None:
        sender = self.application(crm, config)
        sender.send([write(1)])
        crm.tokens.valid, crm.tokens.may = set(), lambda _headers: False  # type: ignore[method-assign]
        with pytest.raises(CallFailed, match="HTTP 401"):
            sender.send([write(2)])
        assert crm.tokens.given == 2
        sender.close()

    def test_the_token_is_in_no_text(self, crm: FakeSalesforce, config: WriteBack) -> None:
        assert "t" * 20 not in repr(config)
