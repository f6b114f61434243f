"""The vendors whose webhooks we understand. Adding one is a file beside this one and a line here."""

from __future__ import annotations

from serving.webhooks import dynamics, hubspot, salesforce, standard
from serving.webhooks.delivery import Vendor

VENDORS: dict[str, Vendor] = {
    "dynamics": dynamics.Dynamics(),
    "hubspot": hubspot.HubSpot(),
    "salesforce": salesforce.Salesforce(),
    "standard-webhooks": standard.StandardWebhooks(),
}
