"""What each CRM calls an account, a lead or a contact."""

from __future__ import annotations

from serving.connections.config import ConnectionConfig, Mapped
from serving.privacy.aliases import aliases


def connection(name: str, **objects: tuple[str, str]) -> ConnectionConfig:
    mapped = {object_type: Mapped(table, key, {}, {}) for object_type, (table, key) in objects.items()}
    return ConnectionConfig(name, "hubspot", "https://x.example", "sample", None, mapped)


CRMS = [
    connection("hubspot", contact=("leads", "lead_{id}"), company=("accounts", "{id}")),
    connection("other", person=("leads", "{id}-x"), deal=("leads", "lead_{id}")),
]


def test_an_id_is_turned_back_by_the_key_template_of_each_object() -> None:
    assert aliases(CRMS, "lead", "lead_7") == [("hubspot", "contact", "7"), ("other", "deal", "7")]
    assert aliases(CRMS, "lead", "7-x") == [("other", "person", "7")]


def test_an_object_of_another_table_is_not_it() -> None:
    assert aliases(CRMS, "account", "lead_7") == [("hubspot", "company", "lead_7")]
    assert aliases(CRMS, "contact", "lead_7") == []


def test_a_template_with_nothing_in_the_ids_place_does_not_fit() -> None:
    assert aliases(CRMS, "lead", "lead_") == []
    assert aliases([connection("c", contact=("leads", "aba{id}aba"))], "lead", "ababa") == []
