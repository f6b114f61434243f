"""The CRMs that we write to. Adding one is a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Callable

from serving.writeback.config import WriteBack
from serving.writeback.sender import Sender


def make_sender(vendor: str, config: WriteBack) -> Sender:
    """The sender of a vendor; what it needs is imported now."""
    from serving.writeback import callback, dynamics, hubspot, salesforce

    senders: dict[str, Callable[[WriteBack], Sender]] = {
        "dynamics": dynamics.Dynamics,
        "hubspot": hubspot.HubSpot,
        "salesforce": salesforce.Salesforce,
        "standard-webhooks": callback.Callback,
    }
    return senders[vendor](config)
