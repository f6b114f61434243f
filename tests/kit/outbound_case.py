"""One vendor of the suite of those that scores are written to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from serving.vendors.outbound import Outbound
from tests.kit.fake_crm import FakeCrm


@dataclass(frozen=True)
class OutboundCase:
    """One CRM of the suite: its fake, our sender, and what they call things."""

    name: str
    fake: Callable[[], AbstractContextManager[FakeCrm]]
    sender: type[Outbound]
    object_type: str
    properties: dict[str, str]
    identity: Callable[[int], str]
    batch: int
    gone: str
    """What is said of a record that there is not."""

    def entity(self, number: int) -> str:
        return f"lead_{self.identity(number)}"

    def written(self, score: object, band: object) -> dict[str, object]:
        """The properties of a score, as the CRM must have them."""
        return {
            self.properties["score"]: score if self.sender.strict_types or score is None else str(score),
            self.properties["band"]: band,
        }
