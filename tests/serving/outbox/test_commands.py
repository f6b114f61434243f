"""What people do with a connection, by command: a backlog that is killed, what would be written, what was given up."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from serving.store.connect import Store, open_store
from serving.store.tables import decisions, writebacks
from tests.kit.fake_hubspot import FakeHubSpot, fake_hubspot
from tests.kit.killing import connect, environment
from tests.kit.running import Home, quick_home

KILLED = """
import os, signal
from features.kit.cli import run
from serving.__main__ import app
from serving.worker import backfill
from serving.outbox import repository as queue

where, number = os.environ["KILL_AT"].split(":")
left = int(number)

def kill():
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

def killed(function):
    def call(*arguments):
        done = function(*arguments)
        kill()
        return done
    return call

backfill.ENTITIES_A_ROUND = 12
if where == "commit":
    backfill.score_round = killed(backfill.score_round)
else:
    queue.enqueue = killed(queue.enqueue)
run(app)
"""
"""Kills itself after the n-th commit, or in the n-th transaction, when its write-backs are queued."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return quick_home(tmp_path_factory.mktemp("home"), models=("lead-fit",))


@pytest.fixture
def crm(home: Home) -> Iterator[FakeHubSpot]:
    with fake_hubspot() as fake:
        connect(home, fake)
        yield fake


@pytest.fixture
def env(home: Home, tmp_path: Path) -> dict[str, str]:
    made = environment(home, tmp_path)
    assert home.run("serving", "migrate", env=made).returncode == 0
    return made


@pytest.fixture
def store(env: dict[str, str]) -> Iterator[Store]:
    opened = open_store(env["ACCOUNTSCORE_STORE_URL"])
    yield opened
    opened.close()


def by_state(store: Store) -> dict[str, int]:
    with store.read() as connection:
        rows = connection.execute(select(writebacks.c.state, func.count()).group_by(writebacks.c.state))
        return {state: count for state, count in rows}


def scored(store: Store) -> Counter[str]:
    with store.read() as connection:
        return Counter(connection.execute(select(decisions.c.entity_id)).scalars())


def run(home: Home, env: dict[str, str], *arguments: str) -> str:
    done = home.run("serving", *arguments, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_backlog_that_is_killed_is_scored_once(
    home: Home, env: dict[str, str], store: Store, crm: FakeHubSpot
) -> None:
    """SIGKILL in two runs, between commits and in the middle of one; the third ends it, a fourth has nothing to do."""
    command = [sys.executable, "-c", KILLED, "backfill", "crm"]
    for where, done in (("commit:2", 24), ("queued:3", 48)):
        ended = subprocess.run(
            command, env={**home.environment(env), "KILL_AT": where}, capture_output=True, check=False, timeout=300
        )
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        assert scored(store).total() == done
    partly = scored(store)
    last = run(home, env, "backfill", "crm")
    assert f"{partly.total():,} were before" in last
    found = scored(store)
    assert set(found.values()) == {1}
    assert partly.keys() < found.keys()
    assert "0 records scored" in run(home, env, "backfill", "crm")
    assert scored(store) == found
    waiting = by_state(store)["waiting"]
    assert f"{waiting:,} written" in run(home, env, "deliver")
    assert len(crm.values) == len(crm.writes) == waiting


def test_dry_run_shows_and_sends_nothing_and_what_was_given_up_is_listed_and_replayed(
    home: Home, env: dict[str, str], store: Store, crm: FakeHubSpot
) -> None:
    toml = home.path / "connections" / "crm.toml"
    toml.write_text(toml.read_text().replace('mode = "on"', 'mode = "dry-run"'))
    run(home, env, "backfill", "crm")
    waiting = by_state(store)["waiting"]
    assert "nothing is sent" in run(home, env, "deliver")
    shown = run(home, env, "deliver", "--dry-run")
    assert f"{waiting:,} would be written" in shown
    assert shown.count("fit_score=") == waiting > 1
    assert crm.calls == 0
    toml.write_text(toml.read_text().replace('mode = "dry-run"', 'mode = "on"'))
    with store.read() as connection:
        victim = connection.execute(select(writebacks.c.object_id, writebacks.c.entity_id).limit(1)).one()
    crm.unknown.add(victim.object_id)
    assert "1 given up" in run(home, env, "deliver")
    assert by_state(store) == {"sent": waiting - 1, "dead": 1}
    (listed,) = run(home, env, "dead-letters", "list").splitlines()
    assert listed.split("\t")[2] == victim.entity_id
    assert "OBJECT_NOT_FOUND" in listed
    crm.unknown.clear()
    calls = crm.calls
    assert "0 written" in run(home, env, "deliver")  # dead is dead until somebody says otherwise
    assert crm.calls == calls
    assert "1 put back" in run(home, env, "dead-letters", "replay", "crm")
    assert "1 written" in run(home, env, "deliver")
    assert by_state(store) == {"sent": waiting}
    assert len(crm.values) == waiting
