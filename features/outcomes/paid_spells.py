"""Paid spells of an account, from the versions of `subscriptions`: begin, end and amount."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from features.kit.clock import DAY_US, FOREVER_US
from features.outcomes.labels import NEVER_US, Outcomes, first_at_or_after
from features.outcomes.recorded import frame_of
from features.sources.source import Source

RETURN_DAYS = 30
"""A customer who pays again within so many days has not left."""
PAYING = ("active", "notice")
COLUMNS = ("subscription_id", "account_id", "event_time", "known_time", "status", "mrr")


@dataclass(frozen=True)
class Departures(Outcomes):
    """Churn: ends of paid spells. An account that was not paying at `as_of`, without our knowing, has no label."""

    spells: pd.DataFrame | None = None
    """entity_id, start_us, end_us of time paid for, returns within 30 days joined."""

    def happened(self, ids: pd.Series, as_of_us: np.ndarray, horizon_us: int) -> np.ndarray:
        y = super().happened(ids, as_of_us, horizon_us)
        assert self.spells is not None
        end = first_at_or_after(self.spells.rename(columns={"end_us": "time_us"}), ids, as_of_us)
        start = first_at_or_after(self.spells.rename(columns={"start_us": "time_us"}), ids, as_of_us)
        y[(end == NEVER_US) | (start <= end)] = np.nan
        return y

    def with_told(self, told: pd.DataFrame) -> Departures:
        """A spell that goes on by the source ends at the first departure told in it: what came after is not known."""
        found = super().with_told(told)
        assert isinstance(found, Departures)
        assert self.spells is not None
        going_on = self.spells[self.spells["end_us"] == FOREVER_US].reset_index()
        both = going_on.merge(told[["entity_id", "time_us"]], on="entity_id")
        first = both[both["time_us"] > both["start_us"]].groupby("index")["time_us"].min()
        if first.empty:
            return found
        spells = self.spells.copy()
        spells.loc[first.index, "end_us"] = first
        return replace(found, spells=spells)


def contracts(source: Source) -> pa.Table:
    """The versions of `subscriptions` that were observed."""
    return source.arrow("subscriptions", COLUMNS, seen=True)


def paid_versions(subscriptions: pa.Table) -> pd.DataFrame:
    """entity_id, start_us, end_us (FOREVER_US: it goes on) and mrr of each version that is paid for, sorted by the first three.

    Of two versions of one moment the later known one holds.
    """
    rows = frame_of(subscriptions)
    rows = rows.sort_values(["subscription_id", "time_us", "known_us"], kind="stable")
    rows = rows.drop_duplicates(["subscription_id", "time_us"], keep="last")
    following = rows.groupby("subscription_id", sort=False)["time_us"].shift(-1)
    rows["end_us"] = following.fillna(FOREVER_US).astype(np.int64)
    paid = rows[rows["status"].isin(PAYING) & (rows["mrr"] > 0)]
    paid = paid.rename(columns={"account_id": "entity_id", "time_us": "start_us"})
    paid = paid[["entity_id", "start_us", "end_us", "mrr"]]
    return paid.sort_values(["entity_id", "start_us", "end_us"], kind="stable").reset_index(drop=True)


def churn_events(subscriptions: pa.Table) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ends of paid time per account, and the paid spells, from the version rows of `subscriptions`.

    Spells of all contracts are joined when they touch or the next begins within 30 days of the end. Returns
    (entity_id, time_us) of the ends that came, and (entity_id, start_us, end_us) with FOREVER_US for those that go on.
    """
    paid = paid_versions(subscriptions)[["entity_id", "start_us", "end_us"]]
    if paid.empty:
        return pd.DataFrame({"entity_id": [], "time_us": np.empty(0, np.int64)}), paid
    reached = paid.groupby("entity_id", sort=False)["end_us"].cummax()
    before = reached.groupby(paid["entity_id"], sort=False).shift(1)
    new = before.isna() | (paid["start_us"] > before.fillna(0).astype(np.int64) + RETURN_DAYS * DAY_US)
    spells = paid.groupby([paid["entity_id"], new.cumsum().rename("spell")], sort=True).agg(
        start_us=("start_us", "min"), end_us=("end_us", "max")
    )
    spells = spells.reset_index()[["entity_id", "start_us", "end_us"]]
    ended = spells[spells["end_us"] < FOREVER_US]
    return ended.rename(columns={"end_us": "time_us"})[["entity_id", "time_us"]].reset_index(drop=True), spells
