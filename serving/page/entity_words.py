"""What the page of an account or a lead says: numbers of a score in words, values of signals, effects as factors of the odds."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

from features.signals.signal import Signal
from features.sources.schema import ENTITIES
from models.scorer.amounts import amount
from models.scorer.sentences import capital, is_missing, shown
from serving.page.formats import MISSING

Value = float | int | bool | str | None
_AFTER = {"days": "day", "hours": "hour", "months": "month", "years": "year"}
CAUSES = {
    "batch": "nightly run",
    "webhook": "change in the CRM",
    "request": "asked for",
    "backfill": "backlog",
    "what_if": "what if",
}
"""Why a score was made, by the `cause` of its decision record."""
PARTS = {
    "data": "what was learnt since",
    "time": "the passing of time",
    "unsplit": "what was learnt since, and time",
    "version": "a new version of the model",
    "thresholds": "another population to compare with",
}
"""What moved a score, by the parts of `serving.score_change`."""
SHORT_PARTS = {"data": "news", "time": "time", "unsplit": "news and time"}
PEOPLE = (
    "contacts_known",
    "departments_known",
    "senior_contacts",
    "has_decision_maker",
    "contacts_left_share",
    "department",
    "seniority",
    "company_contacts_known",
    "company_departments_known",
    "company_senior_contacts",
    "company_has_decision_maker",
)
"""Signals about people, in the order of the page."""
CONTRACT = (
    "mrr",
    "paid_seats",
    "paid_contracts",
    "paid_products",
    "tenure_days",
    "term_months",
    "renews_automatically",
    "discount_share",
    "open_deals",
    "open_deal_amount",
)
"""Signals about contracts."""


def ordinal(number: int) -> str:
    """
    >>> [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 94, 100)]
    ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '94th', '100th']
    """
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def odds(effect: float) -> str:
    """An effect on the log-odds as what it does to the odds.

    >>> odds(0.81), odds(-0.81), odds(0.04), odds(-3.0), odds(0.0)
    ('× 2.2', '÷ 2.2', '× 1.04', '÷ 20', '× 1')
    """
    factor = math.exp(min(abs(effect), 20.0))
    said = f"{factor:.2f}" if factor < 1.095 else f"{factor:.1f}" if factor < 9.95 else f"{factor:,.0f}"
    return f"{'÷' if effect < 0 and said != '1.00' else '×'} {'1' if said == '1.00' else said}"


def value_text(unit: str, value: Value, money: Callable[[float | None], str]) -> str:
    """The value of a signal as people read it.

    >>> [value_text(unit, value, "${:,.0f}".format) for unit, value in
    ...     (("share", 0.42), ("days", 41.0), ("days", 1.0), ("flag", 1.0), ("category", "cold_outreach"), ("money", 716.8), ("count", None))]
    ['42 %', '41 days', '1 day', 'yes', 'cold outreach', '$717', '–']
    """
    if is_missing(value):
        return MISSING
    if isinstance(value, str):
        return shown(value)
    assert value is not None
    number = float(value)
    if unit == "flag":
        return "yes" if number else "no"
    if unit == "money":
        return money(number)
    said = amount(number, unit)
    if unit not in _AFTER:
        return said
    return f"{said} {_AFTER[unit]}{'' if said in ('1', '-1', 'less than 1') else 's'}"


def label_of(name: str, label: str | None = None) -> str:
    """
    >>> label_of("active_users_28d", "active users in the last 28 days"), label_of("own_column")
    ('Active users in the last 28 days', 'Own column')
    """
    return capital(label or name.replace("_", " "))


@cache
def catalog(entity: str) -> dict[str, Signal]:
    """The signals of the catalog by name, with the tables that each is read from."""
    from features.signals.catalog import definitions  # brings narwhals: a tenth of a second, once

    return {each.signal.name: each.signal for each in definitions("lead" if entity == "lead" else "account")}


def tables_of(entity: str, name: str, theme: str) -> str:
    """The tables that a signal is read from.

    >>> tables_of("account", "contacts_known", "firmographic"), tables_of("lead", "own_column", "custom")
    ('contacts', 'leads')
    """
    known = catalog(entity).get(name) if theme != "custom" else None
    if known is not None:
        return ", ".join(known.tables)
    return ENTITIES["lead" if entity == "lead" else "account"] if theme == "custom" else MISSING
