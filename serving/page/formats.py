"""Numbers, money and moments as people read them. What is missing is an en dash."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

MISSING = "–"
DATES = {"iso": "%Y-%m-%d", "day-first": "%d.%m.%Y", "month-first": "%m/%d/%Y"}
"""How a date is written, by the setting `ACCOUNTSCORE_PAGE_DATES`."""
SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}


@dataclass(frozen=True)
class Formats:
    """How one installation writes dates and money.

    >>> formats = Formats("USD", "iso", "UTC")
    >>> formats.money(48000), formats.money(-1250.4), formats.money(None)
    ('$48,000', '-$1,250', '–')
    >>> formats.date("2026-11-23T06:00:00Z"), formats.moment("2026-11-23T06:00:00Z")
    ('2026-11-23', '2026-11-23 06:00')
    """

    currency: str = "USD"
    """ISO 4217."""
    dates: str = "iso"
    """One of `DATES`."""
    zone: str = "UTC"
    """Of the IANA list, such as Europe/Berlin."""

    def money(self, amount: float | None) -> str:
        """An amount in whole currency units."""
        if amount is None:
            return MISSING
        sign, said = "-" if amount <= -0.5 else "", f"{abs(amount):,.0f}"
        return f"{sign}{SIGNS[self.currency]}{said}" if self.currency in SIGNS else f"{sign}{said} {self.currency}"

    def date(self, moment: str | None) -> str:
        """The day of an ISO 8601 moment, in the zone of the page; of a plain date, that date."""
        found = self._local(moment)
        return MISSING if found is None else found.strftime(DATES[self.dates])

    def moment(self, moment: str | None) -> str:
        """Day and minute of an ISO 8601 moment, in the zone of the page."""
        found = self._local(moment)
        return MISSING if found is None else found.strftime(f"{DATES[self.dates]} %H:%M")

    def _local(self, moment: str | None) -> dt.datetime | None:
        if not moment:
            return None
        found = dt.datetime.fromisoformat(moment)
        if len(moment) <= 10:  # a date is the same everywhere
            return found
        found = found if found.tzinfo else found.replace(tzinfo=dt.UTC)
        return found.astimezone(ZoneInfo(self.zone))


def percent(share: float | None) -> str:
    """A share of 0 to 1.

    >>> percent(0.4231), percent(0.0612), percent(0.0004), percent(0.0), percent(1.0), percent(None)
    ('42 %', '6.1 %', 'under 0.1 %', '0 %', '100 %', '–')
    """
    if share is None:
        return MISSING
    if 0 < share < 0.001:
        return "under 0.1 %"
    if 0.999 < share < 1:
        return "over 99.9 %"
    return f"{100 * share:.0f} %" if share >= 0.0995 or share == 0 else f"{100 * share:.1f} %"


def number(value: float | None) -> str:
    """A count or a measured number, with as many digits as matter.

    >>> number(12345), number(0.1234), number(3.0), number(None)
    ('12,345', '0.123', '3', '–')
    """
    if value is None:
        return MISSING
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"


def points(change: int | None) -> str:
    """Difference of two scores.

    >>> points(12), points(-3), points(0), points(None)
    ('+12', '−3', '0', '–')
    """
    if change is None:
        return MISSING
    return f"+{change}" if change > 0 else f"−{-change}" if change < 0 else "0"


def count(number_of: int, one: str, more: str | None = None) -> str:
    """
    >>> count(1, "account"), count(2, "account"), count(0, "reply", "replies")
    ('1 account', '2 accounts', '0 replies')
    """
    return f"{number_of:,} {one if number_of == 1 else more or one + 's'}"


def duration(seconds: float | None) -> str:
    """How long something took, in the two largest units that matter.

    >>> duration(0.04), duration(11.1), duration(131.5), duration(7300), duration(200000), duration(None)
    ('under 1 s', '11 s', '2 min 11 s', '2 h 1 min', '2 d 7 h', '–')
    """
    if seconds is None:
        return MISSING
    if seconds < 1:
        return "under 1 s"
    whole = int(seconds)
    for unit, size, below, of_below in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // of_below
            return f"{whole // size} {unit}" + (f" {rest} {below}" if rest else "")
    return f"{whole} s"


def age(seconds: float | None) -> str:
    """How long ago something was, in its largest unit.

    >>> age(20), age(131.5), age(7300), age(200000), age(None)
    ('under 1 min', '2 min', '2 h', '2 d', '–')
    """
    if seconds is None:
        return MISSING
    return "under 1 min" if seconds < 60 else " ".join(duration(seconds).split()[:2])


def expected(number_of: float | None) -> str:
    """A sum of probabilities: as many digits as it is worth.

    >>> expected(54.61), expected(1529.8), expected(0.04), expected(0.0), expected(None)
    ('54.6', '1,530', 'under 0.1', '0', '–')
    """
    if number_of is None:
        return MISSING
    if 0 < number_of < 0.05:
        return "under 0.1"
    return f"{number_of:,.0f}" if number_of >= 99.95 or number_of == 0 else f"{number_of:.1f}"
