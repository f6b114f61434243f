"""Use of the product: levels by week, people who hold a place for a while, and one file a month."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.kit.clock import DAY_US
from features.simulate import parameters as p
from features.simulate import usage
from features.simulate.usage import Activities, Levels, season, write_usage
from tests.kit.simulated import past_of, spells_of, world_of

WORLD = world_of()
WEEK_US = 7 * DAY_US


def activities(start_us: int, count: int = 1) -> Activities:
    """Steady use by eight seats from `start_us` to the end."""
    spells = replace(spells_of(0, count), start_us=np.full(count, start_us))
    past = past_of(WORLD, spells)
    return Activities(
        account=spells.account,
        start_us=spells.start_us,
        end_us=past.end_day * DAY_US,
        health=past.health,
        seats=past.seats,
        key_losses=past.key_losses,
        region=np.zeros(count, np.int64),
    )


class TestSeason:
    def test_it_dips_around_new_year_and_in_summer_and_grows(self) -> None:
        level = season(WORLD)
        days = (np.arange(WORLD.weeks) + WORLD.first_week) * 7 + 3
        of_year = np.array(["1970-01-01"], "datetime64[D]") + days
        month = of_year.astype("datetime64[M]").astype(int) % 12 + 1
        assert level[month == 12].min() < level[month == 11].min()
        assert level[month == 8].min() < level[month == 6].max()
        year = 52
        assert level[year] / level[0] == pytest.approx(np.exp(p.GROWTH_A_YEAR * 364 / 365), rel=0.02)


class TestLevels:
    def test_a_full_week_by_hand(self) -> None:
        """Seats x share of active people x intensity x habit x season, at full level after six weeks."""
        levels = Levels(WORLD, activities(int(WORLD.week_us(np.array(2)))), 1)
        by_hand = 8 * p.ACTIVE_SHARE[2] * p.INTENSITY[2] * levels.habit[0] * levels.season[20]
        assert levels.expected(20) == pytest.approx(by_hand)

    def test_the_first_week_has_half_the_level_and_only_its_own_days(self) -> None:
        begin = int(WORLD.week_us(np.array(2)))
        levels = Levels(WORLD, activities(begin + WEEK_US // 2), 1)
        full = 8 * p.ACTIVE_SHARE[2] * p.INTENSITY[2] * levels.habit[0] * levels.season[2]
        assert levels.expected(2) == pytest.approx(full * 0.5 * 0.5)
        assert levels.expected(1) == 0.0

    def test_what_lies_after_the_end_is_not_expected(self) -> None:
        levels = Levels(WORLD, activities(int(WORLD.week_us(np.array(2)))), 1)
        on, level = levels.week(WORLD.weeks - 1)
        inside = (WORLD.end_us - int(WORLD.week_us(np.array(WORLD.weeks - 1)))) / WEEK_US
        assert on.tolist() == [0]
        assert levels.expected(WORLD.weeks - 1) == pytest.approx(float(level[0]) * inside)


class TestDraws:
    def test_quantities_are_whole_and_have_their_mean(self) -> None:
        found = usage._quantities()
        assert found.min() == 1
        assert found.mean() == pytest.approx(p.QUANTITY_MEAN, abs=0.02)

    def test_hours_of_the_week_are_drawn_as_often_as_people_work_in_them(self) -> None:
        slots = usage._slots()
        of_day = np.bincount(slots // 24, minlength=7) / len(slots)  # from Thursday on
        expected = np.array([p.WEEKDAY[(day + 3) % 7] for day in range(7)])
        assert of_day == pytest.approx(expected / expected.sum(), abs=0.001)
        assert np.bincount(slots % 24).argmax() == 13

    def test_a_place_is_held_for_45_to_172_weeks(self) -> None:
        weeks = np.arange(2_600, 3_200)
        for account, rank in ((1, 1), (2, 5), (77, 3)):
            holder = np.array([int(usage._generation(np.array([account]), np.array([rank]), int(w))[0]) for w in weeks])
            changes = np.flatnonzero(np.diff(holder))
            assert set(np.diff(holder)) == {0, 1}
            assert all(45 <= stay <= 172 for stay in np.diff(changes))


class TestFiles:
    def test_each_month_has_a_file_with_its_rows_in_order_of_time(self, tmp_path: Path) -> None:
        world = replace(WORLD, usage_events=3_000)
        count = write_usage(
            world,
            activities(world.start_day * DAY_US, 5),
            5,
            {"account_id": pa.array(list("abcde"))},
            tmp_path,
            lambda _: None,
        )
        read = {path.stem: pq.read_table(path) for path in sorted(tmp_path.iterdir())}
        assert count == sum(table.num_rows for table in read.values()) == pytest.approx(3_000, rel=0.1)
        assert [*read] == [str(month) for month in np.arange("2024-02", "2025-07", dtype="datetime64[M]")]
        for month, table in read.items():
            times = table["event_time"].to_numpy()
            assert (np.diff(times) >= np.timedelta64(0)).all()
            assert set(np.datetime_as_string(times, unit="M")) == {month}

    def test_a_company_without_use_has_one_empty_file(self, tmp_path: Path) -> None:
        nothing = write_usage(
            WORLD, activities(WORLD.start_day * DAY_US), 1, {"account_id": pa.array(["a"])}, tmp_path, lambda _: None
        )
        assert nothing == 0
        (path,) = tmp_path.iterdir()
        assert path.stem == str(np.datetime64(WORLD.start_day, "D").astype("datetime64[M]"))
        assert pq.read_table(path).schema.names[:2] == ["account_id", "event_time"]
