"""A nightly run that carries state gives the same bits as one that reads everything; old rows that were edited are noticed."""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.kit.clock import to_us
from features.kit.errors import UserMistake
from features.panel.build import build_panel
from features.panel.incremental import Carried
from features.sources import fingerprint, loader
from features.sources.fingerprint import contents_of
from features.sources.source import Source
from tests.kit.company import at, make_source, random_company
from tests.kit.monthly_usage import make_company, opened, usage, write
from tests.kit.panels import same

NIGHTS = [at("2024-05-10"), at("2024-05-11"), at("2024-06-20")]


def as_delivered(tables: dict[str, list[dict[str, Any]]], night: dt.datetime) -> dict[str, list[dict[str, Any]]]:
    """What a company has in its tables on a night: only what is known by then."""
    return {
        name: [r for r in rows if (r["known_time"] or r["event_time"]) < night and r["event_time"] < night]
        for name, rows in tables.items()
    }


class TestCarried:
    @pytest.mark.parametrize("entity", ["account", "lead"])
    def test_night_after_night_equals_reading_everything(self, tmp_path: Path, entity: Any) -> None:
        kept = {"account": ("accounts", "subscriptions", "usage"), "lead": ("leads", "touches")}[entity]
        tables = {name: rows for name, rows in random_company(11, accounts=5).items() if name in kept}
        # A very late row: it happened before every window and is learnt of between two nights.
        late = {"event_time": at("2024-01-02"), "known_time": at("2024-05-11T12:00:00")}
        if entity == "account":
            tables["usage"].append({"account_id": "a0", "user_id": "late", **late})
        else:
            tables["touches"].append({"lead_id": "l0", "kind": "call", **late})
        for number, night in enumerate(NIGHTS):
            source = make_source(tmp_path / str(number), as_delivered(tables, night))
            source.name = "company"
            carried = build_panel(source, entity, [night], carried=tmp_path / "carried")
            if number:  # the first night has nothing to carry
                assert same(carried, build_panel(source, entity, [night]))
            assert Carried.open(tmp_path / "carried" / entity, source, to_us(night)).at_us == to_us(night)

    @pytest.mark.slow
    def test_a_changed_history_is_noticed(self, tmp_path: Path) -> None:
        tables = random_company(12, accounts=4)
        first = make_source(tmp_path / "first", as_delivered(tables, NIGHTS[0]))
        build_panel(first, "account", NIGHTS[:1], carried=tmp_path / "carried")
        shorter = {
            name: rows[1:] if name == "usage" else rows for name, rows in as_delivered(tables, NIGHTS[0]).items()
        }
        second = make_source(tmp_path / "second", shorter)
        second.name = first.name
        assert Carried.open(tmp_path / "carried" / "account", first, to_us(NIGHTS[1])).at_us is not None
        assert Carried.open(tmp_path / "carried" / "account", second, to_us(NIGHTS[1])).at_us is None

    def test_the_state_is_what_is_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin: with the carried frames thrown away the second night forgets the history."""
        tables = {
            "accounts": [{"account_id": "a", "event_time": at("2023-01-01")}],
            "usage": [{"account_id": "a", "user_id": "u", "event_time": at("2023-02-01")}],
        }
        source = make_source(tmp_path / "c", tables)
        for night in NIGHTS[:2]:
            panel = build_panel(source, "account", [night], carried=tmp_path / "carried")
            assert panel["days_since_usage"].to_pylist() == [float((night - at("2023-02-01")).days - 1)]
        monkeypatch.setattr(Carried, "read", lambda self, engine, name: None)
        forgetful = build_panel(source, "account", NIGHTS[2:3], carried=tmp_path / "carried")
        assert forgetful["days_since_usage"].to_pylist() == [None]

    def test_a_carried_state_is_for_one_as_of(self, tmp_path: Path) -> None:
        source: Source = make_source(
            tmp_path / "c", {"accounts": [{"account_id": "a", "event_time": at("2023-01-01")}]}
        )
        with pytest.raises(UserMistake, match="at one as_of"):
            build_panel(source, "account", NIGHTS, carried=tmp_path / "carried")


NIGHT, NEXT = at("2024-06-01"), at("2024-06-02")


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Scanned where its files are, as tables of any size above the limit are; a file written just now is relied upon at once."""
    monkeypatch.setattr(fingerprint, "SETTLED_S", -1.0)
    monkeypatch.setattr(loader, "VIEW_ABOVE_ROWS", 5)
    return make_company(tmp_path / "company")


