"""Shared by all parts of the simulation: the calendar, random streams, and the conversion of columns to Arrow and Parquet."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from features.kit import clock
from features.kit.clock import DAY_US, SECOND_US
from features.simulate import parameters as p
from features.sources.schema import KNOWN_TIME, TABLES

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]
Part = dict[str, Array]
"""Some rows of a table. Text is codes into a vocabulary, times are microseconds; -1 (or NaN) is null."""

EPOCH = clock.EPOCH.date()
GRID_DAYS = 28


@dataclass(frozen=True)
class World:
    """Sizes and dates. Weeks start at 00:00 UTC on days since 1970 that are divisible by 7, so that every as_of starts one.

    The company is drawn on the calendar of these days, and written `moved_days` later, a multiple of the grid of as_of.
    """

    accounts: int
    leads: int
    seed: int
    usage_events: int
    start_day: int
    end_day: int
    change_day: int
    moved_days: int = 0
    """Added to every time that is written."""
    cut_days: int = 0
    """0 to 27: the last days before `end_day` that are drawn but not written."""

    @property
    def moved_us(self) -> int:
        """`moved_days` in microseconds."""
        return self.moved_days * DAY_US

    @property
    def extract_us(self) -> int:
        """Rows that happened or became known from this moment on are drawn but not written."""
        return (self.end_day - self.cut_days) * DAY_US

    @property
    def first_week(self) -> int:
        """The week of `start_day`, counted from 1970."""
        return self.start_day // 7

    @property
    def weeks(self) -> int:
        """Number of weeks that have a day of the window in them."""
        return (self.end_day - 1) // 7 - self.first_week + 1

    @property
    def change_week(self) -> int:
        """First week of the new regime, counted from `first_week`; may lie outside the window."""
        return self.change_day // 7 - self.first_week

    @property
    def end_us(self) -> int:
        """The first moment after the window as it is drawn, in microseconds since 1970."""
        return self.end_day * DAY_US

    def as_of_weeks(self) -> list[int]:
        """Weeks, counted from `first_week`, that start at a moment of the as_of grid inside the window, as it is written."""
        first, last = self.start_day + self.moved_days + 1, self.end_day - self.cut_days + self.moved_days
        days = range(-(-first // GRID_DAYS) * GRID_DAYS, last + 1, GRID_DAYS)
        return [(day - self.moved_days) // 7 - self.first_week for day in days]

    def week_us(self, week: Array) -> Array:
        """Start of weeks counted from `first_week`."""
        return (np.asarray(week, np.int64) + self.first_week) * (7 * DAY_US)

    def week_of(self, us: Array) -> Array:
        """The week of each moment, counted from `first_week`; negative before it."""
        return np.asarray(us, np.int64) // (7 * DAY_US) - self.first_week

    def rng(self, stream: str, number: int = 0) -> np.random.Generator:
        """An independent stream per name and number, so that no part's draws depend on another's."""
        return np.random.Generator(
            np.random.PCG64(np.random.SeedSequence([self.seed, zlib.crc32(stream.encode()), number]))
        )


class Dice:
    """Random numbers of one part; each call starts a stream of its own.

    So how many numbers one call draws never shifts another. With rows in order of time this makes the past
    independent of what comes later, number by number, and a test can compare two worlds that part at some date.
    """

    def __init__(self, world: World, part: str) -> None:
        self.world, self.part, self.calls = world, part, 0

    def __call__(self) -> np.random.Generator:
        self.calls += 1
        return self.world.rng(self.part, self.calls)

    def uniform(self, rows: int, size: int) -> Floats:
        """`rows` independent streams of `size` uniform numbers each."""
        return np.stack([self().random(size) for _ in range(rows)])


def choose(rng: np.random.Generator, shares: Array, size: int) -> Array:
    """Codes drawn by shares; `shares` is one row for all, or one row each."""
    return pick(rng.random(size), shares)


def pick(draw: Array, shares: Array) -> Array:
    """Codes for uniform draws, by shares."""
    total = np.cumsum(shares, axis=-1)
    draw = draw * total[..., -1]
    if shares.ndim == 1:
        return np.searchsorted(total, draw, side="right").astype(np.int64)
    return (draw[:, None] >= total).sum(axis=1).astype(np.int64)


def step(rng: np.random.Generator, states: Array, matrix: Array) -> Array:
    """One weekly step of a Markov chain for each of `states`."""
    total = np.cumsum(matrix, axis=1)
    total[:, -1] = 2.0  # rounding must not put a draw beyond the last state
    return (rng.random(len(states))[:, None] >= total[states]).sum(axis=1).astype(states.dtype)


def propagate(shares: Floats, matrix: Floats) -> Floats:
    """`shares @ matrix` without BLAS, whose last bit may depend on its number of threads."""
    return np.einsum("nk,kj->nj", shares, matrix)


def chance(rate: Array) -> Array:
    """Chance of an event within a week at this rate a week."""
    return -np.expm1(-rate)


def office_seconds(rng: np.random.Generator, size: int) -> Array:
    """Seconds since midnight of things that people do at work: around 13:00, most between 7 and 19."""
    return (np.clip(rng.normal(13.0, 2.9, size), 0.0, 23.99) * 3600).astype(np.int64)


def add_months(day: Array, months: Array) -> Array:
    """Days since 1970 after whole calendar months; the 31st becomes the last day of a shorter month."""
    date = np.asarray(day, np.int64).astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    of_month = (date - month.astype("datetime64[D]")).astype(np.int64)
    target = month + np.asarray(months, np.int64)
    last = ((target + 1).astype("datetime64[D]") - target.astype("datetime64[D]")).astype(np.int64) - 1
    return target.astype("datetime64[D]").astype(np.int64) + np.minimum(of_month, last)


def late(table: str, event_us: Array, dice: Dice) -> Array:
    """`known_time` of rows of which a few per cent arrive hours to weeks late; -1 for those in time."""
    known = np.full(len(event_us), -1, np.int64)
    chosen = np.flatnonzero(dice().random(len(event_us)) < p.LATE_SHARE[table])
    hours = p.LATE_MEDIAN_HOURS * np.exp(dice().normal(0.0, p.LATE_SIGMA, len(chosen)))
    hours = np.clip(hours, 1.0, 24.0 * p.LATE_MAX_DAYS)
    known[chosen] = event_us[chosen] + (hours * 3600).astype(np.int64) * SECOND_US
    return known


def join(parts: list[Part]) -> Part:
    """Rows of several parts; a column that a part lacks is null there."""
    names = list(dict.fromkeys(name for part in parts for name in part))
    sizes = [len(part["event_time"]) for part in parts]
    joined: Part = {}
    for name in names:
        kind = next(part[name].dtype for part in parts if name in part)
        empty = np.nan if kind.kind == "f" else -1
        joined[name] = np.concatenate(
            [
                part[name] if name in part else np.full(size, empty, kind)
                for part, size in zip(parts, sizes, strict=True)
            ]
        )
    return joined


def taken(part: Part, chosen: Array) -> Part:
    """The chosen rows of a part: a mask, or positions in the order that is wanted."""
    return {name: values[chosen] for name, values in part.items()}


def before(until_us: int, part: Part) -> Part:
    """The rows that happened and were known before a moment: what an extract made then holds."""
    keep = part["event_time"] < until_us
    if "known_time" in part:
        keep &= part["known_time"] < until_us
    return part if keep.all() else taken(part, keep)


def arrow(world: World, table: str, part: Part, vocabularies: dict[str, pa.Array]) -> pa.Table:
    """A canonical Arrow table, rows in the order of `part`, times moved to where the company ends."""
    definition = TABLES[table]
    columns, names = [], []
    for column in (*definition.columns, KNOWN_TIME):
        if column.name not in part:
            continue
        values = part[column.name]
        names.append(column.name)
        match column.type:
            case "text":
                codes = pa.array(values.astype(np.int32), mask=values < 0)
                columns.append(pa.DictionaryArray.from_arrays(codes, vocabularies[column.name]))
            case "time":
                columns.append(pa.array(values + world.moved_us, mask=values == -1).cast(pa.timestamp("us", tz="UTC")))
            case "boolean":
                columns.append(pa.array(values == 1, mask=values < 0))
            case "integer":
                if values.dtype.kind == "f":
                    columns.append(pa.array(np.nan_to_num(values).astype(np.int64), mask=np.isnan(values)))
                else:
                    columns.append(pa.array(values.astype(np.int64), mask=values < 0))
            case _:
                rounded = np.round(values, 2)
                columns.append(pa.array(rounded, mask=np.isnan(rounded)))
    return pa.table(columns, names=names)


def by_time(part: Part, *then: str) -> Part:
    """The rows in order of time, then of the columns `then`."""
    order = np.lexsort((*(part[name] for name in reversed(then)), part["event_time"]))
    return taken(part, order)


def write(path: Path, table: pa.Table) -> None:
    """Write a table as Parquet; the same table gives the same bytes."""
    pq.write_table(table, path, compression="zstd", compression_level=1, row_group_size=245_760)


def ids(prefix: str, digits: int, size: int) -> pa.Array:
    """`acc_100001`, `acc_100002`, ...: a CRM's numeric record id, without leading zeros, is found in them."""
    first = 10 ** (digits - 1) + 1
    return pa.array([f"{prefix}_{number}" for number in range(first, first + size)], pa.string())
