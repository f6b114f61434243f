"""Made tables of the kinds that the audit meets, each with leaks that are known and with strong columns that are honest.

Two tables of each of eight kinds, in the names of different systems; the second of each was kept back while thresholds and words
were chosen. Rows are drawn in the order of the world: first what is known beforehand (`latent` causes and the columns that show
them), then the outcome, then what is written because of it. A leak is a column of the last sort and of no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

ROWS = 3_000
BEGIN = pd.Timestamp("2024-01-01")


@dataclass(frozen=True)
class AuditedTable:
    """A table with its label, and the columns of which it is known that they know the outcome."""

    name: str
    frame: pd.DataFrame
    label: str
    leaks: set[str]
    time: str | None = None
    doubtful: set[str] = field(default_factory=set)
    """Columns that count neither as leaks nor as honest."""
    made: bool = False
    held_out: bool = False


@dataclass
class World:
    """What columns are drawn from: three causes, the outcome that they have, and what one column leaves to the next."""

    rng: np.random.Generator
    causes: np.ndarray
    y: np.ndarray
    created: pd.Series
    kept: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return len(self.y)

    def noisy(self, cause: int, noise: float) -> np.ndarray:
        return self.causes[cause] + self.rng.normal(scale=noise, size=self.n)

    def hit(self, when: float, otherwise: float) -> np.ndarray:
        """True with one probability where the outcome came, with another where it did not."""
        return self.rng.random(self.n) < np.where(self.y == 1, when, otherwise)


Draw = Callable[[World], object]


# Known beforehand


def strong(w: World, cause: int = 0, noise: float = 0.35) -> object:
    """A number that ranks the outcome well, as recency, tenure or seats in use do."""
    return np.exp(2 + 0.8 * w.noisy(cause, noise)).round(1)


def fair(w: World, cause: int = 1, noise: float = 1.0) -> object:
    return w.rng.poisson(np.exp(1.2 + 0.5 * w.noisy(cause, noise)))


def share(w: World, cause: int = 2, noise: float = 0.8) -> object:
    return (1 / (1 + np.exp(-w.noisy(cause, noise)))).round(3)


def words(w: World, values: str, cause: int | None = None) -> object:
    """A vocabulary, by a cause or by chance."""
    names = np.array(values.split("|"))
    if cause is None:
        return names[w.rng.integers(0, len(names), w.n)]
    rank = np.argsort(np.argsort(w.noisy(cause, 0.8)))
    return names[rank * len(names) // w.n]


def money(w: World) -> object:
    return np.exp(w.rng.normal(8, 1, w.n)).round(2)


def flag(w: World, cause: int = 1, rate: float = 0.3) -> object:
    return (w.noisy(cause, 1.0) > np.quantile(w.causes[cause], 1 - rate)).astype(int)


def gappy(w: World) -> object:
    """A number that some did not tell, for no reason that has to do with the outcome."""
    return pd.Series(np.exp(w.rng.normal(4, 1, w.n)).round()).where(w.rng.random(w.n) > 0.25)


def bought(w: World) -> object:
    """What a data vendor knew of some firms: the columns of one purchase are missing together."""
    there = w.kept.setdefault("bought", w.rng.random(w.n) > 0.3)
    return pd.Series(np.exp(5 + 0.6 * w.noisy(2, 1.0)).round()).where(there)


def day(w: World) -> object:
    return w.created


def agreed(w: World, terms: tuple[int, ...] = (30, 90, 365)) -> object:
    return w.created + pd.to_timedelta(w.rng.choice(terms, w.n), unit="D")


def wait(w: World, cause: int = 0) -> object:
    """Days since something, as of the row."""
    return np.exp(2.5 + 0.6 * w.noisy(cause, 0.8)).round()


# Written because of the outcome


def state(w: World, yes: str, no: str, early: str, pure: float = 0.8) -> object:
    """The last state: mostly tells the end, some rows were never updated."""
    end = np.where(w.y == 1, w.rng.choice(yes.split("|"), w.n), w.rng.choice(no.split("|"), w.n))
    return np.where(w.rng.random(w.n) < pure, end, w.rng.choice(early.split("|"), w.n))


def only(w: World, values: str, filled: float = 0.9, otherwise: float = 0.0) -> object:
    """Text that is filled in (nearly) for the outcome alone; `filled` below 0 means: for its absence alone."""
    there = w.hit(filled, otherwise) if filled > 0 else w.hit(otherwise, -filled)
    return pd.Series(w.rng.choice(values.split("|"), w.n)).where(there)


def paid(w: World, some: float = 1.0, otherwise: float = 0.0, gap: bool = False) -> object:
    """Money that moves when the outcome has come: 0, or a gap, elsewhere."""
    there = w.hit(some, otherwise)
    amount = np.exp(w.rng.normal(5, 0.8, w.n)).round(2)
    return pd.Series(amount).where(there) if gap else np.where(there, amount, 0.0)


def length(w: World, longer: float = 1.6, spread: float = 0.6) -> object:
    """How long it took to the end, longer (or shorter) where the outcome came."""
    found = np.exp(w.rng.normal(3.2, spread, w.n) + np.log(longer) * w.y).round() + 1
    w.kept["length"] = found
    return found


def part(w: World, tilt: float = 0.9) -> object:
    """A part of `length`, which says little alone: the share of the whole is what the outcome moves."""
    logit = w.rng.normal(size=w.n) * 1.1 - tilt * (w.y - w.y.mean())
    found = np.floor(w.kept["length"] / (1 + np.exp(-logit)))
    w.kept["part"] = found
    return found


def ratio(w: World) -> object:
    return (w.kept["part"] / w.kept["length"]).round(3)


def later(w: World) -> object:
    """The day of the end."""
    days = w.kept.get("length")
    if days is None:
        days = length(w)  # type: ignore[assignment]
    return w.created + pd.to_timedelta(days, unit="D")  # type: ignore[call-overload]


def later_if(w: World, filled: float = 1.0, otherwise: float = 0.0) -> object:
    days = pd.to_timedelta(w.rng.integers(3, 120, w.n), unit="D")
    return (w.created + days).where(w.hit(filled, otherwise))


def mark(w: World, when: float = 0.6, otherwise: float = 0.08) -> object:
    return w.hit(when, otherwise).astype(int)


def score(w: World, noise: float = 0.7) -> object:
    """A number that somebody computed afterwards, or set by feeling."""
    return (50 + 15 * (w.y + w.rng.normal(scale=noise, size=w.n))).round()


def steps(w: World, more: float = 1.4) -> object:
    return w.rng.poisson(3 + more * w.y)


def unpaid(w: World, when: float, otherwise: float, size: float = 6.0, gap: bool = False) -> object:
    """Money, or another amount, that does not come any more where the outcome came."""
    amount, gone = w.rng.lognormal(size, 0.4, w.n).round(2), w.hit(when, otherwise)
    return pd.Series(amount).where(~gone) if gap else np.where(gone, 0.0, amount)


def margin(w: World) -> object:
    return (w.rng.normal(20, 12, w.n) - 25 * w.y).round(2)


def whole(w: World) -> object:
    """A longer length, of which `length` is the first part."""
    return (w.kept["length"] * w.rng.lognormal(0.6, 0.4, w.n)).round()


def waiting(w: World) -> object:
    """Share of the time to the end, moved by the outcome."""
    return (1 / (1 + np.exp(0.9 * w.y - w.rng.normal(size=w.n)))).round(3)


@dataclass(frozen=True)
class Plan:
    """A table before it is drawn."""

    name: str
    label: str
    honest: Mapping[str, Draw]
    leaks: Mapping[str, Draw]
    values: tuple[object, object] = (0, 1)
    rate: float = 0.3
    weight: float = 1.3
    """Of the first cause, on the log-odds: above 2 one honest column ranks nearly as a leak does."""
    time: str | None = None
    held_out: bool = False


def draw(plan: Plan, seed: int, rows: int = ROWS) -> AuditedTable:
    """The table of a plan; the same seed gives the same rows."""
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(3, rows))
    log_odds = plan.weight * causes[0] + 0.7 * causes[1] + 0.6 * causes[2]
    log_odds += np.log(plan.rate / (1 - plan.rate)) * 1.4
    y = (rng.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(int)
    created = pd.Series(BEGIN + pd.to_timedelta(np.sort(rng.integers(0, 540, rows)), unit="D"))
    world = World(rng, causes, y, created)
    columns = {name: make(world) for name, make in plan.honest.items()}
    columns |= {name: make(world) for name, make in plan.leaks.items()}
    order = rng.permutation(list(columns))
    frame = pd.DataFrame({name: columns[name] for name in order})
    frame[plan.label] = [plan.values[n] for n in y]
    return AuditedTable(plan.name, frame, plan.label, set(plan.leaks), plan.time, made=True, held_out=plan.held_out)