def kept(data: Path, folder: Path, as_of: dt.datetime = NEXT) -> bool:
    """Whether the state of the night before may be used."""
    source = opened(data)
    contents_of(source).keep_in(folder / "contents.json")
    return Carried.open(folder / "account", source, to_us(as_of)).at_us is not None


class TestEditedHistory:
    def test_a_new_day_in_a_new_file_or_at_the_end_of_the_last_one_keeps_it(
        self, company: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "carried"
        build_panel(opened(company), "account", [NIGHT], carried=folder)
        assert kept(company, folder)
        write(company / "usage" / "6.parquet", [usage(at("2024-06-01T10:00:00"))])
        assert kept(company, folder)
        may = [usage(at(f"2024-05-{day:02d}")) for day in range(1, 9)]
        write(company / "usage" / "5.parquet", [*may, usage(at("2024-06-01T11:00:00"))])
        assert kept(company, folder), "a file that grew by new rows has the old ones still"
        night = build_panel(opened(company), "account", [NEXT], carried=folder)
        assert night["days_since_first_usage"].to_pylist() == [152.0]
        whole = build_panel(opened(company), "account", [NEXT])
        assert night.equals(whole)

    def test_an_old_row_edited_in_place_is_noticed(
        self, company: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """As many rows as before: only what they say is another."""
        folder = tmp_path / "carried"
        build_panel(opened(company), "account", [NIGHT], carried=folder)
        days = [usage(at(f"2024-01-{day:02d}")) for day in range(1, 9)]
        write(company / "usage" / "1.parquet", [usage(at("2023-12-01")), *days[1:]])
        with caplog.at_level(logging.WARNING, "features.panel.incremental"):
            night = build_panel(opened(company), "account", [NEXT], carried=folder)
        assert "carried.anew source=company reason=old_rows_changed tables=usage" in caplog.text
        assert night.equals(build_panel(opened(company), "account", [NEXT]))
        assert night["days_since_first_usage"].to_pylist() == [183.0]

    def test_relying_on_the_number_of_rows_misses_it(
        self, company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: counts alone take the edited history for the old one, and the first day is wrong."""
        folder = tmp_path / "carried"
        counted = fingerprint.Contents.before
        monkeypatch.setattr(fingerprint.Contents, "before", lambda *given: (counted(*given)[0], 0, 0))
        build_panel(opened(company), "account", [NIGHT], carried=folder)
        days = [usage(at(f"2024-01-{day:02d}")) for day in range(1, 9)]
        write(company / "usage" / "1.parquet", [usage(at("2023-12-01")), *days[1:]])
        night = build_panel(opened(company), "account", [NEXT], carried=folder)
        assert night["days_since_first_usage"].to_pylist() == [152.0]

    def test_a_row_slipped_in_or_taken_out_is_noticed(self, company: Path, tmp_path: Path) -> None:
        folder = tmp_path / "carried"
        build_panel(opened(company), "account", [NIGHT], carried=folder)
        write(company / "usage" / "2.parquet", [usage(at("2024-02-01"))])
        assert not kept(company, folder)
        (company / "usage" / "2.parquet").unlink()
        assert kept(company, folder)
        (company / "usage" / "3.parquet").unlink()
        assert not kept(company, folder)

    def test_files_put_together_are_the_same_rows(self, company: Path, tmp_path: Path) -> None:
        folder = tmp_path / "carried"
        build_panel(opened(company), "account", [NIGHT], carried=folder)
        both = [pq.read_table(company / "usage" / f"{month}.parquet") for month in (1, 3)]
        pq.write_table(pa.concat_tables(both), company / "usage" / "1.parquet")
        (company / "usage" / "3.parquet").unlink()
        assert kept(company, folder)

    def test_another_select_over_the_same_files_is_another_source(self, company: Path, tmp_path: Path) -> None:
        folder = tmp_path / "carried"
        build_panel(opened(company), "account", [NIGHT], carried=folder)
        select = (
            "SELECT * REPLACE (event_time - INTERVAL 1 DAY AS event_time) FROM read_parquet('${data}/usage/*.parquet')"
        )
        (company / "usage.sql").write_text(select)
        assert not kept(company, folder)

    def test_a_table_held_in_memory_is_looked_at_too(
        self, company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loader, "VIEW_ABOVE_ROWS", 1_000)
        folder = tmp_path / "carried"
        build_panel(opened(company), "account", [NIGHT], carried=folder)
        assert kept(company, folder)
        write(company / "usage" / "1.parquet", [usage(at(f"2024-01-{day:02d}"), 2) for day in range(1, 9)])
        assert not kept(company, folder)
