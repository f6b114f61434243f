"""A panel of what was known before one moment, as of another: as if the source had never been told the rest."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.kit.clock import to_us
from features.kit.errors import UserMistake
from features.panel import visibility
from features.panel.build import build_panel
from features.panel.incremental import Carried
from features.panel.visibility import touched
from features.signals.catalog import definitions
from features.sources.source import Source
from tests.kit.company import at, make_source, random_company
from tests.kit.panels import ENGINES, same

THEN, NOW = at("2024-05-10"), at("2024-05-27T06:00:00")


MOMENTS = (THEN, at("2024-05-13"), at("2024-05-20T00:00:01"))


ENTITIES: tuple[Any, ...] = ("account", "lead")


Tables = dict[str, list[dict[str, Any]]]


def company() -> Tables:
    """A random company, and what makes `known before` other than `visible before`: things that are agreed on ahead, versions
    that contradict each other, a contract that changes hands."""
    tables = random_company(5, accounts=6, days=160)
    ahead = {"event_time": at("2024-05-20"), "known_time": at("2024-05-01")}
    contract = {"subscription_id": "ahead", "account_id": "a0", "status": "active", "mrr": 10.0, "seats": 2}
    tables["subscriptions"] += [
        contract | {"event_time": at("2024-04-01")},
        contract | ahead | {"mrr": 99.0},
        contract | {"event_time": at("2024-05-12"), "mrr": 1.0},
        contract | {"subscription_id": "moves", "event_time": at("2024-03-01")},
        contract | {"subscription_id": "moves", "account_id": "a1", "event_time": at("2024-05-15")},
        contract | {"subscription_id": "twice", "event_time": at("2024-05-02"), "mrr": 5.0},
        contract | {"subscription_id": "twice", "event_time": at("2024-05-02"), "mrr": 7.0},
        contract | {"subscription_id": "twice", "event_time": at("2024-05-11"), "mrr": 8.0},
    ]
    tables["usage"] += [
        {"account_id": "a0", "user_id": "planned", **ahead},
        {"account_id": "a1", "user_id": "late", "event_time": at("2024-04-20"), "known_time": at("2024-05-11")},
        {"account_id": "a2", "user_id": "very late", "event_time": at("2024-01-02"), "known_time": at("2024-05-12")},
        {"account_id": "a2", "user_id": "tie", "event_time": THEN},
    ]
    lead = {"status": "open", "event_time": at("2024-02-01")}
    tables["leads"] += [
        {"lead_id": "l0", "account_id": "a3", "status": "open", "event_time": at("2024-05-14")},
        # By mail domain: whose company bought before, whose bought since, whose domain got a second owner since.
        *[{**lead, "lead_id": f"by domain {n}", "email": f"x@site{n}.example"} for n in range(3)],
    ]
    sites = [*[(f"site{n}", f"site{n}", "2024-01-05") for n in range(3)], ("other", "site2", "2024-05-12")]
    tables["accounts"] += [
        {"account_id": name, "domain": f"{site}.example", "event_time": at(day)} for name, site, day in sites
    ]
    tables["subscriptions"] += [
        contract | {"subscription_id": f"of {site}", "account_id": site, "event_time": at(day)}
        for site, day in (("site0", "2024-03-01"), ("site1", "2024-05-12"), ("site2", "2024-03-01"))
    ]
    return tables


def told_before(tables: Tables, moment: dt.datetime) -> Tables:
    return {
        name: [r for r in rows if (r.get("known_time") or r["event_time"]) < moment] for name, rows in tables.items()
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return make_source(tmp_path_factory.mktemp("whole"), company())


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    cut = make_source(tmp_path_factory.mktemp("cut"), told_before(company(), THEN))
    return {entity: build_panel(cut, entity, [NOW]) for entity in ENTITIES}


def some(entity: Any) -> list[str]:
    """Some of the signals: a panel takes as long as it has columns."""
    return [d.signal.name for d in definitions(entity)][:: 6 if entity == "account" else 3]


@pytest.fixture(scope="module")
def alone(source: Source) -> dict[str, dict[dt.datetime, dict[str, dict[str, Any]]]]:
    return {
        entity: {
            m: by_id(build_panel(source, entity, [NOW], only=some(entity), known_before=m)) for m in (*MOMENTS, NOW)
        }
        for entity in ENTITIES
    }


def by_id(panel: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["entity_id"]: row for row in panel.to_pylist()}


class TestOneMoment:
    @pytest.mark.parametrize("entity", ENTITIES)
    @pytest.mark.parametrize("engine", ENGINES)
    def test_it_is_the_panel_of_a_source_that_was_told_no_more(
        self, source: Source, expected: dict[str, pa.Table], entity: Any, engine: str
    ) -> None:
        assert same(build_panel(source, entity, [NOW], engine, known_before=THEN), expected[entity])

    def test_who_has_bought_is_as_it_was_known(self, source: Source, alone: Any) -> None:
        def status(moment: dt.datetime) -> list[str]:
            return [alone["lead"][moment][f"by domain {n}"]["eligibility"] for n in range(3)]

        assert status(THEN) == ["already_customer", "eligible", "already_customer"]
        assert status(NOW) == ["already_customer", "already_customer", "eligible"]

    def test_it_is_neither_the_old_panel_nor_the_new_one(self, source: Source, expected: dict[str, pa.Table]) -> None:
        for other in (NOW, THEN):
            assert not same(build_panel(source, "lead", [other]), expected["lead"])

    @pytest.mark.parametrize("entity", ENTITIES)
    def test_some_ids_equal_their_rows_of_all(self, source: Source, expected: dict[str, pa.Table], entity: Any) -> None:
        wanted = expected[entity]["entity_id"].to_pylist()[::2]
        found = build_panel(source, entity, [NOW], ids=wanted, known_before=THEN, only=some(entity))
        assert by_id(found) == {each: by_id(expected[entity].select(found.column_names))[each] for each in wanted}

    def test_a_version_that_was_learnt_of_later_ends_none(
        self, source: Source, expected: dict[str, pa.Table], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: rows are left out, and the intervals of the others stay as they are."""
        monkeypatch.setattr(
            visibility, "_states", lambda _s, table, moment: f'(SELECT * FROM "{table}" WHERE known_us < {moment})'
        )
        assert not same(build_panel(source, "lead", [NOW], known_before=THEN), expected["lead"])


