"""The money at stake, as known at `as_of`: an account's yearly recurring revenue, a lead's largest open deal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import narwhals as nw

    from features.signals.aggregations import Wanted
    from features.sources.source import Source


def yearly_revenue(get: Wanted, source: Source) -> nw.Expr | None:
    """Twelve times what an account pays a month; None without contracts."""
    from features.signals.commercial import mrr
    from features.signals.definition import money

    return money(12 * get(mrr)) if source.has("subscriptions") else None


def open_deals(get: Wanted, source: Source) -> nw.Expr | None:
    """The largest open deal of a lead, null when it has none; None where deals do not name their lead."""
    import narwhals as nw

    from features.signals.aggregations import State
    from features.signals.definition import money

    if not source.has("opportunities", "lead_id"):
        return None
    amount = State(
        "lead_amount",
        "opportunities",
        value=lambda: nw.when(nw.col("status") == "open").then(nw.col("amount")),
        how="max",
    )
    return money(get(amount))
