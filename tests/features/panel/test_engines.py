"""Every signal on every engine, over what real tables have at their edges, with the same bits."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from features.panel.build import build_panel
from features.signals.catalog import definitions
from features.signals.definition import Definition
from features.signals.signal import Entity
from features.sources.loader import open_source
from features.sources.source import Source
from tests.kit.company import make_source
from tests.kit.panels import ENGINES, LEAP_DAY, edge_cases, on_spark, same

AS_OFS = [LEAP_DAY, LEAP_DAY + dt.timedelta(weeks=9)]


def everything(source: Source, engine: str, as_ofs: list[dt.datetime]) -> dict[str, dict[str, list[Any]]]:
    return {entity: build_panel(source, entity, as_ofs, engine).to_pydict() for entity in ("account", "lead")}  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return make_source(tmp_path_factory.mktemp("edges"), edge_cases())


@pytest.fixture(scope="module")
def expected(company: Source) -> dict[str, dict[str, list[Any]]]:
    return everything(company, "duckdb", AS_OFS)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Source:
    tables = {name: rows if name in ("accounts", "leads") else [] for name, rows in edge_cases().items()}
    return make_source(tmp_path_factory.mktemp("bare"), tables)


@pytest.fixture(scope="module")
def expected_of_bare(bare: Source) -> dict[str, dict[str, list[Any]]]:
    return everything(bare, "duckdb", AS_OFS[:1])


def measured(definition: Definition) -> set[tuple[Any, ...]]:
    """The kinds of measures that a signal needs: windows and weights by class, states by how they are put together."""
    needs = definition.needs
    return {
        *((type(m), "window") for m in needs.windows),
        *((type(m), weight) for m, weights in needs.weighted.items() for weight in weights),
        *((m.how, m.via_account, ago > 0) for m, agos in needs.states.items() for ago in agos),
    }


def one_of_each_kind(entity: Entity) -> list[str]:
    """Few signals that need every kind of measure that the entity's signals need."""
    names: list[str] = []
    held: set[tuple[Any, ...]] = set()
    for definition in definitions(entity):
        if not measured(definition) <= held:
            names.append(definition.signal.name)
            held |= measured(definition)
    return names


