"""The databases that a store may be on: a fixture or test with one of `DATABASES` as its parameter gets a new one of that kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.stores import new_file

DATABASES = ("sqlite", "postgres")
NewDatabase = Callable[..., str]
"""Takes the template: the migrated store without one, `template0` for an empty database."""


def store_url(request: pytest.FixtureRequest, folder: Path, template: str = "migrated") -> str:
    """The URL of a new database in `folder`; Postgres starts when it is asked for."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return new_file(folder) if template == "migrated" else f"sqlite:///{folder}/store.db"
    new: NewDatabase = request.getfixturevalue("postgres")
    return new(template)
