"""The registry of CRMs: how to receive from each, and how to send to it. To add one, add a folder beside this file and
a line here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import cast

from serving.vendors.destination import WriteBack
from serving.vendors.dynamics.inbound import Dynamics
from serving.vendors.hubspot.inbound import HubSpot
from serving.vendors.inbound import Inbound
from serving.vendors.outbound import Outbound
from serving.vendors.pipedrive.inbound import Pipedrive
from serving.vendors.salesforce.inbound import Salesforce
from serving.vendors.standard_webhooks.inbound import StandardWebhooks


@dataclass(frozen=True)
class Vendor:
    """One CRM. A direction that it does not have is None; a connection that asks for it has a fault."""

    inbound: Inbound | None = None
    sender: str | None = None
    """`module:Class` of its `Outbound` below this package, imported on demand."""

    @property
    def outbound(self) -> type[Outbound] | None:
        if self.sender is None:
            return None
        module, _, name = self.sender.partition(":")
        return cast(type[Outbound], getattr(import_module(f"{__package__}.{module}"), name))


VENDORS: dict[str, Vendor] = {
    "dynamics": Vendor(Dynamics(), "dynamics.outbound:Dynamics"),
    "hubspot": Vendor(HubSpot(), "hubspot.outbound:HubSpot"),
    "pipedrive": Vendor(Pipedrive()),
    "salesforce": Vendor(Salesforce(), "salesforce.outbound:Salesforce"),
    "standard-webhooks": Vendor(StandardWebhooks(), "standard_webhooks.outbound:Callback"),
}


def make_sender(vendor: str, config: WriteBack) -> Outbound:
    """A sender for a vendor that has one, with its own HTTP client. The caller closes it."""
    found = VENDORS[vendor].outbound
    assert found is not None
    return found(config)
