"""A home that is a file, of a newer version, or open to everybody."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest
from sqlalchemy import text

from features.kit.errors import AccountscoreError, UserMistake
from features.kit.settings import Settings
from models import registry
from serving.keys import cache
from serving.store.connect import open_store
from serving.store.migrate import migrate
from tests.kit.running import Home
from tests.kit.stores import new_store


class TestTheHomeCannotBeWritten:
    def test_a_home_that_is_a_file_is_one_line_of_error(self, tmp_path: Path) -> None:
        (tmp_path / "home").write_text("")
        home = Home(tmp_path / "home" / "below", tmp_path / "company")
        for command in (["migrate"], ["keys", "list"], ["sync"]):
            done = home.run("serving", *command)
            assert done.returncode != 0
            assert "Traceback" not in done.stderr
            assert done.stderr.startswith("error: ")
            assert len(done.stderr.splitlines()) == 1


class TestANewerVersion:
    def test_a_newer_store_is_reported_without_advice_to_migrate(self, tmp_path: Path) -> None:
        store = new_store(tmp_path)
        with store.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0099'"))
        for ask in (store.require_revision, lambda: migrate(store)):
            with pytest.raises(UserMistake, match="revision 0099, this version knows") as told:
                ask()
            assert "serving migrate" not in str(told.value)
            assert len(str(told.value).splitlines()) == 1
        store.close()

    def test_a_newer_registry_is_one_line_of_error(self, tmp_path: Path) -> None:
        database = sqlite3.connect(tmp_path / "mlflow.db")
        database.executescript(
            "CREATE TABLE alembic_version (version_num TEXT); INSERT INTO alembic_version VALUES ('ffffffffffff');"
            "CREATE TABLE experiments (experiment_id INTEGER)"
        )
        database.close()
        settings = Settings.from_env({"ACCOUNTSCORE_HOME": str(tmp_path)})
        with pytest.raises(AccountscoreError, match="another version of MLflow") as told:
            registry.versions(settings, "lead-fit")
        assert len(str(told.value).splitlines()) == 1


class TestWhoMayRead:
    def test_files_are_their_owners_alone(self, tmp_path: Path) -> None:
        home = Home(tmp_path / "home", tmp_path / "company")
        before = os.umask(0)  # as careless as a shell can be
        try:
            assert home.run("serving", "keys", "list").returncode != 0  # there is no store yet
            assert home.run("serving", "migrate").returncode == 0
            assert home.run("serving", "keys", "create", "crm").returncode == 0
            open_store(f"sqlite:///{tmp_path / 'twin' / 'store.db'}").close()
            (tmp_path / "twin" / "file").touch()
        finally:
            os.umask(before)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home.path, *home.path.rglob("*"))}
        assert {"home", "store.db", cache.FILE} <= modes.keys()
        assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
        assert stat.S_IMODE((tmp_path / "twin").stat().st_mode) == 0o777  # without the guard
        assert stat.S_IMODE((tmp_path / "twin" / "file").stat().st_mode) == 0o666

    def test_a_world_writable_home_gets_a_warning(self, tmp_path: Path) -> None:
        home = Home(tmp_path / "home", tmp_path / "company")
        home.path.mkdir(mode=0o700)
        assert home.run("serving", "migrate").stderr == ""
        home.path.chmod(0o777)
        assert "everybody may write into ACCOUNTSCORE_HOME" in home.run("serving", "migrate").stderr
