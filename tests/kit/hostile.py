"""Texts that a database or an API may stumble over, and a connection and events of HubSpot's to send them by."""

from __future__ import annotations

HOSTILE = {
    "nul": "a\x00b",
    "half a pair": "a\ud800b",
    "the other half": "\udfff",
    "bidi": "\u202eexe.cod",
    "long": "x" * 1_000_000,
    "astral": "\U0001f600",
    "not a character": "\uffff",
    "controls": "\x01\x1b[31m\x7f",
    "quotes": "'\";--%s%(a)s{}",
}
NOT_KEPT = ("nul", "half a pair", "the other half")
"""No database keeps these as they are."""
CONNECTION = """
vendor = "{vendor}"
public_url = "https://scores.example.com"
secret_envs = ["CRM_SECRET"]
source = "sample"
[objects.contact]
table = "leads"
columns = {{ industry = "industry" }}
"""


def event(number: int, record: int, value: object, **more: object) -> dict[str, object]:
    """A change of a contact's industry, as HubSpot tells it."""
    return {
        "eventId": number,
        "subscriptionId": 1,
        "portalId": 1,
        "occurredAt": 1_764_547_200_000,
        "objectId": record,
        "subscriptionType": "contact.propertyChange",
        "propertyName": "industry",
        "propertyValue": value,
        **more,
    }
