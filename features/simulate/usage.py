"""Simulates the usage events week by week, and writes them to one Parquet file a month, ordered by time."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.kit.clock import DAY_US, SECOND_US
from features.simulate import parameters as p
from features.simulate.base import EPOCH, Array, Dice, Floats, Part, World, arrow, before, late, taken
from features.simulate.firms import REGIONS

KINDS = ("action", "admin", "error")
FEATURES = (
    "board",
    "search",
    "editor",
    "comments",
    "files",
    "calendar",
    "reports",
    "dashboards",
    "automation",
    "forms",
    "export",
    "import",
    "integrations",
    "templates",
    "permissions",
    "audit_log",
)
GENERATIONS = 16
FLUSH_ROWS = 1_000_000
ROW_GROUP_ROWS = 245_760
_SLOTS = 8192
_REGION_SHIFT_HOURS = np.array([5, -1, -8, 3])
"""Local working hours to UTC."""
assert len(_REGION_SHIFT_HOURS) == len(REGIONS)


@dataclass
class Activities:
    """Stretches of use: paying spells, free plans after them, trials. One entry each; matrices are (entries, weeks)."""

    account: Array
    start_us: Array
    end_us: Array
    health: Array
    seats: Array
    key_losses: Array
    region: Array


def season(world: World) -> Floats:
    """Relative level of use by week: a dip in summer, a deeper one around New Year, and growth."""
    days = (np.arange(world.weeks) + world.first_week) * 7 + 3 + world.moved_days
    of_year = np.array([(EPOCH + dt.timedelta(days=int(day))).timetuple().tm_yday for day in days], float)
    from_new_year = np.minimum(of_year, 365 - of_year)
    dips = p.YEAR_DIP_SUMMER * np.exp(-(((of_year - 217) / 24) ** 2)) + p.YEAR_DIP_WINTER * np.exp(
        -((from_new_year / 7) ** 2)
    )
    return np.asarray((1.0 - dips) * np.exp(p.GROWTH_A_YEAR * (days - days[0]) / 365.0))


class Levels:
    """Expected events per entry and week, before the scale that makes the total."""

    def __init__(self, world: World, activities: Activities, accounts: int) -> None:
        self.world, self.of = world, activities
        self.habit = np.exp(world.rng("habit").normal(0.0, 0.30, accounts))[activities.account]
        self.season = season(world)
        self.start_week = np.asarray(world.week_of(activities.start_us))

    def week(self, week: int) -> tuple[Array, Floats]:
        """The entries that are in use in a week, and the expected events of each in a full week."""
        on = np.flatnonzero(self.of.health[:, week] >= 0)
        health = self.of.health[on, week]
        ramp = np.clip(0.5 + (week - self.start_week[on]) / 12.0, 0.5, 1.0)
        level = (
            self.of.seats[on, week]
            * p.ACTIVE_SHARE[health]
            * p.INTENSITY[health]
            * self.habit[on]
            * ramp
            * self.season[week]
        )
        return on, np.asarray(level)

    def expected(self, week: int) -> float:
        """Expected events of a week, of its part that lies inside the window and the entry's own time."""
        on, level = self.week(week)
        begin, week_us = int(self.world.week_us(np.array(week))), 7 * DAY_US
        first = np.clip(self.of.start_us[on], max(begin, self.world.start_day * DAY_US), begin + week_us)
        last = np.clip(self.of.end_us[on], begin, min(begin + week_us, self.world.end_us))
        return float((level * np.maximum(last - first, 0)).sum() / week_us)


def write_usage(
    world: World,
    activities: Activities,
    accounts: int,
    vocabularies: dict[str, pa.Array],
    folder: Path,
    progress: Callable[[float], None],
) -> int:
    """Write `folder`/YYYY-MM.parquet and return the number of events. Memory is that of one week's events."""
    levels = Levels(world, activities, accounts)
    total = sum(levels.expected(week) for week in range(world.weeks))
    total = total if world.usage_events else 0.0
    scale = world.usage_events / total if total else 0.0
    texts = {
        **vocabularies,
        "user_id": pa.array(
            [f"u{generation:02d}{rank:03d}" for generation in range(GENERATIONS) for rank in range(p.SEATS_MAX)]
        ),
        "feature": pa.array(FEATURES),
        "kind": pa.array(KINDS),
    }
    writer = _Months(folder)
    for week in range(world.weeks):
        progress(week / world.weeks)
        on, level = levels.week(week)
        rows = _events(world, activities, week, on, level * scale)
        if len(rows["event_time"]):
            writer.add(arrow(world, "usage", rows, texts), rows["event_time"] + world.moved_us)
    if not writer.month:  # a reader of `*.parquet` still finds a table
        nothing = _events(world, activities, 0, np.zeros(0, np.int64), np.zeros(0))
        writer.add_empty(
            arrow(world, "usage", nothing, texts),
            str(np.datetime64(world.start_day + world.moved_days, "D").astype("datetime64[M]")),
        )
    return writer.close()


