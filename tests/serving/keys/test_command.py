"""Keys by command, beside a server that runs."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from models import champion_pointer
from tests.kit.running import Home, running_api, wait_for
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
