"""What a list is worth in money: value found, gain of acting on the best, expected maximum profit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.definition import Acquisition, Growth, Model, Retention
from training import metrics
from training.metrics import Estimate, Metric, Ranking

TOP_DECILE = 0.10
PROFIT_RESAMPLES = 60
"""Of EMPA and EMPB, which take a pass each; their interval is the normal one (1.96 standard errors of these draws)."""


def money(definition: Model, value: np.ndarray) -> np.ndarray | None:
    """(n,) what each entity is worth when the outcome is turned (or brought about); None when nothing is known of it.

    `value` has NaN where it is not known: an account counts as the mean of the others, a lead as the mean contribution.
    """
    known = np.isfinite(value)
    if isinstance(definition.profit, Acquisition):
        return np.where(known, np.nan_to_num(value), definition.profit.contribution)
    if not known.any():
        return None
    filled = np.where(known, np.nan_to_num(value), value[known].mean())
    if isinstance(definition.profit, Growth):
        return filled * definition.profit.rise_share
    return filled * definition.profit.value_years if isinstance(definition.profit, Retention) else filled


def measures(
    definition: Model, y: np.ndarray, p: np.ndarray, group: np.ndarray, value: np.ndarray, seed: int = 0
) -> dict[str, Estimate]:
    """`empa` or `empb` per entity, in the currency of the source, and `value_found_top_decile`, 0 to 1, when there is value.

    The latter is the share of the value of those with the outcome (of churn: of the recurring revenue that was lost) that
    stood in the best tenth of the list.
    """
    worth = money(definition, value)
    if worth is None:
        return {}
    found: dict[str, Estimate] = {}
    name, profit = profit_of(definition, y, p, worth)
    if name:
        draws = metrics.resample(group, seed, {name: profit}, PROFIT_RESAMPLES)[name]
        once, error = metrics.point(profit, len(y)), float(np.nanstd(draws, ddof=1))
        found[name] = Estimate(once, once - 1.96 * error, once + 1.96 * error)
    if np.isfinite(value).any():
        metric = value_found(Ranking(y, p), np.nan_to_num(value), TOP_DECILE)
        draws = metrics.resample(group, seed, {"found": metric})["found"]
        found["value_found_top_decile"] = metrics.interval(metrics.point(metric, len(y)), draws)
    return found


def profit_of(definition: Model, y: np.ndarray, p: np.ndarray, worth: np.ndarray) -> tuple[str, Metric]:
    """The name of the model's expected maximum profit ("" without one) and the measure, per entity."""
    from empulse.metrics import empa_score, empb_score

    def each(rows: np.ndarray) -> float:
        if not 0 < y[rows].sum() < len(rows):
            return float("nan")
        if isinstance(definition.profit, Retention):
            terms = definition.profit
            total = empb_score(
                y[rows],
                p[rows],
                clv=worth[rows],
                alpha=terms.accept_alpha,
                beta=terms.accept_beta,
                incentive_fraction=terms.incentive_share,
                contact_cost=definition.contact_cost,
            )
            return float(total) / len(rows)
        assert isinstance(definition.profit, Acquisition)
        gain = definition.profit
        return float(
            empa_score(
                y[rows],
                p[rows],
                alpha=gain.contribution_alpha,
                beta=gain.contribution_beta,
                contact_cost=definition.contact_cost,
                sales_cost=gain.sales_cost,
                direct_selling=gain.direct_share,
                commission=gain.commission,
            )
        )

    def metric(weights: np.ndarray) -> np.ndarray:
        return np.array([each(np.repeat(np.arange(len(y)), w.astype(np.int64))) for w in weights])

    names = {Retention: "empb", Acquisition: "empa"}
    return names.get(type(definition.profit), "") if definition.profit else "", metric


def value_found(ranking: Ranking, value: np.ndarray, share: float) -> Metric:
    """Share of the value of all rows with the outcome that lies among the best `share` of the rows; ties count in part."""
    lost = value[ranking.order] * ranking.y

    def metric(weights: np.ndarray) -> np.ndarray:
        w = weights[:, ranking.order]
        hits = np.add.reduceat(w * lost, ranking.starts, axis=1)
        rows = np.add.reduceat(w, ranking.starts, axis=1)
        out = np.empty(len(w))
        for b in range(len(w)):
            seen, found = np.r_[0.0, np.cumsum(rows[b])], np.r_[0.0, np.cumsum(hits[b])]
            out[b] = np.interp(share * seen[-1], seen, found) / found[-1] if found[-1] > 0 else np.nan
        return out

    return metric


def at_capacity(
    definition: Model,
    y: np.ndarray,
    p: np.ndarray,
    group: np.ndarray,
    value: np.ndarray,
    capacity: float,
    seed: int = 0,
) -> Mapping[str, object] | None:
    """Money of acting on the best `capacity` of the list; None when no value is known.

    A gain is accept_rate * value of those with the outcome - contact_cost of everybody acted upon, for all judged rows:
    as the probabilities promise (`expected_gain_at_capacity`) and as it came (`gain_at_capacity`, with its interval).
    `worth_acting_share` is the share of the rows for which acting pays on its own by the probabilities.
    """
    worth = money(definition, value)
    if worth is None:
        return None
    accept = definition.profit.accept_rate if definition.profit else 1.0
    ranking = Ranking(y, p)
    hits, promised = (worth * y)[ranking.order], (worth * p)[ranking.order]
    taken = max(1, round(capacity * len(p)))
    cost = definition.contact_cost

    def gain(weights: np.ndarray) -> np.ndarray:
        w = weights[:, ranking.order]
        ends = np.cumsum(w, axis=1)
        inside = np.clip(capacity * ends[:, -1:] - (ends - w), 0.0, w)
        return np.asarray(inside @ (accept * hits) - cost * inside.sum(axis=1))

    draws = metrics.resample(group, seed, {"gain": gain})["gain"]
    total, found = float(hits.sum()), float(hits[:taken].sum())
    return {
        "with_outcome": round(total, 2),
        "found_at_capacity": round(found, 2),
        "share_found_at_capacity": round(found / total, 4) if total else 0.0,
        "expected_gain_at_capacity": round(accept * float(promised[:taken].sum()) - cost * taken, 2),
        "gain_at_capacity": metrics.interval(metrics.point(gain, len(y)), draws).as_dict(),
        "worth_acting_share": round(float(np.mean(accept * worth * p > cost)), 4),
        "contact_cost": cost,
        "accept_rate": round(accept, 4),
    }
