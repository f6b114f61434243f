"""Monthly recurring revenue over time, and whether it grew by a tenth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from features.kit.clock import FOREVER_US
from features.outcomes.labels import NEVER_US, Outcomes


@dataclass(frozen=True)
class RecurringRevenue(Outcomes):
    """Judged at the end of the window, by what is paid then against what was paid at `as_of`; `events` are all rises."""

    levels: pd.DataFrame | None = None
    """entity_id, time_us, cents: what all contracts together pay a month from that moment on; sorted by time."""

    def happened(self, ids: pd.Series, as_of_us: np.ndarray, horizon_us: int) -> np.ndarray:
        """1.0 at least a tenth more is paid at the end; 0.0 less than that, or nothing; NaN where nothing was paid at `as_of`."""
        before, after = self.paid(ids, as_of_us), self.paid(ids, as_of_us + horizon_us)
        y = _has_grown(before, after).astype(np.float64)
        y[before == 0] = np.nan
        return y

    def came_at(self, ids: pd.Series, as_of_us: np.ndarray) -> np.ndarray:
        """The first moment from `as_of` on at which at least a tenth more was paid than then; it may have fallen since."""
        assert self.levels is not None
        rows = pd.DataFrame({"entity_id": ids.to_numpy(), "as_of_us": as_of_us, "before": self.paid(ids, as_of_us)})
        steps = rows[rows["before"] > 0].reset_index(names="row").merge(self.levels, on="entity_id")
        grown = steps[(steps["time_us"] >= steps["as_of_us"]) & _has_grown(steps["before"], steps["cents"])]
        return grown.groupby("row")["time_us"].min().reindex(rows.index, fill_value=NEVER_US).to_numpy(dtype=np.int64)

    def until(self, now_us: int) -> RecurringRevenue:
        assert self.levels is not None
        found = super().until(now_us)
        assert isinstance(found, RecurringRevenue)
        return replace(found, levels=self.levels[self.levels["time_us"] < now_us])

    def paid(self, ids: pd.Series, at_us: np.ndarray) -> np.ndarray:
        """(n,) int64 cents a month as they stand just before each moment; 0 without a paid contract."""
        assert self.levels is not None
        asked = pd.DataFrame({"entity_id": ids.to_numpy(), "time_us": at_us}).sort_values("time_us", kind="stable")
        found = pd.merge_asof(asked, self.levels, on="time_us", by="entity_id", allow_exact_matches=False)
        cents = np.zeros(len(asked), np.int64)
        cents[asked.index] = found["cents"].fillna(0).to_numpy(dtype=np.int64)
        return cents


def revenue_levels(paid: pd.DataFrame) -> pd.DataFrame:
    """Levels of `RecurringRevenue` from the versions that are paid for (`paid_spells.paid_versions`)."""
    cents = np.rint(100 * paid["mrr"]).astype(np.int64)
    begins = pd.DataFrame({"entity_id": paid["entity_id"], "time_us": paid["start_us"], "cents": cents})
    ends = pd.DataFrame({"entity_id": paid["entity_id"], "time_us": paid["end_us"], "cents": -cents})
    moves = pd.concat([begins, ends[ends["time_us"] < FOREVER_US]])
    moves = moves.groupby(["entity_id", "time_us"], sort=True)[["cents"]].sum().reset_index()
    moves["cents"] = moves.groupby("entity_id", sort=False)["cents"].cumsum()
    return moves.sort_values("time_us", kind="stable").reset_index(drop=True)


def rises(levels: pd.DataFrame) -> pd.DataFrame:
    """entity_id and time_us of every moment at which an account that paid began to pay more, sorted by both."""
    before = levels.groupby("entity_id", sort=False)["cents"].shift(1)
    more = levels[(before > 0) & (levels["cents"] > before)]
    return more[["entity_id", "time_us"]].sort_values(["entity_id", "time_us"]).reset_index(drop=True)


def _has_grown(before: pd.Series | np.ndarray, after: pd.Series | np.ndarray) -> np.ndarray:
    """By at least a tenth, in whole cents: exactly a tenth counts."""
    return np.asarray(10 * after >= 11 * before)
