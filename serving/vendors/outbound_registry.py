"""The CRMs that we write to. Adding one is a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Callable

from serving.connections.writeback import WriteBack
from serving.vendors.outbound import Sender


def make_sender(vendor: str, config: WriteBack) -> Sender:
    """The sender of a vendor; what it needs is imported now."""
    from serving.vendors.dynamics import outbound as dynamics
    from serving.vendors.hubspot import outbound as hubspot
    from serving.vendors.salesforce import outbound as salesforce
    from serving.vendors.standard_webhooks import outbound as standard_webhooks

    senders: dict[str, Callable[[WriteBack], Sender]] = {
        "dynamics": dynamics.Dynamics,
        "hubspot": hubspot.HubSpot,
        "salesforce": salesforce.Salesforce,
        "standard-webhooks": standard_webhooks.Callback,
    }
    return senders[vendor](config)
