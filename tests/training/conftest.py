"""A model that several tests of this folder look at, learnt once."""

from __future__ import annotations

import pytest

from tests.kit.rows import QUICK, dated_rows, in_time
from training.learn import Learnt, learn


@pytest.fixture(scope="session")
def learnt() -> Learnt:
    """Of `dated_rows()`. It is shared: change nothing in it."""
    rows = dated_rows()
    return learn(rows, in_time(rows), QUICK)
