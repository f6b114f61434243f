"""Events become changes: what a round counts."""

from __future__ import annotations

from serving.worker.apply_inbox import Applied


def test_two_halves_of_a_round_are_added() -> None:
    assert Applied(3, 1, 1, 0, 0, 1) + Applied(2, 0, 0, 2, 1, 0) == Applied(5, 1, 1, 2, 1, 1)
