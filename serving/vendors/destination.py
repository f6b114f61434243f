"""What of a score is written where, and how to log in there: the part of a connection that its `Outbound` is made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Mode = Literal["off", "dry-run", "on"]


@dataclass(frozen=True)
class Target:
    """Where one model's score goes."""

    object_type: str
    properties: Mapping[str, str]
    """Part of the score (score, band, probability, reasons, scored_at, version) to the CRM's property."""
    external_id: str | None = None
    """The CRM's field that holds our key, where a record is found by it."""


@dataclass(frozen=True)
class WriteBack:
    """What of a score is written where. The token is read from the environment at start and never printed."""

    mode: Mode = "off"
    models: Mapping[str, Target] = field(default_factory=dict)
    minimum_change: int = 3
    hysteresis: int = 3
    requests_per_second: float = 10.0
    url: str = ""
    token: str = field(repr=False, default="")
    allow_networks: tuple[str, ...] = ()
    ca_file: Path | None = None
    client_id: str = ""
    """Of the application that the token is the secret of; empty where the token is sent as it is."""
    token_url: str = ""

    @property
    def sends(self) -> bool:
        """Whether it is switched on and its token is set."""
        return self.mode == "on" and bool(self.token)

    @property
    def queues(self) -> bool:
        return self.mode != "off"
