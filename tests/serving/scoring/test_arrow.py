"""Chunks are scored beside each other and come back in their order."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from serving.scoring.arrow import in_order


class TestBesideEachOther:
    def test_results_keep_their_order(self) -> None:
        def work(item: int) -> int:
            time.sleep(0.02 * (item % 3 == 0))  # the first of three ends last
            return item

        assert list(in_order(work, range(20), threads=3)) == list(range(20))

    def test_few_results_wait_and_an_error_ends_it(self) -> None:
        taken = []

        def items() -> Iterator[int]:
            for item in range(100):
                taken.append(item)
                yield item

        with pytest.raises(ZeroDivisionError):
            list(in_order(lambda item: 1 // (3 - item), items(), threads=2))
        assert len(taken) <= 7
