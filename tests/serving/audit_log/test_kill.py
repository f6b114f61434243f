"""A process that is killed leaves the change and its row, or neither."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from serving.audit_log import head, repository
from serving.audit_log.chain import Head
from serving.overrides import repository as overrides_of
from serving.overrides.repository import Override
from serving.privacy import repository as privacy
from serving.store.connect import Store, open_store
from serving.store.tables import audit_log, objections, overrides
from tests.kit.audited import verdict_of

pytestmark = pytest.mark.both_databases
CONTEXT = multiprocessing.get_context("spawn")
BEFORE, BETWEEN, AFTER, APART = "before the row", "before the commit", "after the commit", "a transaction of its own"
LEFT = {BEFORE: (0, 0), BETWEEN: (0, 0), AFTER: (1, 1), APART: (1, 0)}
"""Where it is killed -> how many overrides and how many rows there are. The last is the sabotaged twin: a row that is
added in a transaction of its own is lost."""


def die(*_: object) -> Head:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def override(number: int) -> Override:
    return Override("churn-risk", "account", f"a{number}", "low", "They signed.", "j.doe", number + 1, None)


def put_and_die(url: str, where: str) -> None:
    store, append = open_store(url), repository.append_all
    if where == BEFORE:
        repository.append_all = die
    elif where == BETWEEN:
        repository.append_all = lambda *given: (append(*given), die())[0]
    elif where == APART:
        repository.append_all = lambda *given: Head()
    with store.write() as connection:
        overrides_of.put(connection, override(0))
    die()


def work(url: str, home: str, first: int) -> None:
    """Puts overrides and objections until it is killed."""
    store = open_store(url)
    for number in range(first, first + 100_000):
        with store.write() as connection:
            overrides_of.put(connection, override(number))
            privacy.object_to(connection, "account", f"a{number}", number + 1)
        head.keep(store, Path(home))


def url_of(store: Store) -> str:
    return store.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")


def counted(connection: Connection) -> dict[str, int]:
    logged = Counter(connection.execute(select(audit_log.c.action)).scalars())
    rows = {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in (overrides, objections)
    }
    return {**rows, "logged overrides": logged["override"], "logged objections": logged["objection"]}


@pytest.mark.parametrize("where", LEFT)
def test_both_are_there_or_neither(store: Store, where: str) -> None:
    process = CONTEXT.Process(target=put_and_die, args=(url_of(store), where))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    with store.write() as connection:  # Postgres may still be ending what the dead one began
        found = counted(connection)
    assert (found["overrides"], found["logged overrides"]) == LEFT[where]


@pytest.mark.slow
def test_at_any_moment_none_is_lost_and_none_is_there_twice(store: Store, tmp_path: Path) -> None:
    rng = random.Random(17)
    for kill in range(5):
        process = CONTEXT.Process(target=work, args=(url_of(store), str(tmp_path / "home"), 100_000 * kill))
        process.start()
        began, done = time.monotonic(), -1
        while done < 5 and time.monotonic() < began + 60:  # it is at work
            time.sleep(0.02)
            with store.read() as connection:
                done = connection.execute(
                    select(func.count()).select_from(overrides).where(overrides.c.set_at > 100_000 * kill)
                ).scalar_one()
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        process.join(60)
        with store.write() as connection:
            found = counted(connection)
        assert len(set(found.values())) == 1, found
        assert found["overrides"] >= 5 * (kill + 1)
        known = head.load(tmp_path / "home")
        assert known is not None
        assert verdict_of(store, known).intact
        assert head.keep(store, tmp_path / "home")