class TestEveryEngine:
    @pytest.mark.parametrize("engine", ENGINES[1:])
    def test_each_gives_the_same_bits(self, company: Source, expected: Any, engine: str) -> None:
        found = everything(company, engine, AS_OFS)
        for entity, columns in expected.items():
            assert [n for n, values in columns.items() if found[entity][n] != values] == []

    @pytest.mark.parametrize("engine", ENGINES[1:])
    def test_each_takes_empty_tables(self, bare: Source, expected_of_bare: Any, engine: str) -> None:
        assert everything(bare, engine, AS_OFS[:1]) == expected_of_bare
        assert set(expected_of_bare["account"]["events_28d"]) == {0.0}
        assert set(expected_of_bare["account"]["days_since_usage"]) == {None}

    @on_spark
    @pytest.mark.parametrize("entity", ["account", pytest.param("lead", marks=pytest.mark.slow)])
    def test_spark_gives_the_same_bits_for_every_kind_of_measure(
        self, company: Source, expected: Any, entity: Entity
    ) -> None:
        found = build_panel(company, entity, AS_OFS, "spark", only=one_of_each_kind(entity)).to_pydict()
        assert len(found) > 4
        assert [n for n, values in found.items() if expected[entity][n] != values] == []

    @on_spark
    def test_spark_takes_empty_tables(self, bare: Source, expected_of_bare: Any) -> None:
        only = ["events_28d", "days_since_usage"]
        found = build_panel(bare, "account", AS_OFS[:1], "spark", only=only).to_pydict()
        assert found == {name: expected_of_bare["account"][name] for name in found}

    @on_spark
    @pytest.mark.slow
    def test_spark_leaves_out_what_was_not_known_by_a_leads_own_moment(self, company: Source) -> None:
        """`test_visibility` holds DuckDB's panel to a source that was told no more."""
        given = {"l0": [LEAP_DAY], "l3": [LEAP_DAY, AS_OFS[1]]}
        only = ["inbound_touches_84d", "company_is_customer"]
        found, wanted = (
            build_panel(company, "lead", AS_OFS[1:], each, only=only, known_before=given)
            for each in ("spark", "duckdb")
        )
        assert wanted["company_is_customer"].to_pylist() == [0.0, 0.0, 1.0]
        assert same(found, wanted)

    def test_covers_every_signal_of_the_catalog(self, expected: Any) -> None:
        for entity, columns in expected.items():
            names = [d.signal.name for d in definitions(entity)]
            assert [n for n in names if n not in columns] == []
            assert [n for n in names if all(v is None for v in columns[n])] == []

    def test_values_at_the_edges_are_those_computed_by_hand(self, expected: Any) -> None:
        columns = expected["account"]
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        at_leap = {r["entity_id"]: r for r in rows if r["as_of"] == LEAP_DAY}
        assert "future" not in at_leap
        assert (at_leap["silent"]["events_84d"], at_leap["silent"]["days_since_usage"]) == (0.0, None)
        assert (at_leap["once"]["events_28d"], at_leap["once"]["events_84d"]) == (0.0, 1.0)
        assert at_leap["once"]["days_since_usage"] == 28.0
        tie = at_leap["tie"]
        # u a microsecond before as_of and v at the left end; not u at as_of, w before the window, x and y not yet known.
        assert (tie["active_users_28d"], tie["events_28d"], tie["active_users_84d"]) == (2.0, 2.0, 3.0)
        assert tie["account_age_days"] == 0.0
        assert tie["days_paid_late_change_84d"] == 2.0 - 7.0
        assert (tie["mrr"], tie["days_to_renewal"]) == (0.01, 0.0)
        assert (tie["has_business_domain"], at_leap["once"]["has_business_domain"]) == (0.0, 1.0)

    def test_naive_times_are_utc_and_zones_are_converted(self, tmp_path: Path, expected: Any) -> None:
        make_source(tmp_path, edge_cases())
        naive = "SELECT * REPLACE (event_time AT TIME ZONE 'UTC' AS event_time, known_time AT TIME ZONE 'UTC' AS known_time)"
        # The same moments, written with the zone of Nepal, which is off by 5 h 45 min.
        zoned = "SELECT * REPLACE (CAST(strftime(event_time AT TIME ZONE 'Asia/Kathmandu', '%Y-%m-%d %H:%M:%S.%f') || '+05:45' AS TIMESTAMPTZ) AS event_time)"
        for name, select in (("usage", naive), ("subscriptions", naive), ("touches", zoned), ("tickets", zoned)):
            (tmp_path / f"{name}.sql").write_text(f"{select} FROM read_parquet('${{data}}/{name}.parquet')")
        source = open_source(str(tmp_path), tmp_path)
        for entity, columns in expected.items():
            some = [d.signal.name for d in definitions(entity)][::3]
            found = build_panel(source, entity, AS_OFS, only=some).to_pydict()
            assert found == {name: columns[name] for name in found}

    def test_a_difference_would_be_seen(self, company: Source, expected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin: pandas that forgets the first week of a word of bits."""
        from features.panel.engines import PandasEngine

        whole = PandasEngine.roll_up

        def forgetful(self: Any, frame: Any, keys: Any, how: Any) -> Any:
            import narwhals as nw

            found = whole(self, frame, keys, how)
            bits = [n for n, way in how.items() if way == "bits"]
            return found.with_columns(*[(nw.col(n) // 2) * 2 for n in bits]) if bits else found

        monkeypatch.setattr(PandasEngine, "roll_up", forgetful)
        some = ["active_users_84d", "active_days_28d", "mrr"]
        found = build_panel(company, "account", AS_OFS, "pandas", only=some)
        assert [n for n in found.column_names if found[n].to_pylist() != expected["account"][n]] != []
