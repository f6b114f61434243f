"""The commands backup and restore, and retention, beside a server that runs."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from models import champion_pointer
from serving.backup.backup import backup
from tests.kit.protection import company, protect
from tests.kit.running import Home, running_api
from tests.kit.scorers import copy_scorer
from tests.kit.stores import new_store


def test_restore_says_what_holds_and_what_was_taken_back(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", tmp_path / "company")
    store = new_store(home.path)
    made = company(store)
    backup(store, tmp_path / "b.db")
    protect(store, made)
    store.close()
    done = home.run("serving", "restore", str(tmp_path / "b.db"), "--overwrite")
    assert done.returncode == 0, done.stderr
    assert "1 erasures (1 of them had come back" in done.stdout
    taken = next(line for line in done.stdout.splitlines() if line.startswith("taken back, new or changed"))
    assert "2 decision records" in taken
    protecting = ("objections", "erasure", "API keys")
    assert not any(word in taken for word in protecting)  # they are kept, and the next line says so
    assert "1 live keys are newer than the backup" in done.stdout
    assert "still holds who was erased" in done.stderr


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
