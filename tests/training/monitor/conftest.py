"""The home that the tests of this folder watch: two companies, and a champion that learnt before one of them changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeOnce
from tests.kit.watched import make_watched_home


@pytest.fixture(scope="session")
def home(make_once: MakeOnce) -> Path:
    return make_once("watched", make_watched_home)
