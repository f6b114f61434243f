"""A panel: right as of its time, the same alone and together, in parts and whole."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.kit.clock import DAY_US
from features.kit.errors import UserMistake
from features.panel.build import build_panel, grid, panel_parts, signal_columns, signals_of
from features.signals.signal import FIXED
from features.sources.source import Source
from tests.kit.company import at, make_source, random_company
from tests.kit.panels import ENGINES, differences

UTC = dt.UTC


START = dt.datetime(2024, 1, 1, tzinfo=UTC)


# A lattice of four weeks, one neighbour off it, a leap day with a time of day.
AS_OFS = [at("2024-03-21"), at("2024-04-18"), at("2024-05-16"), at("2024-04-19"), at("2024-02-29T13:30:00")]


NAMES = {
    f"{each}_id" for each in ("account", "lead", "contact", "subscription", "ticket", "invoice", "opportunity", "order")
}


def renamed(row: dict[str, Any], company: int) -> dict[str, Any]:
    """The row as one of company `company`: its records are nobody else's."""
    return {k: f"{company}-{v}" if v is not None and k in NAMES else v for k, v in row.items()}


Panel = Callable[..., pa.Table]


@pytest.fixture(scope="module")
def tables() -> dict[str, list[dict[str, Any]]]:
    return random_company(1, accounts=10)


