"""A nightly run that carries state gives the same bits as one that reads everything."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.kit.clock import to_us
from features.kit.errors import UserMistake
from features.panel.build import build_panel
from features.panel.incremental import Carried
from features.sources.source import Source
from tests.kit.company import at, make_source, random_company

NIGHTS = [at("2024-05-10"), at("2024-05-11"), at("2024-06-20")]


def as_delivered(tables: dict[str, list[dict[str, Any]]], night: dt.datetime) -> dict[str, list[dict[str, Any]]]:
    """What a company has in its tables on a night: only what is known by then."""
    return {
        name: [r for r in rows if (r["known_time"] or r["event_time"]) < night and r["event_time"] < night]
        for name, rows in tables.items()
    }


def same(left: pa.Table, right: pa.Table) -> bool:
    return left.column_names == right.column_names and all(
        left[n].to_pylist() == right[n].to_pylist() for n in left.column_names
    )


class TestCarried:
    @pytest.mark.parametrize("entity", ["account", "lead"])
    def test_night_after_night_equals_reading_everything(self, tmp_path: Path, entity: Any) -> None:
        tables = random_company(11, accounts=5)
        # A very late row: it happened before every window and is learnt of between two nights.
        tables["usage"].append(
            {
                "account_id": "a0",
                "user_id": "late",
                "event_time": at("2024-01-02"),
                "known_time": at("2024-05-11T12:00:00"),
            }
        )
        for number, night in enumerate(NIGHTS):
            source = make_source(tmp_path / str(number), as_delivered(tables, night))
            source.name = "company"
            carried = build_panel(source, entity, [night], carried=tmp_path / "carried")
            if number:  # the first night has nothing to carry
                assert same(carried, build_panel(source, entity, [night]))
            assert Carried.open(tmp_path / "carried" / entity, source, to_us(night)).at_us == to_us(night)

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
        tables = {"accounts": [{"account_id": "a", "event_time": at("2023-01-01")}],
                  "usage": [{"account_id": "a", "user_id": "u", "event_time": at("2023-02-01")}]}  # fmt: skip
        source = make_source(tmp_path / "c", tables)
        for night in NIGHTS[:2]:
            panel = build_panel(source, "account", [night], carried=tmp_path / "carried")
            assert panel["days_since_usage"].to_pylist() == [float((night - at("2023-02-01")).days - 1)]
        monkeypatch.setattr(Carried, "read", lambda self, engine, name: None)
        forgetful = build_panel(source, "account", NIGHTS[2:3], carried=tmp_path / "carried")
        assert forgetful["days_since_usage"].to_pylist() == [None]

    def test_one_night_at_a_time(self, tmp_path: Path) -> None:
        source: Source = make_source(
            tmp_path / "c", {"accounts": [{"account_id": "a", "event_time": at("2023-01-01")}]}
        )
        with pytest.raises(UserMistake, match="at one as_of"):
            build_panel(source, "account", NIGHTS, carried=tmp_path / "carried")
