"""Where things are: from the environment, every path absolute, everything under the home unless it says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.kit.errors import UserMistake
from features.kit.settings import Settings, sqlite_url


def test_a_home_alone_places_everything_under_it(tmp_path: Path) -> None:
    settings = Settings.from_env({"ACCOUNTSCORE_HOME": str(tmp_path)})
    assert settings == Settings(
        home=tmp_path,
        data=None,
        store_url=f"sqlite:///{tmp_path}/store.db",
        tracking_uri=f"sqlite:///{tmp_path}/mlflow.db",
        connections=tmp_path / "connections",
        currency="USD",
        rate_date="",
    )


def test_a_relative_home_is_one_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.from_env({}).home == tmp_path / "var"
    assert Settings.from_env({"ACCOUNTSCORE_DATA": "here"}).data == tmp_path / "here"


def test_each_place_can_be_named_on_its_own(tmp_path: Path) -> None:
    named = {
        "ACCOUNTSCORE_HOME": str(tmp_path),
        "ACCOUNTSCORE_STORE_URL": "postgresql://db/scores",
        "ACCOUNTSCORE_TRACKING_URI": "http://mlflow:5000",
        "ACCOUNTSCORE_CONNECTIONS": "/etc/accountscore",
    }
    settings = Settings.from_env(named)
    assert settings.store_url == "postgresql://db/scores"
    assert settings.tracking_uri == "http://mlflow:5000"
    assert settings.connections == Path("/etc/accountscore")
    assert settings.home == tmp_path


def test_an_empty_setting_is_none(tmp_path: Path) -> None:
    names = ("DATA", "STORE_URL", "TRACKING_URI", "CONNECTIONS")
    empty = {f"ACCOUNTSCORE_{name}": "" for name in names} | {"ACCOUNTSCORE_HOME": str(tmp_path)}
    assert Settings.from_env(empty) == Settings.from_env({"ACCOUNTSCORE_HOME": str(tmp_path)})


def test_a_home_that_cannot_be_written_is_refused_and_one_that_is_absent_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserMistake, match="set ACCOUNTSCORE_HOME to a folder that can be written"):
        Settings.from_env({"ACCOUNTSCORE_HOME": str(tmp_path / "file")}).require_home()
    absent = tmp_path / "absent" / "home"
    Settings.from_env({"ACCOUNTSCORE_HOME": str(absent)}).require_home()
    assert not absent.parent.exists()


def test_the_url_of_a_file_is_what_sqlalchemy_writes() -> None:
    from sqlalchemy import URL

    for file in ("/srv/store.db", "/srv/a b/x+y?z#/100%/ü.db"):
        assert sqlite_url(Path(file)) == URL.create("sqlite", database=file).render_as_string()
