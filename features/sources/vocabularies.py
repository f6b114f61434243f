"""Vocabularies of the canonical columns: their words, and the spellings of each that systems write.

Words are compared in lower case, with an underscore for everything between letters and digits: 'Email Opened', 'EMAIL-OPENED' and
'emailOpened' are email_opened, which means email_open. An unknown word is kept, but no signal counts it, and `python -m features
check` names it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

Vocabulary = Mapping[str, tuple[str, ...]]
"""Each word and its other spellings, in lower case with underscores."""

CHANNELS: Vocabulary = {
    "inbound": ("inbound_sales", "organic", "organic_search", "seo", "website", "web", "direct", "contact_form", "web_form"),
    "outbound": ("outbound_sales", "cold_call", "cold_email", "cold_outreach", "prospecting", "sdr", "bdr", "sales_outreach"),
    "trade_show": ("tradeshow", "trade_fair", "fair", "event", "events", "conference", "exhibition", "expo"),
    "referral": ("referrals", "referred", "customer_referral", "employee_referral", "word_of_mouth", "recommendation"),
    "partner": ("partners", "channel_partner", "partner_referral", "reseller", "resellers", "distributor", "var", "alliance"),
    "product": ("product_led", "plg", "in_product", "in_app", "self_serve", "self_service", "free_trial", "trial", "freemium"),
    "content": ("content_marketing", "blog", "ebook", "e_book", "whitepaper", "white_paper", "newsletter", "podcast"),
    "paid_search": ("paid", "ppc", "sem", "cpc", "search_ads", "google_ads", "adwords", "ad_words", "google_adwords", "google_ad_words", "bing_ads", "search_engine_marketing"),
    "social": ("social_media", "paid_social", "organic_social", "linkedin", "linked_in", "facebook", "instagram", "twitter", "xing"),
    "webinar": ("webinars", "online_event", "virtual_event", "web_seminar"),
    "marketplace": ("marketplaces", "market_place", "app_store", "appexchange", "app_exchange", "aws_marketplace", "amazon", "alibaba"),
}  # fmt: skip  # a table: one word a line, its spellings beside it
"""Channels of acquisition and of orders. In `orders` a spelling is read as its word. `accounts.channel` and `leads.channel` are
categories that models have learnt as they are written, so they stay so, and `check` names those that are no spelling of a word."""

WORDS: Mapping[tuple[str, str], Vocabulary] = {
    ("accounts", "kind"): {
        "customer": ("customers", "client", "customer_direct", "customer_channel"),
        "prospect": ("prospects", "prospective", "lead"),
        "partner": ("partners", "channel_partner", "channel_partner_reseller", "technology_partner", "reseller"),
        "internal": ("employee", "own"),
        "test": ("test_account", "testing", "demo", "sandbox"),
        "competitor": ("competitors", "competition"),
    },
    ("contacts", "seniority"): {
        "c_level": ("c_suite", "clevel", "cxo", "executive", "chief"),
        "vp": ("vice_president", "svp", "evp"),
        "director": ("directors",),
        "manager": ("managers", "mgr"),
        "individual": ("individual_contributor", "ic", "employee"),
    },
    ("touches", "kind"): {
        "email_open": ("email_opened", "opened_email", "open_email", "mail_open", "mail_opened", "emailopen"),
        "email_click": ("email_clicked", "clicked_email", "click_email", "mail_click", "email_link_clicked", "click_link_in_email"),
        "email_reply": ("email_replied", "replied_email", "reply", "replied", "mail_reply", "email_received", "incoming_email"),
        "web_visit": ("website_visit", "visit", "visited_website", "visit_web_page", "page_view", "pageview", "web_page_visit"),
        "pricing_view": ("pricing_page_view", "pricing_page", "pricing", "viewed_pricing", "pricing_viewed"),
        "content_download": ("download", "downloaded", "content_downloaded", "downloaded_content", "whitepaper", "ebook"),
        "webinar": ("webinars", "attended_webinar", "webinar_attended", "webinar_attendance"),
        "event": ("events", "attended_event", "event_attended", "trade_show", "tradeshow", "conference"),
        "form_fill": ("form_filled", "form", "form_submission", "form_submitted", "form_submit", "fill_out_form", "filled_form"),
        "demo_request": ("demo", "demo_requested", "request_demo", "requested_demo", "request_a_demo"),
        "trial_signup": ("trial", "trial_sign_up", "trial_started", "signup", "sign_up", "signed_up_for_trial"),
        "call": ("calls", "phone", "phone_call", "called", "outbound_call", "inbound_call"),
        "meeting": ("meetings", "meeting_held", "met", "appointment", "demo_meeting"),
        "email_sent": ("email", "mail", "mail_sent", "sent_email", "send_email", "outgoing_email", "emailsent"),
    },
    ("touches", "direction"): {
        "in": ("inbound", "incoming", "received", "from_them"),
        "out": ("outbound", "outgoing", "sent", "from_us"),
    },
    ("leads", "status"): {
        "open": ("new", "opened", "open_not_contacted", "not_contacted", "unworked"),
        "working": ("contacted", "working_contacted", "in_progress", "attempted_to_contact", "connected", "nurturing", "nurture"),
        "qualified": ("sales_qualified", "marketing_qualified", "mql", "sql", "open_deal"),
        "converted": ("closed_converted", "customer", "won", "closed_won"),
        "disqualified": ("unqualified", "not_qualified", "closed_not_converted", "rejected", "junk", "lost", "closed_lost"),
    },
    ("opportunities", "status"): {
        "open": ("opened", "new", "in_progress", "pending", "active"),
        "won": ("closed_won", "closedwon", "win", "sold"),
        "lost": ("closed_lost", "closedlost", "loss", "abandoned", "cancelled", "canceled"),
    },
    ("opportunities", "kind"): {
        "new": ("new_business", "new_customer", "newbusiness", "new_logo"),
        "expansion": ("upsell", "upgrade", "cross_sell", "add_on", "existing_business", "existing_customer_upgrade", "existingbusiness"),
        "renewal": ("renew", "renewals"),
    },
    ("subscriptions", "status"): {
        "trial": ("trialing", "trialling", "in_trial", "free_trial", "trials"),
        "active": ("activated", "live", "current", "renewed"),
        "notice": ("non_renewing", "pending_cancellation", "cancellation_scheduled", "canceling", "cancelling", "notice_given"),
        "ended": ("end", "cancelled", "canceled", "expired", "terminated", "churned", "inactive", "closed"),
    },
    ("usage", "kind"): {
        "action": ("actions", "event", "usage"),
        "admin": ("administration", "admin_action", "administrative"),
        "error": ("errors", "failure", "exception"),
    },
    ("tickets", "status"): {
        "open": ("opened", "new", "escalated"),
        "pending": ("on_hold", "hold", "waiting", "waiting_on_customer", "waiting_on_us", "in_progress", "working", "snoozed"),
        "reopened": ("re_opened", "reopen", "re_open"),
        "closed": ("close", "solved", "resolved", "done", "completed"),
    },
    ("tickets", "priority"): {
        "low": ("minor", "p4", "trivial"),
        "medium": ("normal", "moderate", "p3", "mid"),
        "high": ("major", "p2", "important"),
        "urgent": ("critical", "p1", "blocker", "emergency", "very_high", "highest"),
    },
    ("invoices", "status"): {
        "open": ("opened", "unpaid", "sent", "issued", "due", "overdue", "past_due", "outstanding", "posted"),
        "failed": ("payment_failed", "declined", "refused", "uncollectible", "failure"),
        "paid": ("settled", "paid_in_full", "payment_received"),
        "void": ("voided", "cancelled", "canceled", "written_off"),
    },
    ("orders", "status"): {
        "placed": ("new", "open", "created", "ordered", "order_placed", "received", "confirmed", "accepted", "pending", "processing", "in_process", "paid"),
        "shipped": ("ship", "dispatched", "sent", "fulfilled", "partially_shipped", "delivered", "complete", "completed", "closed", "invoiced"),
        "cancelled": ("canceled", "cancel", "void", "voided", "rejected", "declined"),
        "returned": ("return", "refunded", "refund", "sent_back", "rma", "credited", "partially_returned"),
    },
    ("orders", "channel"): CHANNELS,
    ("costs", "kind"): {
        "sales": ("sales_cost", "sales_costs", "selling", "sales_salaries", "sales_commission", "commission", "commissions"),
        "marketing": ("marketing_cost", "marketing_costs", "advertising", "ads", "ad_spend", "campaign", "campaigns", "events"),
        "customer_success": ("success", "cs", "csm", "retention", "account_management", "onboarding", "support", "customer_support"),
        "tools": ("tool", "software", "crm", "subscriptions", "licences", "licenses", "systems"),
        "other": ("others", "misc", "miscellaneous", "overhead"),
    },
}  # fmt: skip  # a table: one word a line, its spellings beside it
"""The vocabulary of each column. A column that is not listed keeps every word as it is."""

ENDINGS: Mapping[str, tuple[str, ...]] = {
    "subscriptions": ("ended",),
    "tickets": ("closed",),
    "opportunities": ("won", "lost"),
    "invoices": ("paid", "void"),
    "leads": ("converted", "disqualified"),
    "orders": ("cancelled", "returned"),
}
"""The final statuses of each table: the contract, ticket, deal, invoice, lead or order is over."""

KEPT_AS_WRITTEN: Mapping[tuple[str, str], Vocabulary] = {
    ("accounts", "channel"): CHANNELS,
    ("leads", "channel"): CHANNELS,
}
"""Columns whose words are compared with a vocabulary, and not replaced by it."""

_BETWEEN = re.compile(r"[^a-z0-9]+")
_HUMP = re.compile(r"([a-z0-9])([A-Z])")


def vocabulary_of(table: str, column: str) -> Vocabulary:
    """The vocabulary of a column; empty when it has none."""
    if column == "seniority":
        table = "contacts"  # leads share that vocabulary
    return WORDS.get((table, column), {})


def words_of(table: str, column: str) -> tuple[str, ...]:
    """The canonical words of a column; empty when it has no vocabulary."""
    return tuple(vocabulary_of(table, column))


def understood(table: str, column: str, word: str) -> str:
    """The canonical word that a text means; the text itself when it is none.

    >>> understood("touches", "kind", "Email Opened"), understood("tickets", "priority", " P1 "), understood("touches", "kind", "fax")
    ('email_open', 'urgent', 'fax')
    """
    return word_in(vocabulary_of(table, column), word) or word


def word_in(vocabulary: Vocabulary, text: str) -> str | None:
    """The word of a vocabulary that a text means; None when it is none.

    >>> word_in(CHANNELS, "Trade Show"), word_in(CHANNELS, "Google AdWords"), word_in(CHANNELS, "fax")
    ('trade_show', 'paid_search', None)
    """
    return text if text in vocabulary else _spelled(vocabulary).get(_plain(text))


def understood_sql(table: str, column: str, text: str) -> str:
    """SQL that does the same as `understood`; `text` is an SQL expression. The expression itself for a column without words."""
    if not vocabulary_of(table, column):
        return text
    spelled = _spelled(vocabulary_of(table, column))
    words = ", ".join(f"'{word}'" for word in words_of(table, column))
    humps = f"regexp_replace(trim({text}), '([a-z0-9])([A-Z])', '\\1_\\2', 'g')"
    plain = f"trim(regexp_replace(lower({humps}), '[^a-z0-9]+', '_', 'g'), '_')"
    pairs = ", ".join(f"'{spelling}': '{word}'" for spelling, word in spelled.items())
    # A canonical word needs no look-up, which matters for usage tables of tens of millions of rows.
    return f"CASE WHEN {text} IS NULL OR {text} IN ({words}) THEN {text} ELSE coalesce(MAP {{{pairs}}}[{plain}], {text}) END"


def _spelled(vocabulary: Vocabulary) -> dict[str, str]:
    """The word of every spelling, also of the spelling without underscores."""
    found: dict[str, str] = {}
    for word, spellings in vocabulary.items():
        for spelling in (word, *spellings):
            found.setdefault(spelling, word)
            found.setdefault(spelling.replace("_", ""), word)
    return found


def _plain(word: str) -> str:
    return _BETWEEN.sub("_", _HUMP.sub(r"\1_\2", word.strip()).lower()).strip("_")