@pytest.fixture(scope="module")
def company(tables: dict[str, list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory) -> Source:
    return make_source(tmp_path_factory.mktemp("company"), tables)


@pytest.fixture(scope="module")
def panel(company: Source) -> Panel:
    """The company's panel at all `AS_OFS`, or of one date: each is built once for all tests."""

    @functools.cache
    def built(entity: Any, engine: str = "duckdb", as_of: dt.datetime | None = None) -> pa.Table:
        return build_panel(company, entity, [as_of] if as_of else AS_OFS, engine)

    return built


def rows_of(panel: pa.Table, *as_ofs: dt.datetime) -> pa.Table:
    return panel.filter(pa.compute.is_in(panel["as_of"], pa.array(as_ofs, pa.timestamp("us", "UTC"))))


def some(panel: pa.Table) -> list[str]:
    """A third of a panel's signals, of every theme: a panel takes as long as it has columns."""
    return signal_columns(panel)[::3]


class TestEngines:
    """One definition, three engines, the same bits."""

    # Of the same kind as the company of `test_engines`, which pandas and Spark have in every run.
    @pytest.mark.slow
    @pytest.mark.parametrize("engine", ENGINES[1:])
    @pytest.mark.parametrize("entity", ["account", "lead"])
    def test_every_engine_gives_the_same_bits(self, company: Source, panel: Panel, engine: str, entity: Any) -> None:
        as_ofs = AS_OFS if engine == "pandas" else AS_OFS[:2]
        wanted = rows_of(panel(entity), *as_ofs)
        assert differences(build_panel(company, entity, as_ofs, engine), wanted) == []

    def test_an_unknown_engine_is_refused_with_those_there_are(self, company: Source) -> None:
        with pytest.raises(UserMistake, match="duckdb, pandas, spark"):
            build_panel(company, "account", AS_OFS, "excel")


class TestPointInTime:
    """Nothing that was not known before `as_of` reaches a signal."""

    def test_rows_known_or_dated_at_as_of_change_nothing(self, tmp_path: Path) -> None:
        """Eight companies side by side, each with noise of its own kind."""
        as_of = at("2024-05-16")
        before: dict[str, list[dict[str, Any]]] = {}
        noise: dict[str, list[dict[str, Any]]] = {}
        kinds = itertools.product((0, 1, DAY_US, 40 * DAY_US), (False, True))
        for number, (ahead, late) in enumerate(kinds):
            moved = as_of + dt.timedelta(microseconds=ahead)
            # Either it happens at as_of or later, or it happened before and is learnt of at as_of or later.
            moved_column = "known_time" if late else "event_time"
            for name, rows in random_company(number).items():
                before.setdefault(name, []).extend(renamed(row, number) for row in rows)
            for name, rows in random_company(number + 100).items():
                other = {"industry": "future", "channel": "future"} if name == "leads" else {}
                other |= {"status": "converted"} if name == "leads" else {}
                noise.setdefault(name, []).extend(
                    renamed(row, number) | {moved_column: max(moved, row["event_time"])} | other for row in rows
                )
        as_it_was = make_source(tmp_path / "before", before)
        with_noise = make_source(tmp_path / "after", {name: [*before[name], *noise[name]] for name in before})
        for entity in ("account", "lead"):
            clean = build_panel(as_it_was, entity, [as_of])  # type: ignore[arg-type]
            noisy = build_panel(with_noise, entity, [as_of])  # type: ignore[arg-type]
            assert clean.num_rows > 30
            assert differences(clean, noisy.select(clean.column_names)) == []

    @pytest.mark.parametrize("span", [dt.timedelta(days=1, hours=5, seconds=1), dt.timedelta(days=366)])
    def test_moving_all_times_and_as_of_changes_nothing(
        self, tables: dict[str, list[dict[str, Any]]], panel: Panel, tmp_path: Path, span: dt.timedelta
    ) -> None:
        moved = {
            name: [{k: v + span if isinstance(v, dt.datetime) else v for k, v in row.items()} for row in rows]
            for name, rows in tables.items()
        }
        there = make_source(tmp_path, moved)
        for entity in ("account", "lead"):
            now = panel(entity).select([*FIXED, *some(panel(entity))])
            now = rows_of(now, *AS_OFS[:2])
            then = build_panel(there, entity, [a + span for a in AS_OFS[:2]], only=some(panel(entity)))  # type: ignore[arg-type]
            assert [n for n in differences(now, then) if n != "as_of"] == []


class TestShape:
    def test_one_by_one_equals_together(self, company: Source, panel: Panel) -> None:
        for as_of in AS_OFS[3:]:  # the neighbour of the lattice, and one with a time of day
            alone = build_panel(company, "account", [as_of], only=some(panel("account")))
            assert alone.num_rows > 0
            assert differences(alone, rows_of(panel("account"), as_of).select(alone.column_names)) == []

    @pytest.mark.parametrize("entity", ["account", "lead"])
    def test_some_ids_equal_their_rows_of_all(self, company: Source, panel: Panel, entity: Any) -> None:
        together = rows_of(panel(entity), *AS_OFS[:2])
        ids = sorted(set(together["entity_id"].to_pylist()))[:2]
        mask = pa.compute.is_in(together["entity_id"], pa.array(ids))
        assert differences(build_panel(company, entity, AS_OFS[:2], ids=ids), together.filter(mask)) == []

    def test_columns_are_the_signals_that_are_offered(self, company: Source, panel: Panel) -> None:
        assert panel("account").column_names[4:] == [s.name for s in signals_of(company, "account")]

    def test_custom_columns_become_signals(self, tmp_path: Any) -> None:
        rows = [
            {"account_id": f"a{i}", "event_time": START, "Tier Name": "gold" if i % 2 else "tin", "serial": f"x{i}"}
            for i in range(40)
        ]
        source = make_source(tmp_path, {"accounts": rows})
        panel = build_panel(source, "account", [at("2024-02-01")])
        assert set(panel["tier_name"].to_pylist()) == {"gold", "tin"}
        assert "serial" not in panel.column_names

    def test_a_panel_without_dates_is_refused(self, company: Source) -> None:
        with pytest.raises(UserMistake, match="at least one date"):
            build_panel(company, "account", [])

    def test_grid_is_the_same_for_every_company(self) -> None:
        days = grid(at("2024-01-01"), at("2024-12-31"))
        assert all((d - dt.datetime(1970, 1, 1, tzinfo=UTC)).days % 28 == 0 for d in days)
        assert len(days) == 13


class TestParts:
    """A panel in parts is the panel."""

    @pytest.mark.parametrize(
        ("entity", "engine", "rows"),
        [("account", "duckdb", 4), ("lead", "duckdb", 4), ("lead", "duckdb", 1000), ("lead", "pandas", 1)],
    )
    def test_parts_are_the_whole_panel_in_the_order_of_ids(
        self, company: Source, panel: Panel, entity: Any, engine: str, rows: int
    ) -> None:
        moment = AS_OFS[2]
        whole = panel(entity, engine, moment)
        parts = list(panel_parts(company, entity, moment, rows, engine))
        assert [part.num_rows for part in parts[:-1]] == [rows] * (len(parts) - 1)
        assert pa.concat_tables(parts).equals(whole)
        assert all(part.schema.equals(whole.schema, check_metadata=True) for part in parts)

    def test_nobody_is_one_empty_part(self, company: Source) -> None:
        parts = list(panel_parts(company, "lead", at("2001-01-01"), 10))
        assert [part.num_rows for part in parts] == [0]


class TestTablesThatNoSignalReads:
    def test_orders_costs_and_ids_of_events_change_no_panel(self, tmp_path: Path) -> None:
        """Orders within the observed period: at each date the same bits, and the same signals."""
        tables = random_company(4, accounts=5, days=130)
        costs = [{"month": at("2024-02-01"), "kind": "sales", "amount": 10.0}]
        numbered = {
            name: [row | {"event_id": f"e{n}"} for n, row in enumerate(tables[name])] for name in ("usage", "touches")
        }
        without = {name: rows for name, rows in tables.items() if name != "orders"}
        bare = make_source(tmp_path / "bare", without)
        full = make_source(tmp_path / "full", {**tables, **numbered, "costs": costs})
        assert full.rows("orders") > 10
        assert full.has("usage", "event_id")
        for entity in ("account", "lead"):
            panels = [build_panel(source, entity, [at("2024-03-21"), at("2024-04-18")]) for source in (bare, full)]  # type: ignore[arg-type]  # the two above
            assert panels[0].equals(panels[1])
