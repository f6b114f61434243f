"""An export leaves a row, without the password of where it goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.audit_log.entry import command
from serving.export.audit import left_a_row, without_password
from serving.settings import ServingSettings
from tests.kit.audited import actions, told
from tests.kit.stores import new_store


def test_it_says_where_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCOUNTSCORE_HOME", str(tmp_path))
    monkeypatch.delenv("ACCOUNTSCORE_STORE_URL", raising=False)
    store = new_store(tmp_path)
    left_a_row(ServingSettings.from_env(), command("export"), "postgresql://bi:much-too-secret@host/star")
    assert actions(store) == ["export"]
    assert told(store) == [("system", None, {}, {"to": "postgresql://bi:***@host/star"})]
    store.close()


@pytest.mark.parametrize("to", ["out/star", "/srv/a b", "sqlite:////srv/bi.db"])
def test_a_place_without_a_password_is_shown_as_it_is(to: str) -> None:
    assert without_password(to) == to


def test_what_is_no_url_is_not_repeated() -> None:
    assert without_password("://bi:much-too-secret@host") == "no URL"
