"""Conversion: the lead's company wins an opportunity or starts to pay inside the window.

From `lead_labels` when the source has it, else from `opportunities` and `subscriptions`, by `account_id`, or by mail domain when
it is not a free mail provider's and belongs to exactly one account. A company buys once: one that had bought before `as_of`,
without our knowing, can no more be won.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.outcomes.amounts import open_deals
from features.outcomes.eligibility import OPEN_LEADS
from features.outcomes.outcome import Outcome, Stake

if TYPE_CHECKING:
    import pandas as pd

    from features.outcomes.labels import Outcomes
    from features.outcomes.ready_labels import Denied
    from features.sources.source import Source


def read(source: Source) -> Outcomes:
    import pandas as pd

    from features.outcomes.labels import Outcomes
    from features.outcomes.paid_spells import churn_events, contracts
    from features.outcomes.ready_labels import read_ready
    from features.outcomes.recorded import frame_of, known_until, no_outcome, within_observed

    if source.has("lead_labels"):
        return read_ready(source, CONVERSION, _denied, once=True)
    origins = [t for t in ("opportunities", "subscriptions") if source.has(t)]
    if not origins:
        raise no_outcome(source, CONVERSION, "opportunities (won deals) or subscriptions")
    company = lead_companies(source)
    parts: list[pd.DataFrame] = []
    by_account: list[pd.DataFrame] = []
    if source.has("opportunities"):
        wanted = ["opportunity_id", "account_id", "lead_id", "event_time", "known_time", "status"]
        deals = frame_of(
            source.arrow(
                "opportunities",
                [c for c in wanted if source.has("opportunities", c) or c == "known_time"],
                seen=True,
            )
        )
        won = (
            deals[deals["status"] == "won"]
            .sort_values(["time_us", "known_us"], kind="stable")
            .drop_duplicates("opportunity_id")
        )
        if "lead_id" in won:
            parts.append(
                won.dropna(subset="lead_id").rename(columns={"lead_id": "entity_id"})[["entity_id", "time_us"]]
            )
        if "account_id" in won:
            by_account.append(won.dropna(subset="account_id")[["account_id", "time_us"]])
    if source.has("subscriptions"):
        _, spells = churn_events(contracts(source))
        by_account.append(
            spells.rename(columns={"entity_id": "account_id", "start_us": "time_us"})[["account_id", "time_us"]]
        )
    for dated in by_account:
        joined = company.rename("account_id").reset_index().merge(dated, on="account_id", how="inner")
        parts.append(joined[["entity_id", "time_us"]])
    events = pd.concat(parts).drop_duplicates().sort_values(["entity_id", "time_us"]).reset_index(drop=True)
    until, notes = known_until(source, *origins)
    return Outcomes(
        "lead", " and ".join(origins), within_observed(source, events, until), None, until, 0, notes, once=True
    )


def _denied(source: Source, positives: pd.DataFrame) -> Denied | None:
    """Conversions that deals deny: every deal of the lead was lost."""
    from features.outcomes.ready_labels import Denied

    if not source.has("opportunities", "lead_id"):
        return None
    deals = source.arrow("opportunities", ["lead_id", "status"], seen=True).to_pandas().dropna()
    settled = deals[deals["status"].isin(["won", "lost"])]
    lost = settled.groupby("lead_id")["status"].agg(lambda s: "won" not in set(s))
    return Denied(
        positives["entity_id"].map(lost).dropna().astype(bool),
        "every deal of the lead was lost",
        "conversions",
        "leave out lead_labels.sql: the outcome is then read from opportunities",
    )


def lead_companies(source: Source) -> pd.Series:
    """entity_id of a lead -> account_id of its company, by account_id, else by mail domain; unknown ones are left
    out."""
    import pandas as pd

    from features.signals.firmographic import FREE_MAIL

    wanted = [c for c in ("lead_id", "account_id", "email") if source.has("leads", c)]
    leads = (
        source.arrow("leads", [*wanted, "event_time"], seen=True).to_pandas().sort_values("event_time", kind="stable")
    )
    last = leads.groupby("lead_id", sort=True).last()
    found = last["account_id"] if "account_id" in last else pd.Series(None, index=last.index, dtype=object)
    if "email" in last and source.has("accounts", "domain"):
        accounts = source.arrow("accounts", ["account_id", "domain"], seen=True).to_pandas().dropna().drop_duplicates()
        accounts["domain"] = accounts["domain"].str.lower().str.strip()
        alone = accounts.groupby("domain")["account_id"].agg(["nunique", "first"])
        owner = alone.loc[(alone["nunique"] == 1) & ~alone.index.isin(FREE_MAIL), "first"]
        domain = last["email"].astype("string").str.lower().str.strip().str.rsplit("@", n=1).str[-1]
        found = found.where(found.notna(), domain.map(owner))
    return found.dropna().rename_axis("entity_id")


CONVERSION = Outcome(
    name="conversion",
    entity="lead",
    verb="became customers",
    flag="converted",
    horizon_days=60,
    sign=1,
    tables=("lead_labels", "opportunities", "subscriptions"),
    labels="lead_labels",
    not_eligible=OPEN_LEADS,
    read=read,
    stake=Stake("best leads", "expected value", open_deals),
    told_as={"won": True, "lost": False},
)
