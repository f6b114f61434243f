"""Refused sign-ins are limited by address, in bounded memory."""

from __future__ import annotations

import pytest

from serving.sign_in import attempts
from serving.sign_in.attempts import AT_ONCE, LOGGED_A_MINUTE, Attempts


class TestAttempts:
    def test_some_at_once_then_one_every_12_seconds(self) -> None:
        found = Attempts()
        for _ in range(AT_ONCE):
            assert found.wait("192.0.2.1", 100.0) == 0
            found.refused("192.0.2.1", 100.0)
        assert found.wait("192.0.2.1", 100.0) == 12
        assert found.wait("192.0.2.1", 106.0) == 6
        assert found.wait("192.0.2.1", 112.0) == 0
        assert found.wait("192.0.2.2", 100.0) == 0  # another address is not held up

    def test_a_client_cannot_walk_through_its_own_addresses(self) -> None:
        found = Attempts()
        for n in range(AT_ONCE):
            found.refused(f"2001:db8:1:1::{n}", 0.0)
        assert found.wait("2001:db8:1:1:ffff::", 0.0) > 0
        assert found.wait("2001:db8:1:2::", 0.0) == 0

    def test_memory_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(attempts, "MOST_ADDRESSES", 10)
        found = Attempts()
        for n in range(100):
            found.refused(f"192.0.2.{n}", float(n))
        assert len(found._spent) == 10

    def test_rows_of_the_audit_log_are_bounded(self) -> None:
        found = Attempts()
        assert sum(found.may_log(0.0) for _ in range(10 * LOGGED_A_MINUTE)) == LOGGED_A_MINUTE
        assert found.may_log(1.0)