def _events(world: World, activities: Activities, week: int, on: Array, level: Floats) -> Part:
    rng = world.rng("usage", week)
    noise = rng.gamma(16.0, 1.0 / 16.0, len(on))
    count = rng.poisson(level * noise)
    which = np.repeat(np.arange(len(on), dtype=np.int32), count)
    size = len(which)
    health = activities.health[on, week]
    people = activities.seats[on, week] * p.ACTIVE_SHARE[health] * rng.gamma(60.0, 1.0 / 60.0, len(on))
    people = np.clip(np.round(people), 1, p.SEATS_MAX).astype(np.float32)

    # A few people do most: the rank of the person is skewed towards the first.
    rank = (people[which] * rng.random(size, np.float32) ** np.float32(1.5)).astype(np.int32)
    rank = np.minimum(rank, people[which].astype(np.int32) - 1)
    account = activities.account[on].astype(np.int32)[which]
    generation = np.where(
        rank == 0, activities.key_losses[on, week][which], _generation(account, rank, world.first_week + week)
    )
    user = (generation % GENERATIONS).astype(np.int32) * p.SEATS_MAX + rank

    slot = _slots()[rng.integers(0, _SLOTS, size, dtype=np.uint16)].astype(np.int64) * 3600 + rng.integers(
        0, 3600, size, dtype=np.uint16
    )
    second = (slot + (_REGION_SHIFT_HOURS[activities.region[on]] * 3600)[which]) % (7 * 86_400)
    breadth = p.BREADTH[health].astype(np.float32)
    feature = (breadth[which] * rng.random(size, np.float32) ** np.float32(1.7)).astype(np.int32)
    draw = rng.random(size, np.float32)
    errors, admin = p.ERROR_SHARE[health].astype(np.float32), p.ADMIN_SHARE[health].astype(np.float32)
    kind = np.where(draw < errors[which], 2, np.where(draw > 1 - admin[which], 1, 0))
    quantity = _quantities()[rng.integers(0, _SLOTS, size, dtype=np.uint16)]

    us = world.week_us(np.array(week)) + second * SECOND_US
    keep = (us >= activities.start_us[on][which]) & (us < np.minimum(activities.end_us[on], world.end_us)[which])
    keep &= us >= world.start_day * DAY_US
    rows: Part = {
        "account_id": account,
        "event_time": us,
        "user_id": user,
        "feature": feature,
        "kind": kind,
        "quantity": quantity,
    }
    rows = taken(rows, keep)
    rows["known_time"] = late("usage", rows["event_time"], Dice(world, f"late usage {week}"))
    return before(world.extract_us, taken(rows, np.argsort(rows["event_time"], kind="stable")))


def _generation(account: Array, rank: Array, week: int) -> Array:
    """How many people have held this place before: each stays 45 to 172 weeks."""
    mixed = (account.astype(np.uint32) * np.uint32(2_654_435_761)) ^ (rank.astype(np.uint32) * np.uint32(2_246_822_519))
    mixed ^= mixed >> np.uint32(15)
    mixed *= np.uint32(3_266_489_917)
    mixed ^= mixed >> np.uint32(13)
    stay = 45 + (mixed & np.uint32(127))
    return (np.uint32(week) + (mixed >> np.uint32(8)) % stay) // stay


def _slots() -> Array:
    """Hours of the week (from Thursday 00:00) as often as people work in them."""
    hour = np.arange(24)
    of_day = np.exp(-(((hour - 13.0) / 4.0) ** 2)) + 0.01
    share = np.concatenate([p.WEEKDAY[(day + 3) % 7] * of_day for day in range(7)])
    edges = np.round(np.cumsum(share) / share.sum() * _SLOTS).astype(np.int64)
    return np.repeat(np.arange(168), np.diff(np.r_[0, edges]))


def _quantities() -> Array:
    """Geometric numbers with mean `QUANTITY_MEAN`, as quantiles."""
    level = (np.arange(_SLOTS) + 0.5) / _SLOTS
    return np.ceil(np.log1p(-level) / np.log(1.0 - 1.0 / p.QUANTITY_MEAN)).astype(np.int64)


class _Months:
    """Collects rows that come in order of time and writes each month to its own file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rows = folder, 0
        self.month, self.waiting, self.size = "", list[pa.Table](), 0
        self.writer: pq.ParquetWriter | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, table: pa.Table, event_us: Array) -> None:
        months = event_us.astype("datetime64[us]").astype("datetime64[M]")
        edges = [0, *(np.flatnonzero(months[1:] != months[:-1]) + 1).tolist(), len(months)]
        for begin, end in itertools.pairwise(edges):
            self._to(str(months[begin]))
            self.waiting.append(table.slice(begin, end - begin))
            self.size += end - begin
            if self.size >= FLUSH_ROWS:
                self._flush()

    def add_empty(self, table: pa.Table, month: str) -> None:
        self._to(month)
        self.waiting.append(table)

    def close(self) -> int:
        self._to("")
        return self.rows

    def _to(self, month: str) -> None:
        if month == self.month:
            return
        self._flush()
        if self.writer is not None:
            self.writer.close()
            self.writer = None
        self.month = month

    def _flush(self) -> None:
        if not self.waiting:
            return
        table = pa.concat_tables(self.waiting)
        if self.writer is None:
            self.writer = pq.ParquetWriter(
                self.folder / f"{self.month}.parquet", table.schema, compression="zstd", compression_level=1
            )
        self.writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        self.rows += table.num_rows
        self.waiting, self.size = [], 0
