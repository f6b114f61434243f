"""The vendors whose webhooks we understand. Adding one is a file beside this one and a line here."""

from __future__ import annotations

from serving.vendors.dynamics import inbound as dynamics
from serving.vendors.hubspot import inbound as hubspot
from serving.vendors.inbound import Vendor
from serving.vendors.salesforce import inbound as salesforce
from serving.vendors.standard_webhooks import inbound as standard_webhooks

VENDORS: dict[str, Vendor] = {
    "dynamics": dynamics.Dynamics(),
    "hubspot": hubspot.HubSpot(),
    "salesforce": salesforce.Salesforce(),
    "standard-webhooks": standard_webhooks.StandardWebhooks(),
}
