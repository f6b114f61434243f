"""Rate limit: one token bucket per key, which fills evenly and holds two seconds' worth."""

from __future__ import annotations

import math

BURST_SECONDS = 2.0


class Buckets:
    """Token buckets of one process, two numbers per key."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key_id: str, requests_per_minute: int, now: float) -> int:
        """0 when the request may pass, else after how many whole seconds the next one may. `now` is monotonic seconds."""
        rate = requests_per_minute / 60.0
        most = max(1.0, rate * BURST_SECONDS)
        left, before = self._buckets.get(key_id, (most, now))
        left = min(most, left + (now - before) * rate)
        if left < 1.0:
            self._buckets[key_id] = (left, now)
            return max(1, math.ceil((1.0 - left) / rate - 1e-6))
        self._buckets[key_id] = (left - 1.0, now)
        return 0
