"""Reads from a column's name when it is known: at the end of a thing, during a step, as a last state, or beforehand.

`days_to_close`, `actualvalue` and `Churn Reason` are written when the case is over;
`tickets_closed_90d` and `previous_cancellations` use the same words for what is known beforehand. A name is split into whole words
(snake_case, camelCase, spaces, digits; words that were run together by the list of words below) and read by vocabulary. It
never suffices for a finding of high severity: the values must agree (`features.audit.named`).
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

Kind = Literal["end", "after", "step", "state", "length"]
"""`end`: it happens when the thing is over; `after`: it usually comes late; `step`: how long a step took, or its share; `state`: the
last one, as it stands; `length`: some length of time."""


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


END = _listed("""
    close closed closes closing closure won win lost lose losing churn churned churner attrition attrited cancel cancels canceled
    cancelled cancellation cancelation cancelling refund refunds refunded refunding terminate terminated termination resolve resolved
    resolution outcome outcomes result results verdict disposition deactivate deactivated deactivation disconnect disconnected
    unsubscribe unsubscribed unsubscription offboard offboarded offboarding exit exited winback chargeback chargebacks writeoff
    recovered recovery recoveries settled settlement reinstate reinstated reinstatement surrender surrendered lapse lapsed convert
    converted conversion concluded conclusion defaulted terminating departed departure leaver winner loser postmortem
    dropout dropped withdrawn withdrawal
""")
"""Words for the end of a deal, contract, case or order, and for what is done because of it."""
AFTER = _listed("""
    reason reasons final finally actual actuals after post loss completed completion finished signed fulfilled delivered shipped returned
    return retention retained save saved reopen reopened reopens breach breached csat satisfaction survey feedback sentiment complaint
    notes note comment comments remark remarks tags tag disqualified rejected rejection approved approval accepted declined
    purchase purchased upgraded downgraded renewed commission payout penalty penalties onboarding implementation restocking
    compensation indemnity credited margin profit benefit cost costs spent effort acquisition activation cltv clv ltv paid received collected invoiced billed invoice bill provisioned activated
    escalated escalation transferred transfer blocked suspended suspension collection collections quality attempts reminders reminder
    reassignments reassigned handover handed followup decision decided competitor rival ported porting port processed ended end
    expired finish left bounced opted optout notice contacts issued assigned granted awarded real realized realised replies reply attempt held proposal quote demo sql added push pushes
    reassignment
""")
"""Words for what mostly comes late; they count only with what the values show."""
STATE = _listed(
    "status stage state step phase lifecycle current latest last now newest recent forecast probability modified updated changed change changes entered mod"
)
UNIT = _listed(
    "day days hour hours minute minutes min mins week weeks month months second seconds time duration durations length cycle elapsed age"
)
TOWARDS = _listed("to until till through thru between elapsed cycle in at spent taken took")
STEPS = _listed("""
    stage stages step steps phase phases qualification qualified qualify identified validated validation proposal proposed negotiation presentation
    closing pending waiting hold response resolution conversion close setup handling handle talk processing transit won lost cycle review
""")
"""Steps on the way to an end: any length or share of them is known when they are over."""
GOALS = _listed("""
    purchase payment decision approval delivery signature contact answer buy convert win paid order action shipping sale demo sign call
    reply activation upgrade return quote meeting invoice
""")
"""What comes at the end of a way: the days *to* it are known when it came; days of it may be agreed upon."""
PARTS = _listed("ratio share proportion fraction pct percent percentage")
BEFORE = _listed("""
    previous previously prior past before earlier historic historical history expected estimated planned target targeted promised scheduled
    agreed forecasted budget initial creation signup registration since ago tenure age insured member membership rate rates page pages visit visits view views click clicks screen display site website
    window limit quota ltm ytd rolling trailing seniority experience birth
""")
"""Words that say: known beforehand, agreed in advance, a history, or a behaviour."""
SCHEDULE = _listed(
    "renewal expiry expiration expires expire due term terms anniversary contract deadline event billing"
)
"""Days to, and dates of, what was agreed upon are known beforehand; what was paid or said at it is not."""
HISTORY = _listed("""
    avg average mean median tickets cases claims orders deals returns invoices payments refunds complaints cancellations issues problems
    incidents calls chargebacks lifetime usage sessions logins
""")
"""Words of a sum over earlier things: what it says of an end may be that of others."""
BEGINNINGS = _listed(
    "open opening creation created start signup signing order entry request application origination begin first contact"
)
"""What stands after "at" in names of what was so when a thing began."""
STAYS = _listed(
    "business role job position company plan app product system database crm industry country service market tier"
)
PERIODS = _listed("d day days w week weeks m mo month months q quarter quarters y yr year years h hour hours")
COMMON = _listed("""
    account accounts amount annual associated avg browser business campaign case category chosen client code company contact contacts
    contract cost count created customer customers data date deal desk duration email estimated fee first flag hubspot id identified
    income industry insurance interview invoice is issue kind label lead leads level list mail manual minutes month monthly name new note
    number of offer on open opportunity order owner partner payment person phone plan price product profile quarter region renewal
    reservation revenue salary sale sales score segment series service size source start started step subscription support team ticket
    ticket tickets time type update updated usage user users value version volume week weekly weeks year
