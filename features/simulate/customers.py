"""Customers: an account's health moves from week to week, shows in everything it does, and decides whether it leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.kit.clock import DAY_US, SECOND_US
from features.simulate import parameters as p
from features.simulate.base import Array, Floats, World, add_months, chance, choose, office_seconds, propagate, step

STAYS, NOTICE, EARLY, LAPSE, FREE = 0, 1, 2, 3, 4
"""How a spell ends: by notice for the end of the term, by notice in its middle, without one, on the free plan."""
NEVER_DAY = 10**7


@dataclass
class Spells:
    """One entry per time as a paying customer; weeks count from the first of the window."""

    account: Array
    start_us: Array
    term: Array
    auto_renew: Array
    discount: Array
    seats_at_start: Array
    multiplier: Array
    add_on: Array
    first_health: Array
    on_grid: Array
    """Whether the spell enters the truth; False for internal, test and competitor accounts."""


@dataclass
class Histories:
    """What happened to each spell."""

    health: Array
    """int8 (spells, weeks): state in each week from the first to the week of the end; -1 elsewhere."""
    seats: Array
    ending: Array
    end_day: Array
    notice_us: Array
    add_on_drop_us: Array
    key_losses: Array
    """uint8 (spells, weeks): key users lost so far."""
    grown: list[tuple[Array, Array, Array, Array]]
    """Per week: spells whose seats changed, when, seats before, seats after."""
    truth: list[tuple[int, Array, Floats]]


def renewal_day(start_day: Array, term: Array, number: Array) -> Array:
    """Day on which the term `number` (1 is the first) of a contract ends."""
    return add_months(start_day, p.TERMS_MONTHS[term] * number)


def factor(world: World, week: int, term: Array, multiplier: Array) -> Floats:
    """Factor on all exit rates of a spell in a week; the change of regime is here."""
    return np.asarray(multiplier if week < world.change_week else multiplier * p.TERM_FACTOR_AFTER_CHANGE[term])


def health_step(world: World, week: int) -> Floats:
    """Weekly transition matrix of health from `week` to the next."""
    matrix = p.HEALTH_STEP.copy()
    if week >= world.change_week:
        worse = np.triu(np.ones_like(matrix), 1).astype(bool)
        matrix[worse] *= p.DECLINE_FACTOR_AFTER_CHANGE
        np.fill_diagonal(matrix, 0.0)
        np.fill_diagonal(matrix, 1.0 - matrix.sum(axis=1))
    return matrix


@dataclass
class _Exits:
    """Chances of the three ways out in one week, by (spell, health); a row of zeros where the way is closed."""

    at_renewal: Floats
    by_notice: Floats
    early: Floats


def exits(world: World, week: int, spells: Spells, chosen: Array, next_renewal: Array, start_week: Array) -> _Exits:
    """`next_renewal` is the day on which the current term ends, `chosen` the spells that the rows are for."""
    term = spells.term[chosen]
    scale = factor(world, week, term, spells.multiplier[chosen])[:, None]
    to_renewal = next_renewal // 7 - world.first_week - week
    renews = (to_renewal == 0)[:, None]
    in_notice = ((to_renewal > 0) & (to_renewal <= p.NOTICE_WEEKS[term]))[:, None]
    midterm = ((to_renewal > p.NOTICE_WEEKS[term]) & (week - start_week >= p.PROTECTED_WEEKS))[:, None]
    lapse = p.NO_RENEWAL_RATE[term] * np.where(spells.auto_renew[chosen], p.AUTO_RENEW_FACTOR, 1.0)[:, None]
    return _Exits(
        at_renewal=np.where(renews, chance(lapse * scale), 0.0),
        by_notice=np.where(in_notice, chance(p.NOTICE_RATE[term] * scale), 0.0),
        early=np.where(midterm, chance(p.EARLY_EXIT_RATE[term] * scale), 0.0),
    )


def live(world: World, spells: Spells, stream: int) -> Histories:
    """Walk all spells through the weeks.

    In each week after the first, one draw decides whether the account leaves (or gives notice); then health takes its
    step. After a notice the account goes on until its last day, in the health that it then has.
    """
    rng = world.rng("spells", stream)
    count, weeks = len(spells.account), world.weeks
    start_day = spells.start_us // DAY_US
    start_week = np.asarray(world.week_of(spells.start_us))
    state = spells.first_health.astype(np.int8)
    seats = spells.seats_at_start.astype(np.int32)
    number = np.ones(count, np.int64)
    renewal = renewal_day(start_day, spells.term, number)
    while (old := renewal < world.first_week * 7).any():  # customers from before the window
        number[old] += 1
        renewal[old] = renewal_day(start_day[old], spells.term[old], number[old])

    out = Histories(
        health=np.full((count, weeks), -1, np.int8),
        seats=np.zeros((count, weeks), np.int16),
        ending=np.zeros(count, np.int8),
        end_day=np.full(count, NEVER_DAY),
        notice_us=np.full(count, -1),
        add_on_drop_us=np.full(count, -1),
        key_losses=np.zeros((count, weeks), np.uint8),
        grown=[],
        truth=[],
    )
    lost = np.zeros(count, np.uint8)
    as_of_weeks = set(world.as_of_weeks())
    for week in range(weeks + 1):
        on = np.flatnonzero((start_week < week) & (out.ending == STAYS))
        if week in as_of_weeks and week > 0:
            asked = on[spells.on_grid[on]]
            out.truth.append(
                (week, asked, churn_truth(world, week, spells, asked, out.health[asked, week - 1], number[asked]))
            )
        if week == weeks:
            break
        here = state[on]
        ways = exits(world, week, spells, on, renewal[on], start_week[on])
        pick = np.arange(len(on)), here
        lapse, notice, early = ways.at_renewal[pick], ways.by_notice[pick], ways.early[pick]
        draw = rng.random(len(on))
        lapses, gives, quits = draw < lapse, draw < notice, draw < early
        free = lapses & (rng.random(len(on)) < p.FREE_SHARE)
        said = (
            world.week_us(np.full(len(on), week))
            + rng.integers(0, 7, len(on)) * DAY_US
            + office_seconds(rng, len(on)) * SECOND_US
        )
        out.ending[on] = np.select([free, lapses, gives, quits], [FREE, LAPSE, NOTICE, EARLY], STAYS)
        out.notice_us[on] = np.where(gives | quits, said, -1)
        leaves = lapses | gives
        out.end_day[on[leaves]] = renewal[on[leaves]]
        out.end_day[on[quits]] = said[quits] // DAY_US + p.EARLY_EXIT_DAYS

        renewed = on[~lapses & (renewal[on] // 7 - world.first_week == week)]
        number[renewed] += 1
        renewal[renewed] = renewal_day(start_day[renewed], spells.term[renewed], number[renewed])

        there = np.flatnonzero((start_week <= week) & (out.end_day > (world.first_week + week) * 7))
        _seats(
            world,
            rng,
            week,
            spells,
            out,
            seats,
            state,
            there[(start_week[there] < week) & (out.ending[there] == STAYS)],
        )
        gone = there[rng.random(len(there)) < chance(p.KEY_USER_LOSS_RATE)[state[there]]]
        lost[gone] += 1
        out.health[there, week], out.seats[there, week], out.key_losses[there, week] = (
            state[there],
            seats[there],
            lost[there],
        )
        state[there] = step(rng, state[there], health_step(world, week))
    return out


def _seats(
    world: World,
    rng: np.random.Generator,
    week: int,
    spells: Spells,
    out: Histories,
    seats: Array,
    state: Array,
    on: Array,
) -> None:
    """Expansions and contractions of the week, and add-ons that are given up."""
    here, draw = state[on], rng.random((4, len(on)))
    moment = world.week_us(np.full(len(on), week)) + (draw[0] * 7 * 86_400).astype(np.int64) * SECOND_US
    up, down = draw[1] < chance(p.EXPANSION_RATE)[here], draw[2] > 1.0 - chance(p.CONTRACTION_RATE)[here]
    size = 0.1 + 0.3 * draw[3]
    before = seats[on]
    after = np.where(up, np.ceil(before * (1 + size)), np.where(down, np.floor(before * (1 - size)), before))
    after = np.clip(after, 1, p.SEATS_MAX).astype(np.int32)
    changed = after != before
    seats[on] = after
    out.grown.append((on[changed], moment[changed], before[changed], after[changed]))
    drops = spells.add_on[on] & (out.add_on_drop_us[on] < 0) & (rng.random(len(on)) < chance(p.ADD_ON_DROP_RATE)[here])
    out.add_on_drop_us[on[drops]] = moment[drops]


def churn_truth(world: World, week: int, spells: Spells, asked: Array, previous: Array, number: Array) -> Floats:
    """P(the last paid contract ends within each horizon, and none begins within 30 days) given what is latent at `week`.

    Known are the health in the week before, the contract, and that no notice was given; products of weekly matrices
    carry the health on. An account that comes back soon does so whatever its health, with a contract of a year that
    cannot end inside any horizon: one factor.
    """
    start_day = spells.start_us[asked] // DAY_US
    start_week = np.asarray(world.week_of(spells.start_us[asked]))
    number = number.copy()
    renewal = renewal_day(start_day, spells.term[asked], number)
    today = (world.first_week + week) * 7
    alive = health_step(world, week - 1)[previous]
    found = np.zeros((len(asked), len(p.HORIZONS_DAYS)))
    for ahead in range(-(-max(p.HORIZONS_DAYS) // 7)):
        ways = exits(world, week + ahead, spells, asked, renewal, start_week)
        at_term = (alive * (ways.at_renewal + ways.by_notice)).sum(axis=1)
        early = (alive * ways.early).sum(axis=1)
        for column, horizon in enumerate(p.HORIZONS_DAYS):
            # An early notice falls on each day of its week alike, and the contract ends a fixed time after.
            days = min(max(horizon - p.EARLY_EXIT_DAYS - 7 * ahead, 0), 7)
            found[:, column] += at_term * (renewal - today < horizon) + early * (days / 7)
        alive = propagate(
            alive * (1.0 - ways.at_renewal - ways.by_notice - ways.early), health_step(world, week + ahead)
        )
        renews = renewal // 7 - world.first_week == week + ahead
        number[renews] += 1
        renewal[renews] = renewal_day(start_day[renews], spells.term[asked][renews], number[renews])
    return found * (1.0 - p.RETURN_SOON_CHANCE)


def returns(world: World, spells: Spells, past: Histories, stream: int) -> Spells | None:
    """The spells of those that come back: a few within 30 days, more after months, all for a year."""
    ended = np.flatnonzero(past.ending != STAYS)
    ended = ended[np.lexsort((spells.account[ended], past.end_day[ended]))]  # in order of time, as in `draw_accounts`

    def stream_of(what: str) -> np.random.Generator:
        return world.rng(f"returns {what}", stream)

    draw = stream_of("chance").random(len(ended))
    soon_days = stream_of("soon").integers(2, 27, len(ended))
    later_days = stream_of("later").integers(45, 301, len(ended))
    soon = draw < p.RETURN_SOON_CHANCE
    back = soon | (draw < p.RETURN_SOON_CHANCE + p.RETURN_LATER_CHANCE)
    day = past.end_day[ended] + np.where(soon, soon_days, later_days)
    start = day * DAY_US + office_seconds(stream_of("clock"), len(ended)) * SECOND_US
    health = choose(stream_of("health"), p.FIRST_HEALTH, len(ended))
    auto = stream_of("auto").random(len(ended)) < p.AUTO_RENEW_SHARE
    keep = back & (start < world.end_us)
    chosen = ended[keep]
    if not len(chosen):
        return None
    last_week = np.clip((past.end_day[chosen] - 1) // 7 - world.first_week, 0, world.weeks - 1)
    return Spells(
        account=spells.account[chosen],
        start_us=start[keep],
        term=np.full(len(chosen), 2),
        auto_renew=auto[keep],
        discount=np.zeros(len(chosen)),
        seats_at_start=np.maximum(past.seats[chosen, last_week], 1),
        multiplier=spells.multiplier[chosen],
        add_on=np.zeros(len(chosen), bool),
        first_health=health[keep],
        on_grid=spells.on_grid[chosen],
    )


def joined(parts: list[Spells]) -> Spells:
    """The spells of several rounds as one."""
    return Spells(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in Spells.__dataclass_fields__}
    )


def joined_histories(parts: list[Histories]) -> Histories:
    """All rounds as one; positions of later rounds are shifted behind those of earlier ones."""
    shifts = np.cumsum([0, *(len(part.ending) for part in parts)])
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in Histories.__dataclass_fields__
        if name not in ("grown", "truth")
    }
    grown = [(a + shift, b, c, d) for part, shift in zip(parts, shifts, strict=False) for a, b, c, d in part.grown]
    truth = [(week, a + shift, b) for part, shift in zip(parts, shifts, strict=False) for week, a, b in part.truth]
    return Histories(**arrays, grown=grown, truth=truth)
