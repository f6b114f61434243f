"""Every vendor by its name, and the directions that it has."""

from __future__ import annotations

import pytest

from serving.vendors.destination import WriteBack
from serving.vendors.hubspot.outbound import HubSpot
from serving.vendors.outbound import Outbound
from serving.vendors.registry import VENDORS, Vendor, make_sender


@pytest.mark.parametrize("name", VENDORS)
def test_a_vendor_has_a_direction_and_its_sender_is_one(name: str) -> None:
    vendor = VENDORS[name]
    assert vendor.inbound or vendor.outbound
    assert vendor.outbound is None or issubclass(vendor.outbound, Outbound)


def test_a_vendor_without_a_sender_is_not_written_to() -> None:
    assert VENDORS["pipedrive"].outbound is None


def test_a_sender_is_made_of_the_connections_configuration() -> None:
    sender = make_sender("hubspot", WriteBack("on", url="https://hub.example", token="t" * 20))
    try:
        assert type(sender) is HubSpot
        assert sender._config.url == "https://hub.example"
    finally:
        sender.close()


def test_a_sender_that_is_not_there_is_no_silent_none() -> None:
    with pytest.raises(ModuleNotFoundError):
        _ = Vendor(sender="acme.outbound:Acme").outbound
