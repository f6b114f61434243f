"""Replaces negative recurring revenue in the versions of a contract: a credit was booked, and the monthly revenue is unchanged.

Taken literally, a month of -250 would read as a customer who pays nothing, and so as one who left.
"""

from __future__ import annotations


def without_credits(select: str) -> str:
    """SQL of the rows of `subscriptions` in which each version below 0 takes the recurring revenue of the contract's version before.

    That is the newest earlier version, not below 0, that was known when the credit was. Without one the revenue is 0.
    """
    return f"""
        WITH booked AS ({select}),
        credit AS (SELECT DISTINCT subscription_id, event_us, known_us FROM booked WHERE mrr < 0),
        before AS (
            SELECT credit.*, max_by(earlier.mrr, (earlier.event_us, earlier.known_us)) AS paid
            FROM credit JOIN booked AS earlier ON earlier.subscription_id = credit.subscription_id AND earlier.mrr >= 0
                AND earlier.event_us < credit.event_us AND earlier.known_us <= credit.known_us
            GROUP BY ALL
        )
        SELECT booked.* REPLACE (CASE WHEN booked.mrr < 0 THEN coalesce(before.paid, 0) ELSE booked.mrr END AS mrr)
        FROM booked LEFT JOIN before ON booked.mrr < 0 AND before.subscription_id = booked.subscription_id
            AND before.event_us = booked.event_us AND before.known_us = booked.known_us"""
