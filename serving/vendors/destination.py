"""Configuration of a connection's write-back: what is written where, and how to log in. Its `Outbound` is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Mode = Literal["off", "dry-run", "on"]


@dataclass(frozen=True)
class Target:
    """Where one model's score is written."""

    object_type: str
    properties: Mapping[str, str]
    """From part of the score (score, band, probability, reasons, scored_at, version) to the CRM's property."""
    external_id: str | None = None
    """The CRM's field with our key, where records are found by it; None where they are found by their id."""


@dataclass(frozen=True)
class WriteBack:
    """What is written where. The token is read from the environment at start and never printed."""

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
    """The application whose secret the token is; empty where the token is sent as it is."""
    token_url: str = ""

    @property
    def sends(self) -> bool:
        """Whether it is switched on and its token is set."""
        return self.mode == "on" and bool(self.token)

    @property
    def queues(self) -> bool:
        return self.mode != "off"
