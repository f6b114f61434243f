"""Salesforce Outbound Messages: sent by zeep from the WSDL, and by those who mean harm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import zeep.exceptions
from sqlalchemy import select

from serving.inbox.sealed import PREFIX
from serving.store.tables import inbox
from serving.vendors.inbound import Delivery, Event
from serving.vendors.salesforce.inbound import ACK, Salesforce
from tests.kit.cases import CASES, PUBLIC, Door, open_door, salesforce_body
from tests.kit.soap import ORGANIZATION, SESSION, Answered, Org, at, changed, lead_id

VENDOR = Salesforce()


SECRET = "k" * 36


URI = f"{PUBLIC}/webhooks/crm?key={SECRET}"


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    with open_door(next(case for case in CASES if case.name == "salesforce-query"), tmp_path, monkeypatch) as found:
        yield found


def org(door: Door, organization: str = ORGANIZATION, path: str | None = None) -> Org:
    def post(address: str, message: bytes, headers: Mapping[str, str]) -> Answered:
        path = address.removeprefix(PUBLIC)
        raw = {k.lower(): v for k, v in headers.items()}
        answer = door.loop.run(door.client.post(path, content=message, headers=raw))
        return Answered(answer.status_code, answer.content, answer.headers)

    return Org(PUBLIC + (path or door.path), post, organization)


def letters(door: Door) -> list[tuple[str, str | None, str | None, int]]:
    columns = (inbox.c.object_id, inbox.c.property, inbox.c.value, inbox.c.occurred_at)
    with door.store.read() as connection:
        return [tuple(row) for row in connection.execute(select(*columns).order_by(inbox.c.id))]  # type: ignore[misc]


def us(seconds: int) -> int:
    return int(at(seconds).timestamp() * 1e6)


class TestZeep:
    def test_a_hundred_notifications_are_acknowledged_and_each_field_is_a_change(self, door: Door) -> None:
        records = changed(range(100), Industry="Zürich & <b>", Fit__c=82.0)
        assert org(door).notify(*records) is True
        stored = letters(door)
        assert len(stored) == 200
        assert stored[1] == (lead_id(0), "Industry", "Zürich & <b>", us(0))
        # Nobody mapped this field: it is kept, but not in clear.
        name, field, value, when = stored[0]
        assert (name, field, when) == (lead_id(0), "Fit__c", us(0))
        assert str(value).startswith(PREFIX)

    def test_a_message_that_comes_again_is_acknowledged_and_stored_once(self, door: Door) -> None:
        sender = org(door)
        for _ in range(3):
            assert sender.notify(*changed([1, 2], Industry="software"), first=0) is True
        assert len(letters(door)) == 2

    def test_a_later_attempt_of_a_notification_brings_the_later_state(self, door: Door) -> None:
        """Salesforce sends the record as it is at that moment, not as it was when the notification was made."""
        sender = org(door)
        sender.notify(*changed([1], 0, Industry="software"), first=0)
        sender.notify(*changed([1], 9, Industry="retail"), first=0)
        assert [(value, when) for _, _, value, when in letters(door)] == [("software", us(0)), ("retail", us(9))]

    def test_a_field_that_was_emptied_is_a_change_to_nothing(self, door: Door) -> None:
        org(door).notify(*changed([1], Industry=zeep.xsd.Nil))
        assert letters(door) == [(lead_id(1), "Industry", None, us(0))]

    def test_its_session_is_kept_nowhere(self, door: Door, caplog: pytest.LogCaptureFixture) -> None:
        org(door).notify(*changed([1], Industry="software"))
        with door.store.read() as connection:
            kept = repr(connection.execute(select(inbox)).all())
        assert "software" in kept
        assert SESSION not in kept + caplog.text

    def test_another_organisation_and_another_key_are_not_acknowledged(self, door: Door) -> None:
        record = changed([1], Industry="software")
        for sender in (org(door, "00D30000000YyYyEAK"), org(door, path="/webhooks/crm?key=" + "x" * 36)):
            with pytest.raises(zeep.exceptions.Error):
                sender.notify(*record)
        assert letters(door) == []

    def test_an_ack_in_another_namespace_would_not_be_read(self, door: Door) -> None:
        """The sabotaged twin: zeep sees an Ack that is not exactly the vendor's."""
        for bad in (ACK.replace(b"2005/09/outbound", b"2005/09/inbound"), ACK.replace(b"true", b"false"), b""):
            sender = Org(PUBLIC, lambda *_, bad=bad: Answered(200, bad, {"content-type": "text/xml"}))  # type: ignore[misc]
            try:
                acknowledged = sender.notify(*changed([1], Industry="software"))
            except (zeep.exceptions.Error, TypeError, AttributeError):
                acknowledged = False
            assert acknowledged is False


BOMB = """<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>"""


GOOD = salesforce_body().decode().split("\n", 1)[1]


