"""Churn: the last paid subscription ends inside the window and no paid one starts within 30 days.

A downgrade to free is churn, a contraction is not. From `churn_labels` when the source has it, else from the versions of
`subscriptions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.outcomes.amounts import yearly_revenue
from features.outcomes.eligibility import PAYING_ACCOUNTS
from features.outcomes.outcome import Outcome, Stake

if TYPE_CHECKING:
    import pandas as pd

    from features.outcomes.labels import Outcomes
    from features.outcomes.ready_labels import Denied
    from features.sources.source import Source


def read(source: Source) -> Outcomes:
    from features.kit.clock import DAY_US
    from features.outcomes.paid_spells import RETURN_DAYS, Departures, churn_events, contracts
    from features.outcomes.ready_labels import read_ready
    from features.outcomes.recorded import known_until, no_outcome, within_observed

    if source.has("churn_labels"):
        return read_ready(source, CHURN, _denied)
    if not source.has("subscriptions"):
        raise no_outcome(source, CHURN, "subscriptions (contracts with their end)")
    events, spells = churn_events(contracts(source))
    until, notes = known_until(source, "subscriptions")
    events = within_observed(source, events, until)
    return Departures("account", "subscriptions", events, None, until, RETURN_DAYS * DAY_US, notes, spells=spells)


def _denied(source: Source, positives: pd.DataFrame) -> Denied | None:
    """Departures that contracts deny: a paid contract runs on for more than 30 days (undated ones: at the end of the
    data)."""
    import pandas as pd

    from features.kit.clock import DAY_US, FOREVER_US
    from features.outcomes.paid_spells import RETURN_DAYS, churn_events, contracts
    from features.outcomes.ready_labels import Denied

    if not source.has("subscriptions"):
        return None
    _, spells = churn_events(contracts(source))
    dated = positives["time_us"] if "time_us" in positives else pd.Series(FOREVER_US, positives.index)
    left = positives.assign(time_us=dated.where(dated < FOREVER_US, source.observed.last_us))
    both = left.reset_index().merge(spells, on="entity_id")
    begun = both[both["start_us"] <= both["time_us"]]
    return Denied(
        (begun["end_us"] > begun["time_us"] + RETURN_DAYS * DAY_US).groupby(begun["index"]).any(),
        "a paid contract runs on for more than 30 days after it",
        "departures",
        "leave out churn_labels.sql: the outcome is then read from subscriptions",
    )


CHURN = Outcome(
    name="churn",
    entity="account",
    verb="left",
    flag="churned",
    horizon_days=90,
    sign=-1,
    tables=("churn_labels", "subscriptions"),
    labels="churn_labels",
    not_eligible=PAYING_ACCOUNTS,
    read=read,
    stake=Stake("accounts most at risk", "revenue at risk", yearly_revenue, is_loss=True),
    told_as={"churned": True},
)
