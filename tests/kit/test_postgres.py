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


def test_it_is_started_again_and_says_why_it_ended(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with postgres(tmp_path / "server", durable=False) as server:
        server.see_that_it_runs()  # nothing to do, nothing to say
        os.kill(int((server.data / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
        wait_for(lambda: not answers(server.url))
        assert caplog.text == ""
        server.see_that_it_runs()
        assert "ended from outside" in caplog.text
        assert "immediate shutdown" in caplog.text
        assert answers(server.url)
