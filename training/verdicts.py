"""The verdict on a judged model: a code for machines and a sentence for people."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

SIGNAL, RULE = "signal", "better than one column"
"""Names of the two gates that have a verdict of their own."""
DOUBTED = ("enough labels", "audit")
"""Gates whose failure means that no figure can be trusted, that of the rule included."""


class Verdict(StrEnum):
    """The field `verdict_code` of every report of `fit`, `tune` and `fit-table`; only the first two may go live."""

    READY = "ready"
    READY_IF_NO_OVERLAP = "ready_if_no_overlap"
    """Of a flat table without --horizon: its gates held, with no gap between the periods."""
    RULE_IS_ENOUGH = "rule_is_enough"
    NO_SIGNAL = "no_signal"
    REFUSED = "refused"


def verdict_of(failed: Collection[str], rule_ranks: bool, doubt: str | None = None) -> Verdict:
    """The verdict by the names of the gates that failed; `rule_ranks`: the best rule is itself better than a draw beyond noise.

    `doubt` is the rule's column where the audit found nothing else than that it is very good alone. That one column does it all
    is then said by both: the verdict is the rule, and its words hold the doubt. What casts doubt on another column, or is a
    proof, leaves no figure to be believed.

    >>> verdict_of([RULE], True).value, verdict_of([RULE], False).value, verdict_of([RULE, "audit"], True).value
    ('rule_is_enough', 'refused', 'refused')
    >>> verdict_of([RULE, "audit"], True, "tenure").value, verdict_of(["audit"], True, "tenure").value
    ('rule_is_enough', 'refused')
    """
    if not failed:
        return Verdict.READY
    if SIGNAL in failed:
        return Verdict.NO_SIGNAL
    doubted = [name for name in DOUBTED if name in failed and not (name == "audit" and doubt)]
    if RULE in failed and rule_ranks and not doubted:
        return Verdict.RULE_IS_ENOUGH
    return Verdict.REFUSED


def words_of(verdict: Verdict, rule: str, doubt: str | None = None) -> str:
    """The verdict as people read it; `rule` is the best one-column rule in words, `doubt` its column where the audit doubts it.

    >>> words_of(Verdict.RULE_IS_ENOUGH, "tenure, lowest first", "tenure")
    'a single rule is enough: tenure, lowest first; but first make sure that tenure is known before the outcome: it is as good as a leak'
    """
    but = f"; but first make sure that {doubt} is known before the outcome: it is as good as a leak" if doubt else ""
    return {
        Verdict.READY: "ready",
        Verdict.READY_IF_NO_OVERLAP: "ready, if no two rows overlap",
        Verdict.RULE_IS_ENOUGH: f"a single rule is enough: {rule}{but}",
        Verdict.NO_SIGNAL: "no signal found",
        Verdict.REFUSED: "refused by its gates",
    }[verdict]
