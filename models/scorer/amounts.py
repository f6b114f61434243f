"""Numbers and ranges as people write them."""

from __future__ import annotations

import math
from collections.abc import Callable

PERCENT = ("share", "change")
"""Units that are shown as percent."""
WHOLE = ("count", "days", "months", "years", "flag")
"""Units that are shown without decimals."""
TINY = 5e-324
"""The least number above 0: where the bin of exactly 0 ends."""


def amount(number: float, unit: str) -> str:
    """A number as people write it; what is not 0 never reads as 0.

    >>> amount(0.42, "share"), amount(17760.0, "money"), amount(2.25, "rate"), amount(41.0, "days"), amount(0.3, "days")
    ('42 %', '17,760', '2.2', '41', 'less than 1')
    """
    return writer_of(unit)(number)


def writer_of(unit: str) -> Callable[[float], str]:
    """`amount` of one unit."""
    return WRITERS.get(unit, _plain)


def rise(change: float) -> float:
    """The rise as a share of the old value, from a change above 0 that is measured against the new one: (new - old) / new.

    Infinite when the old value is 0.

    >>> rise(0.5), rise(0.75)
    (1.0, 3.0)
    """
    return change / (1.0 - change) if change < 1 else math.inf


def span(low: float | None, high: float | None, unit: str, whole: bool) -> str:
    """The numbers low <= x < high; None is no bound. `whole` when there are only whole numbers.

    >>> span(2.0, 5.0, "count", True), span(3.0, 4.0, "count", True), span(None, 3.0, "count", True), span(0.0, 1.0, "count", True)
    ('2 to 4', '3', 'at most 2', 'no')
    >>> span(0.2, 0.35, "share", False), span(0.9, None, "share", False), span(None, 100.0, "money", False)
    ('20 to 35 %', '90 % or more', 'at most 100')
    """
    if whole:
        most = None if high is None else high - 1
        if low is not None and low == most:
            return (
                ("no" if unit == "count" else "less than 1" if unit == "days" else "0") if low == 0 else _at(low, unit)
            )
        if most is None or most == math.inf:
            return f"{_at(low or 0.0, unit)} or more"
        if low is None:
            return (
                f"at most {_at(most, unit)}"
                if most
                else "no"
                if unit == "count"
                else "less than 1"
                if unit == "days"
                else "0"
            )
        return f"{_at(low, unit)} to {_at(most, unit)}"
    if high is None or high == math.inf:
        return "more than 0" if low is not None and 0 <= low <= TINY else f"{_at(low or 0.0, unit)} or more"
    if high <= TINY:
        return amount(0.0, unit)
    if low is None or low <= TINY:
        return f"at most {_at(high, unit)}"  # a number just below is shown with the digits of the bound
    first, last = _at(low, unit), _at(high, unit)
    if first == last:
        return f"about {first}"
    return f"{first.removesuffix(' %')} to {last}" if last.endswith(" %") else f"{first} to {last}"


def _at(number: float, unit: str) -> str:
    return amount(number, unit).removeprefix("less than ")


def _percent(number: float) -> str:
    percent = 100 * number
    if abs(percent) >= 1 or percent == 0:
        return f"{percent:,.0f} %"
    return f"{percent:.1f} %" if abs(percent) >= 0.05 else _least(percent, "0.1 %")


def _whole(number: float) -> str:
    return f"{number:,.0f}" if abs(number) > 0.5 or number == 0 else _least(number, "1")


def _money(number: float) -> str:
    if abs(number) >= 100:
        return f"{number:,.0f}"
    if number == 0:
        return "0"
    return f"{number:,.2f}" if abs(number) > 0.005 else _least(number, "0.01")


def _plain(number: float) -> str:
    if abs(number) >= 100 or number == int(number):
        return f"{number:,.0f}"
    return f"{number:,.1f}" if abs(number) > 0.05 else _least(number, "0.1")


def _least(number: float, least: str) -> str:
    """Instead of a number that would round to 0."""
    return f"less than {least}" if number > 0 else f"more than -{least}"


WRITERS: dict[str, Callable[[float], str]] = {
    **dict.fromkeys(PERCENT, _percent),
    **dict.fromkeys(WHOLE, _whole),
    "money": _money,
}
