"""The simulated companies that tests of several modules look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.simulate import simulate
from tests.conftest import MakeOnce
from tests.kit.simulated import END, SMALL


@pytest.fixture(scope="session")
def sample(make_once: MakeOnce) -> Path:
    def fill(made: Path) -> None:
        simulate(made, **SMALL)

    return make_once("sample", fill)


@pytest.fixture(scope="session")
def large(make_once: MakeOnce) -> Path:
    """Many accounts, hardly any use: for outcomes."""

    def fill(made: Path) -> None:
        simulate(made, accounts=6000, leads=12_000, days=504, end=END, usage_events=1000, seed=3)

    return make_once("large", fill)
