"""Limits refused sign-ins: a few at once for each address, then one every 12 seconds.

A key has 256 random bits and is not guessed; the limit bounds the work and the rows of the audit log that somebody without
a key can cause.
"""

from __future__ import annotations

import ipaddress
import math

AT_ONCE = 5
SECONDS_EACH = 12.0
LOGGED_A_MINUTE = 60
"""Refusals that get a row of the audit log, in one process; all are counted in the metrics."""
MOST_ADDRESSES = 10_000
"""Remembered at most, each with two numbers; the oldest are forgotten."""


class Attempts:
    """Refused sign-ins of one process. `now` is monotonic seconds; used on its event loop only."""

    def __init__(self) -> None:
        self._spent: dict[str, tuple[float, float]] = {}
        self._logged = (0.0, 0.0)

    def wait(self, address: str, now: float) -> int:
        """Seconds until this address may try again; 0 when it may now."""
        spent = self._now(self._spent.get(_group(address)), SECONDS_EACH, now)
        return 0 if spent <= AT_ONCE - 1 else math.ceil((spent - AT_ONCE + 1) * SECONDS_EACH)

    def refused(self, address: str, now: float) -> None:
        """Counts a refused sign-in."""
        group = _group(address)
        spent = self._now(self._spent.pop(group, None), SECONDS_EACH, now) + 1
        self._spent[group] = (spent, now)
        if len(self._spent) > MOST_ADDRESSES:
            del self._spent[next(iter(self._spent))]

    def may_log(self, now: float) -> bool:
        """Whether one more refusal gets a row of the audit log."""
        spent = self._now(self._logged, 60 / LOGGED_A_MINUTE, now)
        if spent > LOGGED_A_MINUTE - 1:
            return False
        self._logged = (spent + 1, now)
        return True

    @staticmethod
    def _now(held: tuple[float, float] | None, seconds_each: float, now: float) -> float:
        if held is None:
            return 0.0
        return max(0.0, held[0] - (now - held[1]) / seconds_each)


def _group(address: str) -> str:
    """One client's addresses: a client has a whole /64 of IPv6.

    >>> _group("2001:db8::1") == _group("2001:db8::ffff"), _group("192.0.2.1")
    (True, '192.0.2.1')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if found.version == 4 else str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
