"""The reasons for having no score, with their codes and texts. Each outcome lists those that apply to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features.outcomes.outcome import NotEligible

if TYPE_CHECKING:
    import narwhals as nw

    from features.signals.aggregations import State, Wanted

COMPANY_BOUGHT = "company_bought"
"""A column that the panel adds for every lead: above 0 when its company is known to have bought before `as_of`."""

OUTCOME_TOLD = "outcome_told"
"""A column that the panel adds where notes tell outcomes: above 0 when one of the entity was told before `as_of`."""


def _state(name: str, table: str, column: str, values: list[Any] | None = None) -> State:
    """1 where a column of the entity's own table is true, or one of `values`."""
    import narwhals as nw

    from features.signals.aggregations import State, where

    def value() -> nw.Expr:
        return where(nw.col(column) if values is None else nw.col(column).is_in(values))

    return State(name, table, value=value, how="max")


def _opted_out(table: str) -> NotEligible:
    return NotEligible(
        "opted_out",
        "objected to being scored",
        "The person or company objected to scoring.",
        lambda get: get(_state("is_opted_out", table, "opted_out")) > 0,
    )


def _not_paying(get: Wanted) -> nw.Expr:
    from features.signals.commercial import mrr

    return get(mrr) <= 0


def _gave_notice(get: Wanted) -> nw.Expr:
    from features.signals.commercial import notices

    return get(notices) > 0


def _company_bought(get: Wanted) -> nw.Expr:
    import narwhals as nw

    return nw.col(COMPANY_BOUGHT) > 0


def _outcome_told(get: Wanted) -> nw.Expr:
    import narwhals as nw

    return nw.col(OUTCOME_TOLD).fill_null(0) > 0


_TOLD = NotEligible(
    "outcome_told",
    "of whom people or the CRM had told the outcome before",
    "People or the CRM told before this moment what became of it: the outcome is known.",
    _outcome_told,
    of_notes=True,
)

PAYING_ACCOUNTS = (
    _opted_out("accounts"),
    NotEligible(
        "internal",
        "our own, test or competitors' accounts",
        "The account is internal, a test or a competitor.",
        lambda get: get(_state("is_internal", "accounts", "kind", ["internal", "test", "competitor"])) > 0,
    ),
    NotEligible(
        "not_customer",
        "without an active paid subscription then",
        "The account has no active paid subscription, so there is none that could end.",
        _not_paying,
        "subscriptions",
    ),
    NotEligible(
        "already_leaving",
        "gave notice before, so that there is nothing to predict",
        "The account gave notice of leaving before this moment: the outcome is known.",
        _gave_notice,
        "subscriptions",
    ),
    _TOLD,
)
"""Leaves accounts that pay, without notice of leaving, that are nobody's own and did not object."""

OPEN_LEADS = (
    _opted_out("leads"),
    NotEligible(
        "closed",
        "won, lost or disqualified before",
        "The lead is converted or disqualified: the outcome is known.",
        lambda get: get(_state("is_closed", "leads", "status", ["converted", "disqualified"])) > 0,
    ),
    NotEligible(
        "already_customer",
        "their company had won a deal or paid for a contract before",
        "The lead's company has a won deal or a paid contract already: there is nothing left to win.",
        _company_bought,
    ),
    _TOLD,
)
"""Leaves leads that are open, whose company has not bought yet and who did not object."""
