"""The description of a signal: name, unit, window, texts. How it is computed is in `definition.py`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, get_args

Entity = Literal["account", "lead"]
Theme = Literal["firmographic", "acquisition", "engagement", "usage", "commercial", "support", "billing", "custom"]
Unit = Literal[
    "category",  # a text out of a vocabulary
    "flag",  # 0 or 1
    "count",  # whole number of things or people
    "days",
    "hours",
    "months",
    "years",
    "share",  # ratio, 0 to 1 unless the signal says otherwise; people read per cent
    "change",  # relative change, -1 (all gone) to 1 (from nothing): (new - old) / max(new, old)
    "money",  # in the source's currency, whole units
    "rate",  # number per something that the label names
    "points",  # a scale that the label names
]
THEMES: tuple[Theme, ...] = get_args(Theme)
UNITS: tuple[Unit, ...] = get_args(Unit)
FIT_THEMES: tuple[Theme, ...] = ("firmographic", "custom")
"""Who an account or a lead is; the other themes are what it does (intent). The two axes that people who read lead scores
know (HubSpot types its groups FIT or INTENT)."""


@dataclass(frozen=True)
class Phrase:
    """What a salesperson reads. `{value}` is the value formatted by its unit, `{size}` the same without its sign, `{rise}` how
    much a relative change (unit `change`) is of what was there before.

    `some` is required; `zero` and `negative` are used for such values when given, `one` for a value that reads 1, `missing`
    when there is none.
    """

    some: str
    zero: str | None = None
    negative: str | None = None
    missing: str | None = None
    one: str | None = None
    like: str | None = None
    """What entities with such a value have in common, the value being a range: `that used {value} features`. Without it they
    are those "where" the sentence is true."""
    like_negative: str | None = None
    pair: str | None = None
    """For a comparison whose newer side is the signal `beside`: `{new}` and `{old}` name both sides."""
    beside: str | None = None


@dataclass(frozen=True)
class Signal:
    """One named input of a model."""

    name: str
    """Subject, measure, window: `active_users_28d`."""
    theme: Theme
    unit: Unit
    window: str
    """Half-open, in words that a machine can check: `[as_of - 28 d, as_of)`, or `before as_of`."""
    missing: str
    """What a missing value means."""
    label: str
    """A noun phrase for tables and charts: `active users in the last 28 days`."""
    phrase: Phrase
    entities: tuple[Entity, ...] = ("account",)
    tables: tuple[str, ...] = field(default=())
    """Canonical tables that must be there for the signal to be offered."""
    good: Literal[-1, 0, 1] = 0
    """+1: more of it is known to be good for the relationship, -1: bad, 0: not known."""
    by_clock: bool = False
    """True when the value moves by the passing of time alone, without a new row."""
    decimal: Literal[".", ","] = "."
    """Of a flat file's column: the decimal mark of texts that could be read either way, such as 1,234."""
    topic: str = ""
    """What it is about: signals of one topic say the same, and one reason speaks for them. Empty for the name without its
    window (`topic_of`)."""

    @property
    def about(self) -> str:
        """The topic."""
        return self.topic or topic_of(self.name)

    @property
    def is_category(self) -> bool:
        return self.unit == "category"


_WINDOW = re.compile(
    r"(?:^|_)(?:last|past|prev|previous|trailing|l|p)?_?\d+_?(?:d|days?|w|wks?|weeks?|m|mo|months?|q|quarters?|y|yrs?|years?|h|hrs?|hours?)(?=_|$)"
)


def topic_of(name: str) -> str:
    """A signal's name without its window: what signals of one measure share.

    >>> topic_of("active_users_28d"), topic_of("logins_last_30_days"), topic_of("l3m_spend"), topic_of("top_10"), topic_of("7d")
    ('active_users', 'logins', 'spend', 'top_10', '7d')
    """
    return _WINDOW.sub("", name.lower()).strip("_") or name


FIXED = ("entity_id", "as_of", "eligibility", "value")
"""The columns of a panel that are no signals; built for several outcomes it has an `eligibility:NAME` for each further one."""


def is_signal_column(name: str) -> bool:
    """Whether a column of a panel is a signal.

    >>> [is_signal_column(name) for name in ("plan", "value", "eligibility:expansion")]
    [True, False, False]
    """
    return name not in FIXED and not name.startswith("eligibility:")
