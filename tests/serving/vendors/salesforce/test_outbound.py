"""Writing to Salesforce: what its rows may say, how a record is found, logging in; read back by simple-salesforce."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from simple_salesforce.exceptions import SalesforceMalformedRequest, SalesforceResourceNotFound

from serving.vendors.calls import CallFailed, CallRefused
from serving.vendors.destination import Target, WriteBack
from serving.vendors.outbound import WriteResult
from serving.vendors.salesforce import outbound as salesforce
from serving.vendors.salesforce.outbound import Salesforce
from tests.kit.certificates import certificate
from tests.kit.fake_salesforce import FakeSalesforce, fake_salesforce
from tests.kit.salesforce_client import local, stranger
from tests.kit.salesforce_writes import PROPERTIES, write
from tests.kit.soap import lead_id


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


class TestRows:
    def test_values_keep_their_types(self, sender: Salesforce, crm: FakeSalesforce) -> None:
        assert sender.send([write(1), write(2, score=None, band=None)]) == [WriteResult("sent")] * 2
        rest = {"Fit_Probability__c": 0.43, "Fit_Reasons__c": "Because.\nÜnd so.", "Fit_At__c": "2026-01-02T06:00:00Z"}
        assert crm.values == {
            lead_id(1): {"Fit__c": 82, "Fit_Band__c": "high", **rest},
            lead_id(2): {"Fit__c": None, "Fit_Band__c": None, **rest},
        }

    def test_a_200_is_read_row_by_row(self, sender: Salesforce, crm: FakeSalesforce) -> None:
        crm.unknown, crm.locked = {lead_id(2)}, {lead_id(3)}
        assert sender.send([write(n) for n in (1, 2, 3, 4)]) == [
            WriteResult("sent"),
            WriteResult("dead", "ENTITY_IS_DELETED"),
            WriteResult("retry", "UNABLE_TO_LOCK_ROW"),
            WriteResult("sent"),
        ]
        assert set(crm.values) == {lead_id(1), lead_id(4)}

    def test_a_sender_that_believes_the_200_is_caught(
        self, sender: Salesforce, crm: FakeSalesforce, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: it says sent of what the CRM has not."""
        monkeypatch.setattr(salesforce, "_outcome", lambda _row: WriteResult("sent"))
        crm.unknown = {lead_id(2)}
        outcomes = sender.send([write(1), write(2)])
        assert sum(outcome.state == "sent" for outcome in outcomes) > len(crm.values)

    def test_a_record_that_two_models_write_is_in_two_calls(self, crm: FakeSalesforce, config: WriteBack) -> None:
        both = replace(
            config, models={"lead-fit": Target("Lead", PROPERTIES), "other": Target("Lead", {"band": "Industry"})}
        )
        sender = Salesforce(both)
        assert sender.send([write(1), write(1, "other")]) == [WriteResult("sent"), WriteResult("retry")]
        assert sender.send([write(1, "other")]) == [WriteResult("sent")]
        assert crm.calls_at_once == [1, 1]
        sender.close()

    @pytest.mark.parametrize(
        "rows",
        [[], {}, [{"success": True}] * 3, [{"success": False}, {}], [5, 5], [{"success": False, "errors": [{}]}] * 2],
    )
    def test_a_malformed_answer_is_retried(self, sender: Salesforce, crm: FakeSalesforce, rows: object) -> None:
        crm.misbehave = lambda _call: (200, {}, json.dumps(rows).encode())
        with pytest.raises(CallFailed, match="description"):
            sender.send([write(1), write(2)])

    @pytest.mark.parametrize("content", [{"score": "82"}, {"band": 5}])
    def test_the_fake_is_strict_about_kinds(self, sender: Salesforce, content: dict[str, Any]) -> None:
        with pytest.raises(CallRefused, match="HTTP 400"):
            sender.send([write(1, **content)])


class TestExternalId:
    def test_a_record_is_found_by_the_field_that_holds_our_key(self, crm: FakeSalesforce, config: WriteBack) -> None:
        crm.keys = {"lead_7": lead_id(70)}
        sender = Salesforce(replace(config, models={"lead-fit": Target("Lead", PROPERTIES, "Accountscore_Id__c")}))
        assert sender.send([write(7)]) == [WriteResult("sent")]
        assert crm.values[lead_id(70)]["Fit__c"] == 82
        sender.close()


class TestSimpleSalesforce:
    """The fake is not made for us alone, and what we write is there for others; over TLS, which the library insists on."""

    def test_it_reads_what_we_wrote_and_sends_what_we_send(self, tmp_path: Path, config: WriteBack) -> None:
        pem = certificate(tmp_path, "localhost")
        with fake_salesforce(certificate=pem) as crm:
            sender = Salesforce(replace(config, url=local(crm), ca_file=pem))
            assert sender.send([write(1)]) == [WriteResult("sent")]
            sender.close()
            theirs = stranger(crm, pem)
            assert theirs.Lead.get(lead_id(1))["Fit__c"] == 82
            with pytest.raises(SalesforceResourceNotFound):
                theirs.Lead.get(lead_id(2))
            records = [{"attributes": {"type": "Lead"}, "id": lead_id(2), "Fit__c": 7}]
            rows = theirs.restful("composite/sobjects", method="PATCH", json={"allOrNone": False, "records": records})
            assert [row["success"] for row in rows] == [True]
            records[0]["Fit__c"] = "7"
            with pytest.raises(SalesforceMalformedRequest):
                theirs.restful("composite/sobjects", method="PATCH", json={"allOrNone": False, "records": records})
            theirs.session.close()

    def test_an_untrusted_certificate_is_refused(self, tmp_path: Path, config: WriteBack) -> None:
        with fake_salesforce(certificate=certificate(tmp_path, "localhost")) as crm:
            sender = Salesforce(replace(config, url=local(crm)))
            with pytest.raises(CallFailed, match=httpx.ConnectError.__name__):
                sender.send([write(1)])
            sender.close()
