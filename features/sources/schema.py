"""The canonical tables: what a source may deliver, column by column.

Two kinds. An *event* table has one row per thing that happened. A *state* table has one row per version of a
thing: its first row is its creation, each later row says how it was from `event_time` on. A row is visible at
`as_of` iff `event_time < as_of` and `known_time < as_of`; the state of a key is its visible row with the newest
`event_time`, then the newest `known_time`. So a fact that changes (a plan, a ticket's status, a notice of leaving)
is read as it was known at `as_of`, and a source that only has final states writes one row per dated change.

Besides these: *label* tables are ready outcomes, and the *action* table says whom people acted upon because of a score. No
signal reads either: a model must not learn from what its own scores led to. A *reference* table has figures of the company
itself (what it spent) or of the world (rates of currencies), dated by a column of its own and without `known_time`. No signal
reads those, and none reads `orders` yet.

`owner`, `parent_id` and `target_tier` are for people, who sort and filter lists by them (`serving.profiles`). No signal reads
them: who looks after an account says what was done about it, and a model would learn from that.

Every table with an `event_time` also takes `known_time` (we learnt of it; defaults to `event_time`). Columns beyond those listed are kept;
those of the tables that hold an entity become custom signals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Type = Literal["text", "integer", "number", "money", "boolean", "time"]
Kind = Literal["event", "state", "label", "action", "reference"]


@dataclass(frozen=True)
class Column:
    """One canonical column. A `required` one must be present, without nulls.

    An `only_given` one is a column of the loaded table only where the source delivers it (others are null there), and no signal
    reads it. So a source without it has the rows, the fingerprint and the order of tied versions that it always had.
    """

    name: str
    type: Type
    meaning: str
    required: bool = False
    only_given: bool = False


@dataclass(frozen=True)
class Table:
    """One canonical table; `key` names the thing that a row is a version of (None for events)."""

    name: str
    kind: Kind
    meaning: str
    key: str | None
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column | None:
        """The canonical column of a name; None when the table has none (`known_time` is in no table's list)."""
        return next((c for c in self.columns if c.name == name), None)

    @property
    def canonical(self) -> tuple[Column, ...]:
        """Its columns, and `known_time` where it has a time of its own."""
        return (*self.columns, KNOWN_TIME) if self.column("event_time") else self.columns


def _event_time(meaning: str) -> Column:
    return Column("event_time", "time", meaning, required=True)


KNOWN_TIME = Column("known_time", "time", "when we learnt of the row; null or absent means at event_time")

_FIRMOGRAPHIC = (
    Column("industry", "text", "industry, in the source's own words"),
    Column("region", "text", "sales region"),
    Column("country", "text", "country, ISO 3166 code or name"),
    Column("employees", "integer", "number of employees"),
    Column("annual_revenue", "money", "revenue a year, in the source's currency"),
    Column("channel", "text", "where it came from: organic, paid, event, partner, outbound, referral, product ..."),
    Column("campaign_kind", "text", "kind of the campaign that brought it: webinar, content, ad, trade_show ..."),
    Column("partner", "text", "name of the partner that brought it, null when none did"),
    Column("is_trial", "boolean", "started from a trial or inside the product"),
    Column("opted_out", "boolean", "the person or company objected to scoring"),
)
CURRENCY = Column(
    "currency",
    "text",
    "ISO 4217 code that its amount is delivered in, null for the reporting one; what is loaded is converted",
    only_given=True,
)
_EVENT_ID = Column(
    "event_id", "text", "identity of the event: a row with the same one is the same event", only_given=True
)
_OWNER = Column("owner", "text", "who of your own people looks after it: a name or an id; no signal reads it")
_PERSON = (
    Column("email", "text", "mail address; only its domain is ever used"),
    Column("title", "text", "job title"),
    Column("department", "text", "department: it, sales, finance, operations ..."),
    Column("seniority", "text", "c_level, vp, director, manager or individual"),
)

_ALL = (
    Table(
        "accounts",
        "state",
        "companies, customers or not",
        "account_id",
        (
            Column("account_id", "text", "the company", required=True),
            _event_time("when this version became true; the first is the company's entry"),
            Column("name", "text", "name of the company"),
            Column("domain", "text", "web or mail domain"),
            Column("kind", "text", "customer, prospect, partner, internal, test or competitor"),
            Column("founded_time", "time", "when the company was founded"),
            *_FIRMOGRAPHIC,
            _OWNER,
            Column("parent_id", "text", "the account that it belongs to: its group or holding; no signal reads it"),
            Column("target_tier", "text", "its tier on your list of target accounts; no signal reads it"),
        ),
    ),
    Table(
        "contacts",
        "state",
        "people at accounts: the buying committee",
        "contact_id",
        (
            Column("contact_id", "text", "the person", required=True),
            _event_time("when this version became true"),
            Column("account_id", "text", "the person's company"),
            *_PERSON,
            Column("is_decision_maker", "boolean", "may sign"),
            Column("has_left", "boolean", "left the company"),
        ),
    ),
    Table(
        "leads",
        "state",
        "people or companies that might buy",
        "lead_id",
        (
            Column("lead_id", "text", "the lead", required=True),
            _event_time("when this version became true; the first is the lead's creation"),
            Column("account_id", "text", "the lead's company, when it is known"),
            Column("company", "text", "company as the lead wrote it"),
            *_PERSON,
            *_FIRMOGRAPHIC,
            _OWNER,
            Column("status", "text", "open, working, qualified, converted or disqualified"),
        ),
    ),
    Table(
        "touches",
        "event",
        "contacts between a lead or account and us",
        None,
        (
            _event_time("when it happened"),
            Column(
                "kind",
                "text",
                "email_open, email_click, email_reply, web_visit, pricing_view, content_download, "
                "webinar, event, form_fill, demo_request, call, meeting, email_sent ...",
                required=True,
            ),
            Column("account_id", "text", "company touched"),
            Column("lead_id", "text", "lead touched"),
            Column("contact_id", "text", "person touched"),
            Column("direction", "text", "in (they came to us) or out (we went to them)"),
            _EVENT_ID,
        ),
    ),
    Table(
        "opportunities",
        "state",
        "deals",
        "opportunity_id",
        (
            Column("opportunity_id", "text", "the deal", required=True),
            _event_time("when this version became true"),
            Column("account_id", "text", "the company"),
            Column("lead_id", "text", "the lead it came from"),
            Column("stage", "text", "stage, in the source's own words", required=True),
            Column("status", "text", "open, won or lost", required=True),
            Column("kind", "text", "new, expansion or renewal"),
            Column("amount", "money", "value of the deal"),
            CURRENCY,
        ),
    ),
    Table(
        "subscriptions",
        "state",
        "contracts for recurring service",
        "subscription_id",
        (
            Column("subscription_id", "text", "the contract", required=True),
            Column("account_id", "text", "the company", required=True),
            _event_time("when this version became true: start, change, renewal, notice, end"),
            Column("status", "text", "trial, active, notice (will leave, still paying) or ended", required=True),
            Column("mrr", "money", "recurring revenue a month from event_time on; 0 for free plans", required=True),
            Column("plan", "text", "plan"),
            Column("product", "text", "product"),
            Column("seats", "integer", "seats paid for"),
            Column("discount", "number", "share of the list price given away, 0 to 1"),
            Column("term_months", "integer", "length of the term"),
            Column("term_end", "time", "end of the current term as agreed, not as it turned out"),
            Column("auto_renew", "boolean", "renews by itself at term_end"),
            CURRENCY,
        ),
    ),
    Table(
        "usage",
        "event",
        "what people do in the product",
        None,
        (
            Column("account_id", "text", "the company", required=True),
            _event_time("when it happened"),
            Column("user_id", "text", "the person, stable within the company"),
            Column("feature", "text", "feature or screen"),
            Column("kind", "text", "action, admin or error; null means action"),
            Column("quantity", "integer", "how many; null means 1"),
            _EVENT_ID,
        ),
    ),
    Table(
        "tickets",
        "state",
        "calls for help",
        "ticket_id",
        (
            Column("ticket_id", "text", "the ticket", required=True),
            Column("account_id", "text", "the company", required=True),
            _event_time("when this version became true; the first is its opening"),
            Column("status", "text", "open, pending, reopened or closed", required=True),
            Column("priority", "text", "low, medium, high or urgent"),
            Column("escalated", "boolean", "was escalated"),
            Column("first_response_minutes", "integer", "minutes to the first answer, null before it"),
            Column("satisfaction", "integer", "rating by the customer, 1 to 5, null when not rated"),
        ),
    ),
    Table(
        "invoices",
        "state",
        "bills",
        "invoice_id",
        (
            Column("invoice_id", "text", "the bill", required=True),
            Column("account_id", "text", "the company", required=True),
            _event_time("when this version became true; the first is its issue"),
            Column("status", "text", "open, failed (a payment was refused), paid or void", required=True),
            Column("amount", "money", "amount of the bill", required=True),
            Column("due_time", "time", "when it must be paid"),
            CURRENCY,
        ),
    ),
    Table(
        "churn_labels",
        "label",
        "a ready outcome: accounts that left",
        None,
        (
            Column("account_id", "text", "the company", required=True),
            Column("event_time", "time", "when it left; null in a snapshot without dates"),
            Column("churned", "boolean", "true: it left; false: it is known to have stayed", required=True),
        ),
    ),
    Table(
        "lead_labels",
        "label",
        "a ready outcome: leads that became customers",
        None,
        (
            Column("lead_id", "text", "the lead", required=True),
            Column("event_time", "time", "when it converted; null in a snapshot without dates"),
            Column(
                "converted", "boolean", "true: it became a customer; false: it is known that it did not", required=True
            ),
        ),
    ),
    Table(
        "actions",
        "action",
        "what people did because of a score: read when a model is watched, never by a signal",
        None,
        (
            _event_time("when somebody acted"),
            Column("kind", "text", "call, offer, visit, campaign ...", required=True),
            Column("account_id", "text", "company acted upon"),
            Column("lead_id", "text", "lead acted upon"),
        ),
    ),
    Table(
        "orders",
        "state",
        "orders of customers without contracts; no signal reads them yet",
        "order_id",
        (
            Column("order_id", "text", "the order; where it has lines, one id for each line", required=True),
            Column("account_id", "text", "the company", required=True),
            _event_time("when this version became true; the first is its placing"),
            Column("status", "text", "placed, shipped, cancelled or returned", required=True),
            Column("amount", "money", "value of the order, 0 or more", required=True),
            CURRENCY,
            Column("channel", "text", "where it came from: inbound, outbound, partner, marketplace, web ..."),
            Column("product", "text", "what was ordered"),
            Column("category", "text", "category of the product"),
            Column("quantity", "integer", "how many"),
            _EVENT_ID,
        ),
    ),
    Table(
        "costs",
        "reference",
        "what was spent on winning and keeping customers: read by reports, never by a signal",
        None,
        (
            Column("month", "time", "any day of the month that the cost belongs to", required=True),
            Column("kind", "text", "sales, marketing, customer_success, tools ...", required=True),
            Column("amount", "money", "what it cost, 0 or more", required=True),
            CURRENCY,
        ),
    ),
    Table(
        "rates",
        "reference",
        "rates of currencies, for amounts in several of them (`features.sources.money`)",
        None,
        (
            Column("date", "time", "day of the rate", required=True),
            Column("currency", "text", "ISO 4217 code", required=True),
            Column("rate", "number", "what one unit of the currency is worth in the reporting currency", required=True),
        ),
    ),
)

TABLES: dict[str, Table] = {table.name: table for table in _ALL}

NO_SIGNALS = ("owner", "parent_id", "target_tier")
"""Columns of the tables that hold an entity that no signal reads."""

ENTITIES: dict[str, str] = {"account": "accounts", "lead": "leads"}
"""Entity to the table that holds it."""