CARRIED = {"account": ("accounts", "subscriptions", "usage"), "lead": ("leads", "touches")}
"""The entity, and tables whose signals look further back than a window; of fewer tables a panel is built faster."""


class TestCarried:
    @pytest.mark.parametrize("entity", ENTITIES)
    def test_it_reads_the_carried_state_and_leaves_it(self, tmp_path: Path, entity: Any) -> None:
        nights = [at("2024-05-10"), at("2024-05-11"), at("2024-12-24")]
        tables = {name: rows for name, rows in company().items() if name in CARRIED[entity]}
        # Agreed on early, happened between two nights, before the window of the last.
        far = {"event_time": at("2024-07-01"), "known_time": at("2024-05-01")}
        if entity == "account":
            tables["usage"].append({"account_id": "a3", "user_id": "far", **far})
        else:
            tables["touches"].append({"lead_id": "l0", "kind": "meeting", **far})
        for number, (then, now) in enumerate(itertools.pairwise(nights)):
            before = make_source(tmp_path / f"{number}", told_before(tables, then))
            after = make_source(tmp_path / f"{number}b", told_before(tables, now))
            before.name = after.name = "company"
            build_panel(before, entity, [then], carried=tmp_path / "carried")
            wanted = build_panel(after, entity, [now], known_before=then)
            assert same(build_panel(after, entity, [now], carried=tmp_path / "carried", known_before=then), wanted)
            held = Carried.open(tmp_path / "carried" / entity, after, to_us(now))
            assert held.at_us in (to_us(then), None)

    def test_a_state_that_knows_more_is_not_built_upon(
        self, source: Source, expected: dict[str, pa.Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        build_panel(source, "lead", [NOW], carried=tmp_path)
        assert same(build_panel(source, "lead", [NOW], carried=tmp_path, known_before=THEN), expected["lead"])
        opened = Carried.open  # the sabotaged twin takes it
        monkeypatch.setattr(
            Carried, "open", lambda folder, source, _at, quiet: opened(folder, source, to_us(NOW), quiet)
        )
        assert not same(build_panel(source, "lead", [NOW], carried=tmp_path, known_before=THEN), expected["lead"])


class TestMomentsOfTheirOwn:
    @pytest.mark.parametrize("entity", ENTITIES)
    @pytest.mark.parametrize("engine", ENGINES)
    def test_each_is_as_by_its_own_moments(self, source: Source, alone: Any, entity: Any, engine: str) -> None:
        names = sorted(alone[entity][THEN])[:-1]
        # Every entity as it is now, and most as by a moment of their own.
        given = {name: [NOW, *([MOMENTS[n % 4]] if n % 4 < 3 else [])] for n, name in enumerate(names)}
        found = build_panel(source, entity, [NOW], engine, only=some(entity), known_before=given)
        rows = found.to_pylist()
        assert [(row["entity_id"], row.pop("known_before")) for row in rows] == sorted(
            (name, moment) for name, moments in given.items() for moment in moments if name in alone[entity][moment]
        )
        wanted = [alone[entity][moment].get(name) for name in names for moment in sorted(given[name])]
        assert rows == [row for row in wanted if row]
        assert len({repr(alone[entity][m].get(n)) for n in names for m in MOMENTS}) > len(names)

    def test_what_says_who_is_wanted_twice_is_refused(self, source: Source, tmp_path: Path) -> None:
        for more in ({"ids": ["a0"]}, {"carried": tmp_path}):
            with pytest.raises(UserMistake, match="neither ids nor a carried state"):
                build_panel(source, "account", [NOW], known_before={"a0": [THEN]}, **more)  # type: ignore[arg-type]


class TestTouched:
    @pytest.mark.parametrize("seed", [3, 5])
    @pytest.mark.parametrize("entity", ENTITIES)
    def test_entities_that_were_not_touched_are_as_before(self, tmp_path: Path, entity: Any, seed: int) -> None:
        then = NOW - dt.timedelta(hours=30)
        source = make_source(tmp_path, random_company(seed, accounts=12, days=160) if seed == 3 else company())
        found = set(touched(source, entity, to_us(then), to_us(NOW)))
        now, old = (
            by_id(build_panel(source, entity, [NOW], only=some(entity), known_before=each)) for each in (None, then)
        )
        assert {name for name, row in now.items() if row != old.get(name)} <= found
        assert found < set(now) | {None}, "some were left alone"

    def test_nothing_new_touches_nobody(self, source: Source) -> None:
        for entity in ENTITIES:
            assert touched(source, entity, to_us(at("2025-01-01")), to_us(at("2025-06-01"))) == []
