"""Versions of a contract with negative recurring revenue: a credit was booked, and what is paid each month is as before.

Taken as it stands, a month of -250 would read as a customer who pays nothing, and so as one who left.
"""

from __future__ import annotations


def without_credits(select: str) -> str:
    """SQL of the rows of `subscriptions`, in which a version below 0 has the recurring revenue of the contract's version before it.

    The version before is the newest one, not below 0, that was known when the credit was; without one the revenue is 0.
    """
    return f"""
        WITH booked AS ({select})
        SELECT booked.* REPLACE (CASE WHEN booked.mrr < 0 THEN coalesce((
            SELECT max_by(earlier.mrr, (earlier.event_us, earlier.known_us)) FROM booked AS earlier
            WHERE earlier.subscription_id = booked.subscription_id AND earlier.mrr >= 0
                AND earlier.event_us < booked.event_us AND earlier.known_us <= booked.known_us
        ), 0) ELSE booked.mrr END AS mrr) FROM booked"""
