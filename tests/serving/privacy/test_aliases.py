"""What each CRM calls an account, a lead or a contact."""

from __future__ import annotations

from serving.connections.config import ConnectionConfig, Mapped
from serving.privacy.aliases import aliases
from serving.privacy.repository import Aliases


def connection(name: str, **objects: tuple[str, str]) -> ConnectionConfig:
    mapped = {object_type: Mapped(table, key, {}, {}) for object_type, (table, key) in objects.items()}
    return ConnectionConfig(name, "hubspot", "https://x.example", "sample", None, mapped)


CRMS = [
    connection("hubspot", contact=("leads", "lead_{id}"), company=("accounts", "{id}")),
    connection("other", person=("leads", "{id}-x"), deal=("leads", "lead_{id}")),
]


def test_an_id_is_turned_back_by_the_key_template_of_each_object() -> None:
    assert aliases(CRMS, "lead", "lead_7").records == [("hubspot", "contact", "7"), ("other", "deal", "7")]
    assert aliases(CRMS, "lead", "7-x").records == [("other", "person", "7")]


def test_an_object_of_another_table_is_not_it() -> None:
    assert aliases(CRMS, "account", "lead_7").records == [("hubspot", "company", "lead_7")]
    assert aliases(CRMS, "contact", "lead_7") == Aliases([], [], [])


def test_a_template_with_nothing_in_the_ids_place_does_not_fit() -> None:
    assert aliases(CRMS, "lead", "lead_").records == []
    assert aliases([connection("c", contact=("leads", "aba{id}aba"))], "lead", "ababa").records == []


def test_properties_that_name_it_are_known_by_their_column() -> None:
    objects = {
        "company": Mapped("accounts", "acc_{id}", {"hs_parent": "parent_id", "name": "name"}, {}),
        "person": Mapped("contacts", "{id}", {"company": "account_id"}, {}),
        "deal": Mapped("opportunities", "{id}", {"lead": "lead_id", "company": "account_id"}, {}),
    }
    crm = ConnectionConfig("crm", "hubspot", "https://x.example", "sample", None, objects)
    found = aliases([crm], "account", "acc_7")
    assert found.parents == [("crm", "company", "hs_parent", "7")]
    assert found.owners == [("crm", "person", "company", "acc_7"), ("crm", "deal", "company", "acc_7")]
    assert aliases([crm], "lead", "l1").owners == [("crm", "deal", "lead", "l1")]
    assert aliases([crm], "account", "another").parents == [], "no record of that CRM"
