"""The commands backup and restore."""

from __future__ import annotations

from pathlib import Path

from serving.backup.backup import backup
from tests.kit.protection import company, protect
from tests.kit.running import Home
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
