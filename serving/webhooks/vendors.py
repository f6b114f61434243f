"""The vendors whose webhooks we understand. Adding one is a file beside this one and a line here."""

from __future__ import annotations

from serving.webhooks import hubspot, salesforce, standard
from serving.webhooks.delivery import Vendor

VENDORS: dict[str, Vendor] = {
    "hubspot": hubspot.HubSpot(),
    "salesforce": salesforce.Salesforce(),
    "standard-webhooks": standard.StandardWebhooks(),
}
