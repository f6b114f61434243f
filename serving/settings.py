"""Settings of serving, beside those that all packages share (`features.kit.settings`)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from features.kit.clock import DAY_US
from features.kit.errors import BadInput, Fault
from features.kit.settings import CURRENCY, Settings
from serving.log import FORMATS
from serving.sign_in_settings import SignInSettings, read_sign_in

PAGE_DATES = ("iso", "day-first", "month-first")


@dataclass(frozen=True)
class Limits:
    """Limits on one client."""

    connections: int = 10_000
    """Open at once; one more is answered 503 and closed."""
    request_seconds: float = 20.0
    """For the first byte of a connection, for a request from its first byte to its last, and for reading an answer."""
    keep_alive_seconds: float = 75.0
    """How long a connection may be idle between requests; load balancers keep theirs for 60."""


@dataclass(frozen=True)
class ServingSettings:
    """What the API, the worker and the batch read from the environment."""

    base: Settings
    currency: str
    """`ACCOUNTSCORE_CURRENCY`: ISO 4217 code of the money in the source, default USD."""
    record_decisions: bool
    """`ACCOUNTSCORE_RECORD_DECISIONS`: yes (default) keeps a decision record of each score given over HTTP, no does not."""
    max_body_bytes: int
    """`ACCOUNTSCORE_MAX_BODY_BYTES`: largest request body, counted while it arrives; default 8 MiB (1,000 records of
    60 signals are about 2 MiB)."""
    stale_after_days: int | None
    """`ACCOUNTSCORE_STALE_AFTER_DAYS`: stored signals that are older get no score; default the model's horizon, after which
    the score would speak of a time that is over."""
    requests_per_minute: int
    """`ACCOUNTSCORE_REQUESTS_PER_MINUTE`: of one key that has no limit of its own, in one process; default 60,000."""
    limits: Limits
    """`ACCOUNTSCORE_MAX_CONNECTIONS`: open at once, default 10,000; `ACCOUNTSCORE_CLIENT_SECONDS`: how long a client may take for its first
    byte, for its whole request, and for reading its answer, default 20."""
    drain_seconds: float
    """`ACCOUNTSCORE_DRAIN_SECONDS`: how long requests in flight may take after SIGTERM, default 20 (Kubernetes kills after 30)."""
    log_requests: bool
    """`ACCOUNTSCORE_LOG_REQUESTS`: yes logs every request, no (default) those that were refused or failed."""

    log_format: str
    """`ACCOUNTSCORE_LOG_FORMAT`: text (default, logfmt) or json, an object a line."""
    max_source_age_days: int | None
    """`ACCOUNTSCORE_MAX_SOURCE_AGE_DAYS`: a nightly run refuses a source that ended longer before its moment; default the
    shortest horizon of the live models."""
    sign_in: SignInSettings = field(default_factory=SignInSettings)
    """How people sign in to the page."""
    page_dates: str = "iso"
    """`ACCOUNTSCORE_PAGE_DATES`: how the page writes a date: iso (default, 2026-11-30), day-first (30.11.2026), month-first (11/30/2026)."""
    page_time_zone: str = "UTC"
    """`ACCOUNTSCORE_PAGE_TIME_ZONE`: IANA time zone of the moments on the page, default UTC."""

    @property
    def stale_after_us(self) -> int | None:
        return None if self.stale_after_days is None else self.stale_after_days * DAY_US

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> ServingSettings:
        """Raises `BadInput` with every setting that breaks its rule."""
        env = os.environ if environ is None else environ
        faults: list[Fault] = []

        def number(name: str, default: str, low: int, high: int) -> int:
            found = env.get(name) or default
            if not (found.isascii() and found.isdigit() and len(found) < 10 and low <= int(found) <= high):
                faults.append(
                    Fault(
                        where=name,
                        found=repr(found[:60]),
                        rule=f"a whole number from {low} to {high:,}",
                        next_step=f"write {default}",
                    )
                )
                return low
            return int(found)

        currency = env.get("ACCOUNTSCORE_CURRENCY") or CURRENCY
        if not (len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()):
            faults.append(
                Fault(
                    where="ACCOUNTSCORE_CURRENCY",
                    found=repr(currency),
                    rule="three capital letters, ISO 4217",
                    next_step="write USD",
                )
            )
        record = env.get("ACCOUNTSCORE_RECORD_DECISIONS") or "yes"
        if record not in ("yes", "no"):
            faults.append(
                Fault(
                    where="ACCOUNTSCORE_RECORD_DECISIONS",
                    found=repr(record),
                    rule="yes or no",
                    next_step="write one of them",
                )
            )
        size = env.get("ACCOUNTSCORE_MAX_BODY_BYTES") or str(8 * 1024 * 1024)
        if not (size.isascii() and size.isdigit() and int(size) >= 1024):
            faults.append(
                Fault(
                    where="ACCOUNTSCORE_MAX_BODY_BYTES",
                    found=repr(size),
                    rule="a whole number from 1024",
                    next_step="write 8388608",
                )
            )
        stale = env.get("ACCOUNTSCORE_STALE_AFTER_DAYS") or ""
        if stale and not (stale.isascii() and stale.isdigit() and 1 <= int(stale) <= 36_500):
            faults.append(
                Fault(
                    where="ACCOUNTSCORE_STALE_AFTER_DAYS",
                    found=repr(stale),
                    rule="a whole number from 1",
                    next_step="write 90",
                )
            )
            stale = ""
        age = env.get("ACCOUNTSCORE_MAX_SOURCE_AGE_DAYS") or ""
        if age and not (age.isascii() and age.isdigit() and 1 <= int(age) <= 36_500):
            faults.append(
                Fault(
                    where="ACCOUNTSCORE_MAX_SOURCE_AGE_DAYS",
                    found=repr(age),
                    rule="a whole number from 1",
                    next_step="write 90",
                )
            )
            age = ""
        rate = env.get("ACCOUNTSCORE_REQUESTS_PER_MINUTE") or "60000"
        if not (rate.isascii() and rate.isdigit() and int(rate) >= 1):
            faults.append(
                Fault(
                    where="ACCOUNTSCORE_REQUESTS_PER_MINUTE",
                    found=repr(rate),
                    rule="a whole number from 1",
                    next_step="write 60000",
                )
            )
            rate = "1"
        requests = env.get("ACCOUNTSCORE_LOG_REQUESTS") or "no"
        if requests not in ("yes", "no"):
            faults.append(
                Fault(
                    where="ACCOUNTSCORE_LOG_REQUESTS",
                    found=repr(requests),
                    rule="yes or no",
                    next_step="write one of them",
                )
            )
        form = env.get("ACCOUNTSCORE_LOG_FORMAT") or "text"
        if form not in FORMATS:
            faults.append(
                Fault(
                    where="ACCOUNTSCORE_LOG_FORMAT",
                    found=repr(form[:60]),
                    rule="text or json",
                    next_step="write one of them",
                )
            )
        dates = env.get("ACCOUNTSCORE_PAGE_DATES") or "iso"
        if dates not in PAGE_DATES:
            faults.append(
                Fault(
                    where="ACCOUNTSCORE_PAGE_DATES",
                    found=repr(dates[:60]),
                    rule=f"one of {', '.join(PAGE_DATES)}",
                    next_step="write one of them",
                )
            )
        zone = env.get("ACCOUNTSCORE_PAGE_TIME_ZONE") or "UTC"
        if not _is_zone(zone):
            faults.append(
                Fault(
                    where="ACCOUNTSCORE_PAGE_TIME_ZONE",
                    found=repr(zone[:60]),
                    rule="an IANA time zone that this machine knows",
                    next_step="write UTC or Europe/Berlin",
                )
            )
        connections = number("ACCOUNTSCORE_MAX_CONNECTIONS", "10000", 10, 1_000_000)
        client = number("ACCOUNTSCORE_CLIENT_SECONDS", "20", 1, 3600)
        drain = number("ACCOUNTSCORE_DRAIN_SECONDS", "20", 0, 3600)
        sign_in = read_sign_in(env, faults)
        if faults:
            raise BadInput("settings", faults)
        return cls(
            Settings.from_env(dict(env)),
            currency,
            record == "yes",
            int(size),
            int(stale) if stale else None,
            int(rate),
            Limits(connections, float(client)),
            float(drain),
            requests == "yes",
            form,
            int(age) if age else None,
            sign_in,
            dates,
            zone,
        )


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; no name of a zone at all
        return False
    return True
