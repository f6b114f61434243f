"""A source is opened: its files are found and looked at, and everything that is wrong is said at once."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.kit.errors import BadInput, UserMistake
from features.kit.flat_files import bounds
from features.panel.build import build_panel
from features.simulate import simulate
from features.sources import loader
from features.sources.loader import open_source
from tests.kit.bombs import footer_only, inflating, many_chunks, prefixed_text, repeated_text
from tests.kit.broken_sources import ACCOUNTS, READ, USAGE, Case, broken, write_sql
from tests.kit.company import at


class TestFilesThatAskForMuchMemory:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        made = tmp_path / "company"
        made.mkdir()
        pq.write_table(pa.table({"lead_id": ["a"]}), tmp_path / "good.parquet")
        moment = "TIMESTAMP '2025-01-01' AS event_time"
        (made / "leads.sql").write_text(f"SELECT lead_id, {moment} FROM '{tmp_path}/good.parquet'")
        footer_only(tmp_path / "rows.dat", rows=2_500_000_000)
        (made / "accounts.sql").write_text(
            f"WITH r AS (SELECT * FROM read_parquet('{tmp_path}/rows.dat')) SELECT 'a' AS account_id, {moment} FROM r"
        )
        inflating(tmp_path / "a.csv.gz")
        (made / "contacts.sql").write_text(f"SELECT a::VARCHAR AS contact_id, {moment} FROM '{tmp_path}/*.csv.gz'")
        repeated_text(tmp_path / "texts.parquet", 400_000, 10_000)
        (made / "tickets.sql").write_text(f"SELECT t AS ticket_id, {moment} FROM '{tmp_path}/texts.parquet'")
        prefixed_text(tmp_path / "prefixed.parquet", 400_000, 500)
        (made / "invoices.sql").write_text(f"SELECT t AS invoice_id, {moment} FROM '{tmp_path}/prefixed.parquet'")
        shutil.copyfile(tmp_path / "a.csv.gz", tmp_path / "a.dat")
        (made / "usage.sql").write_text(
            f"SELECT a::VARCHAR AS account_id, {moment} FROM read_csv('{tmp_path}/a.dat', compression='gzip')"
        )
        many_chunks(tmp_path / "chunks.parquet", 200, 5_000)
        (made / "touches.sql").write_text(f"SELECT a AS account_id, {moment} FROM '{tmp_path}/chunks.parquet'")
        return made

    def test_every_bomb_is_a_fault_and_the_others_are_read(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bounds, "FREE_DECODED_BYTES", 10**8)
        opened = open_source(str(folder), keep_going=True, home=tmp_path)
        assert opened.tables == ("leads",)
        found = {fault.where.split(",")[0].rpartition("/")[2]: fault.found for fault in opened.faults}
        assert found.keys() == {f"{n}.sql" for n in ("accounts", "contacts", "tickets", "invoices", "usage", "touches")}
        assert "2,500,000,000 values" in found["accounts.sql"]
        assert "become more than 268.4 MB" in found["contacts.sql"]
        assert "become more than 100.0 MB" in found["tickets.sql"]
        assert "become more than 100.0 MB" in found["invoices.sql"]
        assert "become more than 268.4 MB" in found["usage.sql"]
        assert "a footer of 3.0 MB that becomes more than 400.0 MB" in found["touches.sql"]

    def test_without_the_look_at_its_files_it_would_be_read(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin; DuckDB's bound of memory then ends it, or hours do."""
        monkeypatch.setattr(loader, "files_read", lambda connection, text: [])
        for table in ("contacts", "tickets", "invoices", "usage", "touches"):
            (folder / f"{table}.sql").unlink()
        opened = open_source(str(folder), keep_going=True, home=tmp_path)
        assert not any("values per byte" in fault.rule for fault in opened.faults)

    def test_memory_and_disk_are_bounded_on_every_connection(self, tmp_path: Path) -> None:
        (tmp_path / "accounts.sql").write_text(ACCOUNTS)
        for memory in (None, 300):
            opened = open_source(str(tmp_path), home=tmp_path, memory_mb=memory)
            names = ("memory_limit", "temp_directory", "max_temp_directory_size")
            limit, spill, room = (opened.query(f"SELECT current_setting('{name}')")[0][0] for name in names)
            assert ("GiB" in limit) if memory is None else limit.startswith("286.1 MiB")
            assert Path(spill).name.startswith("accountscore-spill-")
            assert room[0].isdigit()


