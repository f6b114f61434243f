"""The API in a process of its own: it ends without losing a request, and asks for a key where others reach it."""

from __future__ import annotations

import json
import re
import signal
import socket
from pathlib import Path

import httpx
import pytest

from models import champion_pointer
from tests.kit.running import Home, free_port, running, wait_for
from tests.kit.scorers import copy_scorer

BODY = {"records": [{"signals": {"number_0": 1.0}}]}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    folder = tmp_path / "front"
    folder.mkdir()
    made = Home(folder / "home", folder)
    copy_scorer(folder / "made", n=600)
    with champion_pointer.locked(made.path, "churn-risk"):
        champion_pointer.put_live(made.path, "churn-risk", folder / "made", 1)
    assert made.run("serving", "migrate").returncode == 0
    return made


def test_sigterm_lets_what_is_in_flight_end_and_refuses_what_comes(home: Home) -> None:
    port = free_port()
    with running(home, "api", "--port", str(port)) as process:
        url = f"http://127.0.0.1:{port}"

        def ready() -> bool:
            try:
                return httpx.get(f"{url}/readyz").status_code == 200
            except httpx.HTTPError:
                return False

        wait_for(ready)
        body = json.dumps(BODY).encode()
        head = f"POST /v1/churn-risk/score HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as slow, httpx.Client() as kept:
            assert kept.get(f"{url}/healthz").status_code == 200  # a connection that stays open
            slow.sendall(head + body[:10])
            wait_for(lambda: 'route="/healthz"' in httpx.get(f"{url}/metrics").text)
            # The half request came before those, to the one loop that reads them all.
            process.send_signal(signal.SIGTERM)
            wait_for(lambda: kept.get(f"{url}/readyz").status_code == 503)
            assert kept.post(f"{url}/v1/churn-risk/score", json=BODY).json()["code"] == "draining"
            assert process.poll() is None
            slow.sendall(body[10:])
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += slow.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200")
        assert process.wait(30) == 0
    # At least the half request; one for /metrics may be ending as well.
    assert re.search(r"api\.draining in_flight=[1-9]", (home.path / "api.log").read_text())


def test_an_address_that_others_reach_needs_a_key_first(tmp_path: Path) -> None:
    bare = Home(tmp_path / "bare", tmp_path)
    done = bare.run("serving", "api", "--host", "0.0.0.0", "--port", str(free_port()))
    assert done.returncode == 2
    assert "keys create" in done.stderr
