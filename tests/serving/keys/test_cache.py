"""A home that cannot be written: no key is left that nobody saw."""

from __future__ import annotations

from pathlib import Path

from serving.keys import cache
from serving.keys import repository as keys
from tests.kit.running import Home
from tests.kit.stores import new_store


class TestTheHomeCannotBeWritten:
    def test_no_key_is_left_that_nobody_saw(self, tmp_path: Path) -> None:
        home = Home(tmp_path / "home", tmp_path / "company")
        store = new_store(home.path)
        (home.path / cache.FILE).mkdir()
        done = home.run("serving", "keys", "create", "crm")
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert cache.FILE in done.stderr
        with store.read() as connection:
            assert keys.all_of(connection) == []
        (home.path / cache.FILE).rmdir()
        token = home.run("serving", "keys", "create", "crm").stdout.strip()
        key_id = token.split("_")[1]
        (home.path / cache.FILE).unlink()
        (home.path / cache.FILE).mkdir()
        done = home.run("serving", "keys", "revoke", key_id)  # it ends all the same
        assert (done.returncode, done.stdout) == (0, f"{key_id} is revoked\n")
        assert "could not be written" in done.stderr
        store.close()
