"""The true probability of each outcome, per entity that is eligible, as_of and horizon."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from features.simulate import buyers, customers
from features.simulate import parameters as p
from features.simulate.base import Array, World
from features.simulate.population import Accounts

SCHEMA = pa.schema(
    {
        "entity": pa.string(),
        "entity_id": pa.string(),
        "as_of": pa.timestamp("us", tz="UTC"),
        "horizon_days": pa.int64(),
        "probability": pa.float64(),
    }
)


def truth_table(
    world: World,
    accounts: Accounts,
    spells: customers.Spells,
    past: customers.Histories,
    leads: buyers.Leads,
    deals: buyers.Deals,
    lead_number: Array,
    texts: dict[str, pa.Array],
) -> pa.Table:
    """Probabilities of all entities that are eligible at each as_of, as far as a reader of the tables can know that."""
    order = np.argsort(leads.deal, kind="stable")
    lower = np.searchsorted(leads.deal[order], np.arange(len(deals.firm)))
    upper = np.searchsorted(leads.deal[order], np.arange(len(deals.firm)), side="right")
    pieces: list[pa.Table] = []

    def add(entity: str, names: pa.Array, as_of_us: int, chances: Array) -> None:
        for column, horizon in enumerate(p.HORIZONS_DAYS):
            size = len(names)
            pieces.append(
                pa.table(
                    {
                        "entity": pa.array([entity] * size, pa.string()),
                        "entity_id": names,
                        "as_of": pa.array(np.full(size, as_of_us + world.moved_us), SCHEMA.field("as_of").type),
                        "horizon_days": pa.array(np.full(size, horizon, np.int64)),
                        "probability": pa.array(chances[:, column]),
                    }
                )
            )

    moments: dict[int, list[tuple[Array, Array]]] = {}
    for week, chosen, chances in past.truth:
        as_of = int(world.week_us(np.array(week)))
        keep = accounts.opted_out_us[spells.account[chosen]] >= as_of
        moments.setdefault(as_of, []).append((spells.account[chosen[keep]], chances[keep]))
    for as_of, found in sorted(moments.items()):
        account, chances = np.concatenate([a for a, _ in found]), np.concatenate([c for _, c in found])
        by_id = np.argsort(account)
        add("account", texts["account_id"].take(pa.array(account[by_id])), as_of, chances[by_id])
    for week, chosen, chances in deals.truth:
        as_of = int(world.week_us(np.array(week)))
        many = upper[chosen] - lower[chosen]
        of = np.repeat(np.arange(len(chosen)), many)
        within_deal = np.arange(len(of)) - np.repeat(np.cumsum(many) - many, many)
        lead = order[lower[chosen][of] + within_deal]
        keep = (leads.known_us[lead] < as_of) & ~leads.opted_out[lead]
        lead, of = lead[keep], of[keep]
        by_id = np.argsort(lead_number[lead])
        add("lead", texts["lead_id"].take(pa.array(lead_number[lead[by_id]])), as_of, chances[of[by_id]])
    return pa.concat_tables([SCHEMA.empty_table(), *pieces])