""")
"""Words that names are made of; only for taking run-together names apart."""


@dataclass(frozen=True)
class Reading:
    """What a name says: `kind`, the `words` that say it, and whether others say that it sums up earlier things."""

    kind: Kind
    words: tuple[str, ...]
    history: bool = False

    @property
    def shown(self) -> str:
        return " ".join(self.words)


def words_of(name: str) -> list[str]:
    """The whole words of a name, in lower case.

    >>> words_of("hs_closedLostReason2"), words_of("actualclosedate"), words_of("SLABreached__c")
    (['hs', 'closed', 'lost', 'reason', '2'], ['actual', 'close', 'date'], ['sla', 'breached'])
    """
    text = re.sub(r"__[cr]$", "", str(name))
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", text)
    return [word for part in parts for word in _apart(part.lower())]


@cache
def _vocabulary() -> frozenset[str]:
    return END | AFTER | STATE | UNIT | STEPS | GOALS | PARTS | BEFORE | SCHEDULE | HISTORY | COMMON


def _apart(token: str) -> list[str]:
    """A token as the words that it was put together from, when they are all known and it is none itself.

    >>> _apart("salescycleweeks"), _apart("closedate"), _apart("poutcome")
    (['sales', 'cycle', 'weeks'], ['close', 'date'], ['poutcome'])
    """
    known = _vocabulary()
    if len(token) < 7 or token in known:
        return [token]
    best: list[list[str] | None] = [[]] + [None] * len(token)
    for end in range(3, len(token) + 1):
        for begin in range(end - 2):
            head = best[begin]
            if (
                head is not None
                and token[begin:end] in known
                and (best[end] is None or len(head) + 1 < len(best[end] or ()))
            ):
                best[end] = [*head, token[begin:end]]
    return best[-1] or [token]


def reading_of(name: str) -> Reading | None:
    """What the name says about when the column is known; None when it says nothing, or says that it is known beforehand.

    >>> reading_of("days_to_close").kind, reading_of("Ratio Qualified").kind, reading_of("current_stage").kind
    ('end', 'step', 'state')
    >>> reading_of("tickets_closed_90d"), reading_of("days_since_last_login"), reading_of("expected_close_date"), reading_of("sector")
    (None, None, None, None)
    """
    words = words_of(name)
    held = set(words)
    if (place := _time_in(words)) is not None:
        return Reading("step", tuple(words[place:]), bool(held & HISTORY))
    if _is_before(words):
        return None
    history = bool(held & HISTORY)
    if "win" in held and "back" in held:
        return Reading("end", ("win", "back"), history)
    if said := tuple(w for w in words if w in END):
        return Reading("end", said, history)
    agreed = bool(held & SCHEDULE)
    said = tuple(w for w in words if w in UNIT | PARTS | STEPS | GOALS | TOWARDS)
    towards_goal = bool(held & GOALS and held & {"to", "until", "till"})
    if (
        held & (UNIT | PARTS)
        and (held & (STEPS | TOWARDS - {"at", "in", "to"}) or towards_goal)
        and len(said) > 1
        and not agreed
    ):
        return Reading("step", said, history)
    late = AFTER - {"end", "ended"} if agreed else AFTER
    lengths = frozenset() if agreed else UNIT - {"age", "month", "day", "week", "hour"}
    kinds: tuple[tuple[Kind, frozenset[str]], ...] = (("after", late), ("state", STATE), ("length", lengths))
    for kind, vocabulary in kinds:
        if said := tuple(w for w in words if w in vocabulary):
            return Reading(kind, said, history)
    return None


def _time_in(words: list[str]) -> int | None:
    """Where "days in ..." or "time in ..." begins, when what follows is a step and no place where people stay for years."""
    for place, (left, middle, right) in enumerate(zip(words, words[1:], words[2:], strict=False)):
        if left in UNIT and middle == "in" and right not in STAYS:
            return place
    return None


def _is_before(words: list[str]) -> bool:
    """Whether a word, or a window ("90d", "last 3 months", "12m"), says that it was known beforehand."""
    if set(words) & BEFORE:
        return True
    for left, right in itertools.pairwise(words):
        if (left, right) == ("lead", "time"):
            return True
        if left == "at" and right in BEGINNINGS:
            return True
        if left.isdigit() and right in PERIODS:
            return True
        if (left in ("last", "this") and right in PERIODS | {"quarter"}) or (left in PERIODS and right.isdigit()):
            return True
    return False


def stem_of(words: list[str], length: int) -> tuple[str, ...]:
    """The first words of a name, numbers left out."""
    return tuple(w for w in words if not w.isdigit())[:length]


def says_before(name: str) -> bool:
    """Whether a name says that the column is known beforehand.

    >>> says_before("previous_churns"), says_before("churn_reason")
    (True, False)
    """
    return _is_before(words_of(name))
