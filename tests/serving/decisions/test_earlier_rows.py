"""What the rows known before an earlier score give."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from serving.decisions.earlier_rows import Old


def test_nothing_that_differs_is_the_default_and_is_shared_by_nobody() -> None:
    first, second = Old(), Old()
    assert first == second == Old({}, {})
    assert first.aged is not second.aged


def test_it_is_part_of_a_record_and_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Old().aged = {"seats": 1}  # type: ignore[misc]
