"""The worker's view of a source: a table that scoring reads turns a connection off, another one does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from features.kit.errors import BadInput
from features.sources.loader import SHIPPED, open_source
from features.sources.notes import TOLD
from serving.connections.config import ConnectionConfig, tell
from serving.worker.source_cache import Sources
from tests.kit.company import at, make_source
from tests.kit.notes import line, write_notes
from tests.kit.running import NOW, Home, quick_home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return quick_home(tmp_path_factory.mktemp("home"))


@pytest.fixture
def company(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACCOUNTSCORE_HOME", str(home.path))
    monkeypatch.setenv("ACCOUNTSCORE_NOW", NOW)
    return Path(shutil.copytree(SHIPPED / "sample", tmp_path / "source"))


class TestWorker:
    """The worker's view of a source: a table that scoring reads turns a connection off, another one does not."""

    def faults(self, home: Home, company: Path, broken: str) -> list[str]:
        (company / f"{broken}.sql").write_text("SELECT *\nFROM nowhere")
        connection = ConnectionConfig("crm", "hubspot", "https://crm.example", str(company), home.company, {})
        sources = Sources(home.path)
        found = [fault.where for fault in sources.faults(connection)]
        (company / f"{broken}.sql").unlink()
        assert sources.faults(connection) == [], "it is looked at anew, and mended"
        return found

    def test_a_fault_in_a_table_that_scoring_reads_turns_the_connection_off(self, home: Home, company: Path) -> None:
        assert self.faults(home, company, "tickets") == [f"{company / 'tickets.sql'}, line 2"]

    def test_no_value_of_a_row_is_logged(self, home: Home, company: Path, caplog: pytest.LogCaptureFixture) -> None:
        mine = "SELECT 't' AS ticket_id, 'a' AS account_id, CAST(x AS TIMESTAMP) AS event_time, 'open' AS status FROM (VALUES ('mail@person.example')) t(x)"
        (company / "tickets.sql").write_text(mine)
        connection = ConnectionConfig("crm", "hubspot", "https://crm.example", str(company), home.company, {})
        with pytest.raises(BadInput, match="mail@person"):
            open_source(str(company), home.company)
        with caplog.at_level("ERROR"):
            tell({"crm": Sources(home.path).faults(connection)})
        assert "tickets.sql, line 1" in caplog.text
        assert "person" not in caplog.text

    @pytest.mark.parametrize("table", ["actions", "churn_labels"])
    def test_a_fault_in_a_table_that_scoring_does_not_read_is_ignored(
        self, home: Home, company: Path, table: str
    ) -> None:
        assert self.faults(home, company, table) == []

    def test_notes_are_seen_without_reading_the_source_again(self, tmp_path: Path) -> None:
        rows = {"accounts": [{"account_id": "acme", "event_time": at("2024-01-01")}]}
        folder = make_source(tmp_path / "crm", rows).folder
        connection = ConnectionConfig("crm", "hubspot", "https://crm.example", str(folder), folder, {})
        sources = Sources(tmp_path)
        source = sources.get(connection)
        told = []
        for notes in ([line("acme", "churned", "2024-06-01")], [], [line("acme", "churned", "2024-07-01")]):
            write_notes(tmp_path, *notes)
            assert sources.get(connection) is source
            told.append(source.query(f"SELECT entity_id FROM {TOLD}") if source.told_outcomes else [])
        assert told == [[("acme",)], [], [("acme",)]]
