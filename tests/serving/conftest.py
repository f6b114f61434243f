"""A real Postgres of this session, for the tests that hold on every database."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from serving.store.connect import open_store
from serving.store.migrate import migrate
from tests.serving import postgres as server_of
from tests.serving.stores import new_file

DATABASES = ("sqlite", "postgres")
NewDatabase = Callable[..., str]
"""Takes the template: the migrated store without one, `template0` for an empty database."""


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewDatabase]:
    """Gives the URL of a new, migrated database with every call."""
    # No test here is about power loss.
    with server_of.postgres(tmp_path_factory.mktemp("postgres") / "server", durable=False) as server:
        admin = create_engine(server.url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
        numbers = itertools.count()

        def make(name: str, template: str) -> str:
            with admin.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
            return server.url_of(name)

        store = open_store(make("migrated", "template0"))
        migrate(store)
        store.close()
        yield lambda template="migrated": make(f"store_{next(numbers)}", template)
        admin.dispose()


def store_url(request: pytest.FixtureRequest, folder: Path, template: str = "migrated") -> str:
    """The URL of a new database for a fixture whose parameter is one of `DATABASES`; Postgres starts when it is asked for."""
    if request.param == "sqlite":
        return new_file(folder) if template == "migrated" else f"sqlite:///{folder}/store.db"
    new: NewDatabase = request.getfixturevalue("postgres")
    return new(template)
