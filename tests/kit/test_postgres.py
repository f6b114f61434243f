"""The Postgres of the tests is there again when somebody else has ended it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
import pytest

from tests.kit.postgres import postgres
from tests.kit.running import wait_for


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def test_it_is_started_again_and_says_why_it_ended(caplog: pytest.LogCaptureFixture) -> None:
    with postgres(durable=False) as server:
        server.see_that_it_runs()  # nothing to do, nothing to say
        os.kill(int((server.data / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
        wait_for(lambda: not answers(server.url))
        assert caplog.text == ""
        server.see_that_it_runs()
        assert "ended from outside" in caplog.text
        assert "immediate shutdown" in caplog.text
        assert answers(server.url)


def test_a_pytest_that_starts_beside_it_does_not_shut_it_out(tmp_path: Path) -> None:
    """Each pytest takes the rights of others off the folder of all of them."""
    with postgres(durable=False) as server:
        assert tmp_path.parents[1] not in server.data.parents
        for each in tmp_path.parents[:2]:
            each.chmod(0o700)
        server.stop()
        server.start()
        assert answers(server.url)