class TestOpenSource:
    def test_a_source_without_accounts_or_leads_is_refused(self, tmp_path: Path) -> None:
        usage = "SELECT 'a' AS account_id, TIMESTAMP '2024-01-01' AS event_time"
        with pytest.raises(BadInput, match="neither accounts nor leads"):
            open_source(write_sql(tmp_path, usage=usage))

    def test_an_unknown_source_lists_the_shipped_ones(self) -> None:
        with pytest.raises(UserMistake, match="ravenstack, sample, x_education"):
            open_source("salesforce")

    def test_a_source_that_reads_data_asks_for_the_folder(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("ACCOUNTSCORE_DATA", raising=False)
        with pytest.raises(UserMistake, match="--data DIR"):
            open_source("ravenstack")

    def test_the_sample_company_is_where_the_settings_say(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home, data = tmp_path / "home", tmp_path / "data"
        simulate(tmp_path / "itself", accounts=1, leads=0, days=56, usage_events=0)
        for place in (home / "sample", data / "sample_2"):
            shutil.copytree(tmp_path / "itself", place)
        monkeypatch.setenv("ACCOUNTSCORE_HOME", str(home))
        for value, expected in (
            (None, home / "sample"),
            (str(data), data / "sample_2"),
            (str(tmp_path / "itself"), tmp_path / "itself"),
            (str(tmp_path), home / "sample"),  # the datasets of others, no sample company among them
        ):
            monkeypatch.setenv("ACCOUNTSCORE_DATA", value or "")
            assert open_source("sample").data == expected.resolve()
        assert open_source("sample", data / "sample_2").data == data / "sample_2"

    def test_without_a_sample_company_the_message_says_how_to_make_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ACCOUNTSCORE_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("ACCOUNTSCORE_DATA", str(tmp_path))
        with pytest.raises(UserMistake) as caught:
            open_source("sample")
        for said in (str(tmp_path / "home/sample"), "python -m features simulate", "ACCOUNTSCORE_DATA"):
            assert said in str(caught.value)

    def test_an_absent_file_is_refused(self, tmp_path: Path) -> None:
        accounts = "SELECT * FROM read_parquet('${data}/accounts.parquet')"
        with pytest.raises(BadInput, match="No files found"):
            open_source(write_sql(tmp_path, accounts=accounts), tmp_path)


class TestTables:
    def test_a_table_may_come_from_python(self, tmp_path: Path) -> None:
        write_sql(tmp_path, accounts=ACCOUNTS)
        (tmp_path / "usage.py").write_text(
            "import datetime as dt\nimport pyarrow as pa\n\n"
            "def rows(data):\n"
            "    return pa.table({'account_id': ['a'], 'event_time': [dt.datetime(2024, 2, 1, tzinfo=dt.UTC)]})\n"
        )
        panel = build_panel(open_source(str(tmp_path)), "account", [at("2024-02-02")], only=["events_7d"])
        assert panel["events_7d"].to_pylist() == [1.0]


class TestOpening:
    """What is said before a table is read."""

    def test_the_data_folder_is_asked_for_and_then_used(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("ACCOUNTSCORE_DATA", raising=False)
        source, data = broken(Case("", "", READ, {"usage.csv": USAGE}), tmp_path)
        with pytest.raises(UserMistake, match=r"pass --data DIR .* or set ACCOUNTSCORE_DATA"):
            open_source(str(source))
        assert open_source(str(source), data).rows("usage") == 2
        monkeypatch.setenv("ACCOUNTSCORE_DATA", str(data))
        assert open_source(str(source)).rows("usage") == 2

    def test_a_folder_mistaken_for_the_data_folder_is_named(self, tmp_path: Path) -> None:
        source, data = broken(
            Case("", "", READ, {"usage.csv": USAGE, "source_of_last_year/usage_old.csv": USAGE}), tmp_path
        )
        with pytest.raises(BadInput, match="rename the folder 'source_of_last_year'"):
            open_source(str(source), data)
        (data / "source_of_last_year").rename(data / "last_year")
        assert open_source(str(source), data).rows("usage") == 2

    def test_adding_accounts_as_advised_opens_the_source(self, tmp_path: Path) -> None:
        (tmp_path / "usage.sql").write_text("SELECT 'a' AS account_id, DATE '2024-01-01' AS event_time")
        with pytest.raises(BadInput, match=r"add accounts\.sql or leads\.sql"):
            open_source(str(tmp_path))
        (tmp_path / "accounts.sql").write_text(ACCOUNTS)
        assert open_source(str(tmp_path)).rows("usage") == 1

    def test_a_file_whose_name_is_no_table_is_refused_with_a_way_out(self, tmp_path: Path) -> None:
        (tmp_path / "accounts.sql").write_text(ACCOUNTS)
        (tmp_path / "notes.sql").write_text("SELECT 1")
        with pytest.raises(BadInput, match=r"_notes\.sql, which is not read") as caught:
            open_source(str(tmp_path))
        (fault,) = caught.value.faults
        Path(fault.where).rename(tmp_path / "_notes.sql")
        assert open_source(str(tmp_path)).tables == ("accounts",)

    def test_data_after_the_clock_name_the_setting_of_the_clock(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "accounts.sql").write_text(ACCOUNTS)
        monkeypatch.setenv("ACCOUNTSCORE_NOW", "2020-01-01")
        with pytest.raises(UserMistake, match="set ACCOUNTSCORE_NOW"):
            _ = open_source(str(tmp_path)).span
        monkeypatch.setenv("ACCOUNTSCORE_NOW", "2024-02-01")
        assert open_source(str(tmp_path)).span[1] == at("2024-01-01")


class TestColumnTwice:
    @pytest.mark.parametrize(("other", "opens"), [("upper(account_id)", False), ("account_id", True)])
    def test_a_canonical_column_returned_twice_must_have_equal_values(
        self, other: str, opens: bool, tmp_path: Path
    ) -> None:
        select = f"SELECT *, {other} AS account_id FROM read_csv('${{data}}/usage.csv')"
        source, data = broken(Case("", "", select, {"usage.csv": USAGE}), tmp_path)
        if not opens:
            with pytest.raises(BadInput, match="2 columns have this name, and their values differ in 2 rows") as caught:
                open_source(str(source), data)
            found = re.search(r"write (SELECT \* EXCLUDE \(\w+\)), ", caught.value.faults[0].next_step)
            assert found is not None
            (source / "usage.sql").write_text(select.replace("SELECT *", found[1]))
        held = open_source(str(source), data).query("SELECT DISTINCT account_id FROM usage")
        assert held == [("a" if opens else "A",)]

    def test_the_twin_that_takes_the_first_of_two_is_silent(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loader, "_twice", lambda *_: [])
        select = "SELECT *, upper(account_id) AS account_id FROM read_csv('${data}/usage.csv')"
        folder, data = broken(Case("", "", select, {"usage.csv": USAGE}), tmp_path)
        assert open_source(str(folder), data).query("SELECT DISTINCT account_id FROM usage") == [("a",)]
