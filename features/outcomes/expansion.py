"""Expansion: recurring revenue at the end of the window is at least 10 % above that at `as_of`.

What all contracts of the account pay a month together, as they stand at each of the two moments: a second contract counts, and
a rise that was taken back before the end does not. One that left has not grown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from features.outcomes.amounts import yearly_revenue
from features.outcomes.eligibility import PAYING_ACCOUNTS
from features.outcomes.outcome import Outcome, Stake

if TYPE_CHECKING:
    from features.outcomes.labels import Outcomes
    from features.sources.source import Source


def read(source: Source) -> Outcomes:
    from features.outcomes.paid_spells import contracts, paid_versions
    from features.outcomes.recorded import known_until, no_outcome, within_observed
    from features.outcomes.recurring_revenue import RecurringRevenue, revenue_levels, rises

    if not source.has("subscriptions"):
        raise no_outcome(source, EXPANSION, "subscriptions (what contracts pay, change by change)")
    levels = revenue_levels(paid_versions(contracts(source)))
    until, notes = known_until(source, "subscriptions")
    events = within_observed(source, rises(levels), until)
    return RecurringRevenue("account", "subscriptions", events, None, until, 0, notes, levels=levels)


_DETAILS = {
    "not_customer": "The account has no active paid subscription, so there is none that could grow.",
    "already_leaving": "The account gave notice of leaving before this moment: it is not about to grow.",
}

EXPANSION = Outcome(
    name="expansion",
    entity="account",
    verb="expanded",
    flag="expanded",
    horizon_days=90,
    sign=1,
    tables=("subscriptions",),
    not_eligible=tuple(replace(each, detail=_DETAILS.get(each.code, each.detail)) for each in PAYING_ACCOUNTS),
    read=read,
    stake=Stake("accounts most likely to grow", "revenue that may grow", yearly_revenue),
)
