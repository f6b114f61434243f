"""The command replay."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert
from typer.testing import CliRunner, Result

from features.kit.errors import UserMistake
from serving.__main__ import app
from serving.errors import ServingError
from serving.store.connect import Store
from serving.store.tables import decisions
from tests.kit.store_rows import decision


@pytest.fixture(autouse=True)
def home(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCOUNTSCORE_HOME", str(tmp_path))
    monkeypatch.delenv("ACCOUNTSCORE_STORE_URL", raising=False)


def run(store: Store, **more: Any) -> Result:
    """Replays a record that has no score, which needs no scorer."""
    row = {**decision("acme"), "no_score": "opted_out", "inputs_sha256": hashlib.sha256(b"{}").hexdigest(), **more}
    with store.write() as connection:
        connection.execute(insert(decisions), [row])
    return CliRunner().invoke(app, ["replay", "1"])


def test_a_record_without_a_score_is_the_same_without_one(store: Store) -> None:
    done = run(store)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "churn-risk version None scorer x as of 1970-01-01T00:00:00.000001Z",
        "no score: opted_out",
        "the same to the bit",
    ]


def test_changed_inputs_are_not_the_same(store: Store) -> None:
    done = run(store, inputs=b'{"seats": 1}')
    assert isinstance(done.exception, ServingError)
    assert str(done.exception) == "not the same: the record, its inputs or its scorer were changed"


def test_an_id_that_no_record_has_is_a_users_mistake() -> None:
    done = CliRunner().invoke(app, ["replay", "99"])
    assert isinstance(done.exception, UserMistake)
    assert "no decision record has the id 99" in str(done.exception)
