"""The front door of real processes: keys by command, and an end that loses nobody."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import httpx
import pytest

from models import champion_pointer
from tests.kit.running import Home, free_port, running, running_api, wait_for
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


def ask(url: str, token: str = "") -> int:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.post(f"{url}/v1/churn-risk/score", json=BODY, headers=headers).status_code


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
    assert "api.draining in_flight=1" in (home.path / "api.log").read_text()


def test_keys_by_command_are_asked_for_and_refused_soon_after_they_are_revoked(home: Home) -> None:
    with running_api(home) as url:
        assert ask(url) == 200
        made = home.run("serving", "keys", "create", "crm", "--scope", "score", "--days", "30")
        assert made.returncode == 0, made.stderr
        token = made.stdout.strip()
        wait_for(lambda: ask(url) == 401)
        assert ask(url, token) == 200
        second = home.run("serving", "keys", "create", "crm").stdout.strip()
        third = home.run("serving", "keys", "create", "crm")
        assert third.returncode == 2
        assert "2 live keys" in third.stderr
        key_id = token.split("_")[1]
        assert home.run("serving", "keys", "revoke", key_id).returncode == 0
        wait_for(lambda: ask(url, token) == 401)
        assert ask(url, second) == 200
        listed = home.run("serving", "keys", "list").stdout
        assert f"{key_id}  revoked  crm  [score]" in listed
        assert token not in listed
        assert home.run("serving", "keys", "revoke", key_id).returncode == 2
        assert home.run("serving", "keys", "create", "x", "--scope", "all").returncode == 2
    log = (home.path / "api.log").read_text()
    assert "request.refused" in log
    assert token not in log


def test_retention_backup_and_restore_by_command(home: Home, tmp_path: Path) -> None:
    """As the README writes them, beside a server that goes on."""
    backup = tmp_path / "backup.db"

    def records(url: str) -> list[int]:
        page = httpx.get(f"{url}/v1/account/acme/scores").json()
        return [score["id"] for score in page["scores"]]

    with running_api(home) as url:
        body = {"records": [{"entity_id": "acme", "signals": {"number_0": 1.0}}]}
        assert httpx.post(f"{url}/v1/churn-risk/score", json=body).status_code == 200
        kept = home.run("serving", "retention", "--days", "730")
        assert kept.stdout.startswith("deleted: nothing"), kept.stderr
        before = records(url)
        assert len(before) == 1
        assert home.run("serving", "backup", str(backup)).returncode == 0
        assert home.run("serving", "backup", str(backup)).returncode == 2  # never over a file that is there
        later = {"ACCOUNTSCORE_NOW": "2028-01-05T00:00:00Z"}
        assert home.run("serving", "retention", "--days", "730", env=later).stdout.startswith(
            "deleted: 1 decision records"
        )
        assert records(url) == []
        assert home.run("serving", "restore", str(backup), "--overwrite").returncode == 0
        assert records(url) == before
        assert home.run("serving", "replay", str(before[0])).stdout.endswith("the same to the bit\n")
        assert home.run("serving", "retention", "--days", "0").returncode == 2


def test_an_address_that_others_reach_needs_a_key_first(tmp_path: Path) -> None:
    bare = Home(tmp_path / "bare", tmp_path)
    done = bare.run("serving", "api", "--host", "0.0.0.0", "--port", str(free_port()))
    assert done.returncode == 2
    assert "keys create" in done.stderr
