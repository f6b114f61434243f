"""An export leaves two rows, without the password of where it goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.audit_log.entry import command
from serving.export.audit import logged_star, without_password
from serving.export.destination import Added
from serving.export.export import Exported
from serving.settings import ServingSettings
from serving.store.tables import audit_log
from tests.kit.audited import told
from tests.kit.stores import new_store


def test_it_says_where_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCOUNTSCORE_HOME", str(tmp_path))
    monkeypatch.delenv("ACCOUNTSCORE_STORE_URL", raising=False)
    store = new_store(tmp_path)
    to = "postgresql://bi:much-too-secret@host/star"
    with logged_star(ServingSettings.from_env(), command("export"), to) as star:
        star.exported = Exported("run-1", to, Added({"score_fact": 3}, 0), None)
    with store.read() as connection:
        rows = [dict(row) for row in connection.execute(audit_log.select()).mappings()]
    assert "much-too-secret" not in repr(rows)
    begun, done = [after for *_, after in told(store, "export")]
    assert (begun["to"], begun["state"]) == ("postgresql://bi:***@host/star", "begun")
    assert (done["to"], done["state"], done["run"], done["rows"]) == (begun["to"], "done", "run-1", {"score_fact": 3})
    store.close()


@pytest.mark.parametrize("to", ["out/star", "/srv/a b", "sqlite:////srv/bi.db"])
def test_a_place_without_a_password_is_shown_as_it_is(to: str) -> None:
    assert without_password(to) == to


def test_what_is_no_url_is_not_repeated() -> None:
    assert without_password("://bi:much-too-secret@host") == "no URL"
