"""The commands privacy and retention."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert, select
from typer.testing import CliRunner, Result

from features.kit.errors import UserMistake
from features.sources.suppression import FILE
from serving.__main__ import app
from serving.store.connect import Store
from serving.store.tables import decisions, signals
from tests.kit.store_rows import decision, signal_row


@pytest.fixture(autouse=True)
def home(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of the fixture's store."""
    monkeypatch.setenv("ACCOUNTSCORE_HOME", str(tmp_path))
    for name in ("ACCOUNTSCORE_STORE_URL", "ACCOUNTSCORE_CONNECTIONS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


class TestErase:
    def test_what_was_deleted_is_counted_and_the_home_is_told(self, store: Store, home: Path) -> None:
        with store.write() as connection:
            connection.execute(insert(signals), [signal_row("acme", 1)])
            connection.execute(insert(decisions), [decision("acme"), decision("acme")])
        done = run("privacy", "erase", "account", "acme")
        assert (done.exit_code, done.stdout) == (0, "erased: 1 stored signals, 2 decision records\n")
        assert (home / FILE).is_file()

    def test_an_id_of_which_nothing_is_stored_is_marked_and_said(self) -> None:
        done = run("privacy", "erase", "lead", "typo")
        assert "nothing is stored of lead 'typo'" in done.stdout
        assert run("privacy", "admit", "lead", "typo").stdout == "done\n"
        assert run("privacy", "admit", "lead", "typo").stdout == "nothing to do: it was not erased\n"

    def test_another_kind_is_refused_with_those_there_are(self) -> None:
        done = run("privacy", "erase", "invoice", "7")
        assert isinstance(done.exception, UserMistake)
        assert str(done.exception) == "'invoice' is none: one of account, lead, contact"


class TestObjection:
    def test_it_is_set_once_and_taken_back_once(self) -> None:
        said = [run("privacy", verb, "account", "acme").stdout for verb in ("object", "object", "allow", "allow")]
        assert said == [
            "done\n",
            "nothing to do: it is not scored already\n",
            "done\n",
            "nothing to do: there is no objection\n",
        ]

    def test_a_contact_has_no_score_to_object_to(self) -> None:
        assert isinstance(run("privacy", "object", "contact", "7").exception, UserMistake)


class TestRetention:
    def test_records_older_than_the_days_are_deleted(self, store: Store) -> None:
        with store.write() as connection:
            connection.execute(
                insert(decisions), [{**decision("old"), "recorded_at": 1}, {**decision("new"), "recorded_at": 2**60}]
            )
        assert run("retention", "--days", "30").stdout == "deleted: 1 decision records\n"
        with store.read() as connection:
            assert connection.execute(select(decisions.c.entity_id)).scalars().all() == ["new"]