ATTACKS = {
    "entities that grow": BOMB + GOOD.replace("\u00fc", "&c;"),
    "quadratic": f'<!DOCTYPE x [<!ENTITY a "{"a" * 50_000}">]>' + GOOD.replace("\u00fc", "&a;" * 1000),
    "a file of ours": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + GOOD.replace("\u00fc", "&a;"),
    "an address": '<!DOCTYPE x [<!ENTITY a SYSTEM "http://127.0.0.1:1/">]>' + GOOD.replace("\u00fc", "&a;"),
    "a DTD elsewhere": '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">' + GOOD,
    "a DTD alone": "<!DOCTYPE x>" + GOOD,
    "a parameter entity": '<!DOCTYPE x [<!ENTITY % a SYSTEM "http://127.0.0.1:1/x.dtd"> %a;]>' + GOOD,
    "an entity nobody declared": GOOD.replace("\u00fc", "&nothing;"),
    "depth without end": "<a>" * 300_000,
    "depth in a field": GOOD.replace("\u00fc", "<a>" * 100_000 + "</a>" * 100_000),
    "two roots": GOOD + GOOD,
    "a million attributes": GOOD.replace(
        "<soapenv:Body>", "<soapenv:Body " + " ".join(f'a{n}=""' for n in range(90_000)) + ">", 1
    ).replace("</soapenv:Body>", "</x>"),
    "an encoding nobody knows": '<?xml version="1.0" encoding="utf-7"?>' + GOOD,
    "half a character": GOOD.replace("\u00fc", "\udce4"),
    "a character that XML has not": GOOD.replace("\u00fc", "&#0;"),
    "101 notifications": GOOD.replace(
        "</notifications>", "<Notification><Id>04l3000000000abAAA</Id></Notification>" * 100 + "</notifications>"
    ),
    "no notification": GOOD.split("<Notification>", 1)[0] + "</notifications></soapenv:Body></soapenv:Envelope>",
    "two organisations": GOOD.replace("<ActionId>", "<OrganizationId>00D30000000XxXxEAK</OrganizationId><ActionId>"),
    "an organisation in another namespace": GOOD.replace("<OrganizationId>", '<OrganizationId xmlns="urn:x">'),
    "another envelope": GOOD.replace(
        "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"
    ),
}


class TestThoseWhoMeanHarm:
    @pytest.mark.parametrize("name", ATTACKS)
    def test_with_the_right_key_they_are_refused_and_nothing_is_stored(self, door: Door, name: str) -> None:
        assert door.post({}, ATTACKS[name].encode("utf-8", "surrogateescape")) == 400
        assert door.stored() == 0

    def test_the_unchanged_message_is_accepted(self, door: Door) -> None:
        """The twin of the attacks: it is they that are refused, not everything."""
        assert door.post({}, GOOD.encode()) == 200
        assert door.stored() == 1

    def test_the_parser_of_the_standard_library_would_expand(self) -> None:
        """Why it is not used."""
        from xml.etree.ElementTree import fromstring

        found = fromstring(ATTACKS["entities that grow"])
        assert "lol" * 100 in "".join(found.itertext())

    def test_more_than_the_limit_is_413(self, door: Door) -> None:
        assert door.post({}, GOOD.encode() + b" " * VENDOR.largest_body) == 413

    def test_without_the_key_nothing_is_parsed(self, door: Door) -> None:
        for attack in ATTACKS.values():
            body = attack.encode("utf-8", "surrogateescape")
            assert door.post({}, body, "/webhooks/crm?key=" + "x" * 36) == 401


def parse(old: str = "", new: str = "") -> list[Event | None]:
    body = GOOD.replace(old, new) if old else GOOD
    assert body != GOOD or not old
    return VENDOR.parse(Delivery("POST", URI, {}, body.encode()))


MODSTAMP = "<sf:SystemModstamp>2025-12-01T00:00:00.000Z</sf:SystemModstamp>"


class TestParse:
    def test_a_change(self) -> None:
        (event,) = parse()
        assert event == Event(
            ("04l3000000000abAAA", us(0), "Industry"),
            "Lead.notified",
            "change",
            "Lead",
            "00Q30000001aaaaEAA",
            us(0),
            "Industry",
            "\u00fc",
            organization=ORGANIZATION,
        )

    def test_without_a_time_it_is_as_new_as_its_arrival(self) -> None:
        (event,) = parse(MODSTAMP, "")
        assert event is not None
        assert event.occurred_at_us is None

    def test_deleted_and_merged_where_the_fields_say_so(self) -> None:
        (gone,) = parse(MODSTAMP, MODSTAMP + "<sf:IsDeleted>true</sf:IsDeleted>")
        (merged,) = parse(
            MODSTAMP,
            MODSTAMP + "<sf:IsDeleted>true</sf:IsDeleted><sf:MasterRecordId>00Q30000001bbbb</sf:MasterRecordId>",
        )
        assert gone is not None
        assert merged is not None
        assert (gone.effect, gone.into) == ("delete", None)
        assert (merged.effect, merged.object_id, merged.into) == ("merge", "00Q30000001aaaaEAA", "00Q30000001bbbbEAA")

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("<sf:Id>00Q30000001aaaaEAA</sf:Id>", ""),
            ("<sf:Id>00Q30000001aaaaEAA</sf:Id>", "<sf:Id>7</sf:Id>"),
            ("<Id>04l3000000000abAAA</Id>", ""),
            ('xsi:type="sf:Lead"', ""),
            ("<sf:Industry>\u00fc</sf:Industry>", "<sf:Address><sf:city>x</sf:city></sf:Address>"),
        ],
    )
    def test_an_unusable_event_is_none(self, old: str, new: str) -> None:
        assert parse(old, new) == [None]

    def test_an_invalid_time_is_left_out(self) -> None:
        (event,) = parse("2025-12-01T00:00:00.000Z", "soon")
        assert event is not None
        assert event.occurred_at_us is None
