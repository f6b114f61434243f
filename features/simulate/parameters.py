"""Every number of the sample company's mechanics; the page that explains them is the docstring of `features.simulate`.

Rates are per week. A chance within a week is `1 - exp(-rate)`, so that factors on a rate never lead above 1.
"""

from __future__ import annotations

import numpy as np

HORIZONS_DAYS = (30, 60, 90)

# --- Leads -----------------------------------------------------------------------------------------------------------
INTENT = ("cold", "curious", "evaluating", "buying")
CHANNELS = ("organic", "paid", "event", "partner", "outbound", "referral", "product")
CHANNEL_SHARE = np.array([0.24, 0.22, 0.12, 0.09, 0.15, 0.06, 0.12])
FIRST_INTENT = np.array(
    [
        [0.42, 0.36, 0.16, 0.06],  # organic
        [0.52, 0.32, 0.12, 0.04],  # paid
        [0.52, 0.32, 0.12, 0.04],  # event
        [0.38, 0.32, 0.21, 0.09],  # partner
        [0.66, 0.24, 0.08, 0.02],  # outbound
        [0.28, 0.34, 0.25, 0.13],  # referral
        [0.34, 0.34, 0.23, 0.09],  # product
    ]
)
INTENT_STEP = np.array(
    [
        [0.972, 0.023, 0.004, 0.001],
        [0.034, 0.924, 0.035, 0.007],
        [0.014, 0.031, 0.915, 0.040],
        [0.010, 0.010, 0.040, 0.940],
    ]
)
CONVERSION_RATE = np.array([0.0012, 0.0045, 0.017, 0.075])
DISQUALIFICATION_RATE = np.array([0.045, 0.028, 0.012, 0.004])
STALE_WEEKS = 26
"""An open lead is disqualified when it gets this old."""
CHANNEL_EFFECT = np.array([0.0, -0.15, -0.10, 0.20, -0.20, 0.30, 0.10])
CHANNEL_EFFECT_AFTER_CHANGE = np.array([0.0, -0.60, -0.10, 0.40, -0.20, 0.30, 0.10])
SENIORITIES = ("c_level", "vp", "director", "manager", "individual")
SENIORITY_SHARE = np.array([0.10, 0.12, 0.20, 0.30, 0.28])
SENIORITY_EFFECT = np.array([0.25, 0.20, 0.10, 0.0, -0.30])
DEPARTMENTS = ("it", "operations", "finance", "sales", "marketing", "hr")
DEPARTMENT_SHARE = np.array([0.26, 0.22, 0.16, 0.16, 0.12, 0.08])
DEPARTMENT_EFFECT = np.array([0.10, 0.20, 0.10, 0.0, -0.15, -0.25])
INDUSTRIES = ("software", "manufacturing", "retail", "finance", "health", "logistics", "education", "media")
INDUSTRY_SHARE = np.array([0.20, 0.16, 0.14, 0.13, 0.12, 0.10, 0.08, 0.07])
INDUSTRY_LEAD_EFFECT = np.array([0.15, 0.0, -0.10, 0.10, 0.0, 0.15, -0.25, -0.20])
FREE_MAIL_SHARE, FREE_MAIL_EFFECT = 0.16, -0.6
TRIAL_SHARE, TRIAL_EFFECT = 0.15, 0.25
SIZE_EFFECT = -0.12
"""On conversion, per squared step of ln(employees / 150): mid-sized companies buy most."""
SECOND_LEAD_SHARE, SECOND_LEAD_MEAN_DAYS = 0.14, 28.0
KNOWN_COMPANY_SHARE = 0.08
"""Leads of companies that were in the CRM as prospects before; never of free mail addresses."""
OPPORTUNITY_RATE = np.array([0.0, 0.0, 0.12, 0.40])
QUALIFIED_RATE = np.array([0.0, 0.03, 0.20, 0.45])

# Touches per open lead and week, by intent.
LEAD_TOUCHES: dict[str, tuple[float, float, float, float]] = {
    "email_sent": (0.60, 0.60, 0.60, 0.60),
    "email_open": (0.14, 0.50, 0.80, 0.95),
    "email_click": (0.03, 0.20, 0.50, 0.65),
    "email_reply": (0.004, 0.03, 0.22, 0.85),
    "web_visit": (0.10, 0.80, 2.20, 2.80),
    "pricing_view": (0.004, 0.06, 0.80, 1.50),
    "content_download": (0.02, 0.14, 0.30, 0.20),
    "webinar": (0.01, 0.05, 0.08, 0.05),
    "event": (0.01, 0.02, 0.03, 0.03),
    "form_fill": (0.01, 0.05, 0.12, 0.16),
    "demo_request": (0.001, 0.010, 0.12, 0.42),
    "call": (0.02, 0.07, 0.30, 0.85),
    "meeting": (0.001, 0.008, 0.16, 1.00),
}

EAGER_WEEKS, EAGER_FACTOR = 3, 1.8
"""In its first weeks a lead is in touch this much more often, whatever its intent."""
FIRST_TOUCHES = ("event", "content_download", "form_fill", "demo_request")
FIRST_TOUCH_SHARE = np.array(
    [
        [0.30, 0.40, 0.28, 0.02],
        [0.12, 0.35, 0.48, 0.05],
        [0.05, 0.15, 0.45, 0.35],
        [0.02, 0.05, 0.25, 0.68],
    ]
)
"""The touch that makes a lead, by the intent of its first week; those of channel outbound come without one."""

# --- Accounts --------------------------------------------------------------------------------------------------------
HEALTH = ("thriving", "good", "steady", "fading", "failing")
HEALTH_STEP = np.array(
    [
        [0.955, 0.035, 0.010, 0.000, 0.000],
        [0.022, 0.938, 0.035, 0.005, 0.000],
        [0.005, 0.028, 0.930, 0.032, 0.005],
        [0.000, 0.006, 0.034, 0.925, 0.035],
        [0.000, 0.000, 0.010, 0.030, 0.960],
    ]
)
DECLINE_FACTOR_AFTER_CHANGE = 1.15
"""Steps to worse health become this much more likely at the change of regime."""
FIRST_HEALTH = np.array([0.20, 0.36, 0.30, 0.11, 0.03])
STANDING_HEALTH = np.array([0.24, 0.32, 0.26, 0.12, 0.06])
"""Of customers who were there before the first day."""

ROLE_SHARE = np.array([0.46, 0.27, 0.05, 0.19, 0.012, 0.004, 0.008, 0.006])
"""Accounts without a lead: standing customers, sign-ups, failed trials, prospects, partners, internal, test, competitors."""
TERMS_MONTHS = np.array([1, 3, 12])
TERM_SHARE = np.array([0.34, 0.14, 0.52])
NOTICE_WEEKS = np.array([3, 8, 8])
"""Notice for the end of a term is given in this many whole weeks before the week of the renewal."""
NOTICE_RATE = np.array(
    [
        [0.0010, 0.0022, 0.0050, 0.0150, 0.038],  # monthly
        [0.0018, 0.0040, 0.0090, 0.0260, 0.062],  # quarterly
        [0.0035, 0.0080, 0.0180, 0.0520, 0.125],  # annual
    ]
)
NO_RENEWAL_RATE = np.array(
    [
        [0.0015, 0.0035, 0.008, 0.024, 0.055],
        [0.0045, 0.0100, 0.024, 0.070, 0.160],
        [0.0120, 0.0300, 0.075, 0.210, 0.450],
    ]
)
"""At the renewal, for contracts that do not renew by themselves; those that do have `AUTO_RENEW_FACTOR` of it."""
EARLY_EXIT_RATE = np.array(
    [
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0001, 0.0003, 0.0007, 0.0025, 0.0060],
        [0.0001, 0.0003, 0.0007, 0.0025, 0.0060],
    ]
)
"""Notice in the middle of a term: the contract ends `EARLY_EXIT_DAYS` after the day of the notice."""
EARLY_EXIT_DAYS, PROTECTED_WEEKS = 30, 13
AUTO_RENEW_SHARE, AUTO_RENEW_FACTOR = 0.6, 0.25
TERM_FACTOR_AFTER_CHANGE = np.array([1.45, 1.30, 1.20])
PRICE_RISE = 0.12
SEATS_EFFECT = -0.14
"""On the exit rates, per step of ln(seats / 8)."""
INDUSTRY_EXIT_EFFECT = np.array([0.0, -0.15, 0.25, -0.20, -0.10, 0.05, 0.10, 0.30])
CHANNEL_EXIT_EFFECT = np.array([0.0, 0.25, 0.05, -0.20, 0.10, -0.30, 0.05])
RETURN_SOON_CHANCE, RETURN_LATER_CHANCE = 0.05, 0.10
FREE_SHARE = 0.40
"""Of contracts that are not renewed without a notice: go on with the free plan."""

EXPANSION_RATE = np.array([0.020, 0.011, 0.004, 0.001, 0.000])
CONTRACTION_RATE = np.array([0.000, 0.001, 0.004, 0.014, 0.022])
ADD_ON_SHARE, ADD_ON_DROP_RATE = 0.22, np.array([0.000, 0.001, 0.003, 0.012, 0.025])
KEY_USER_LOSS_RATE = np.array([0.0015, 0.0020, 0.0040, 0.0150, 0.0300])
CONTACT_LEAVES_RATE = np.array([0.0015, 0.0015, 0.0025, 0.0060, 0.0100])

SEATS_MEDIAN, SEATS_SIGMA, SEATS_MAX = 6.0, 0.85, 400
ACTIVE_SHARE = np.array([0.88, 0.78, 0.62, 0.42, 0.22])
"""Of the seats: how many people use the product in a week."""
INTENSITY = np.array([1.20, 1.05, 0.90, 0.70, 0.50])
"""Events of a week per active person, relative."""
BREADTH = np.array([14.0, 12.0, 9.5, 6.5, 4.0])
"""How many features they get around to."""
ERROR_SHARE = np.array([0.010, 0.014, 0.022, 0.045, 0.065])
ADMIN_SHARE = np.array([0.060, 0.050, 0.040, 0.025, 0.012])
QUANTITY_MEAN = 3.0
WEEKDAY = np.array([1.0, 1.08, 1.06, 1.02, 0.88, 0.22, 0.18])
"""Relative activity, Monday first."""
YEAR_DIP_SUMMER, YEAR_DIP_WINTER = 0.15, 0.35
GROWTH_A_YEAR = 0.08
EVENTS_PER_ACCOUNT = 625

TICKET_RATE = np.array([0.05, 0.06, 0.09, 0.17, 0.21])
ESCALATED_SHARE = np.array([0.03, 0.05, 0.10, 0.26, 0.36])
REOPENED_SHARE = np.array([0.03, 0.05, 0.08, 0.16, 0.22])
SATISFACTION_MEAN = np.array([4.6, 4.4, 4.0, 3.0, 2.3])
LATE_PAYER_SHARE = np.array([0.03, 0.05, 0.10, 0.30, 0.50])
FAILED_PAYMENT_SHARE = np.array([0.010, 0.015, 0.030, 0.090, 0.150])

# Touches per customer and week, by health.
ACCOUNT_TOUCHES: dict[str, tuple[float, float, float, float, float]] = {
    "email_sent": (0.40, 0.40, 0.40, 0.45, 0.45),
    "email_open": (0.32, 0.28, 0.22, 0.13, 0.07),
    "email_click": (0.12, 0.10, 0.06, 0.03, 0.01),
    "meeting": (0.14, 0.11, 0.07, 0.035, 0.015),
    "call": (0.08, 0.08, 0.09, 0.10, 0.09),
    "webinar": (0.05, 0.04, 0.02, 0.008, 0.003),
    "web_visit": (0.25, 0.22, 0.17, 0.12, 0.08),
}

LATE_SHARE = {
    "usage": 0.03,
    "touches": 0.04,
    "tickets": 0.03,
    "invoices": 0.04,
    "leads": 0.04,
    "contacts": 0.05,
    "accounts": 0.04,
}
LATE_MEDIAN_HOURS, LATE_SIGMA, LATE_MAX_DAYS = 18.0, 1.3, 21

# --- Who looks after whom --------------------------------------------------------------------------------------------
ACCOUNTS_A_PERSON, LEADS_A_PERSON = 50, 400
TEAM_MOST = 40
UNOWNED_SHARE = 0.06
GROUP_SHARE, CHILD_SHARE = 0.03, 0.08
TARGET_EMPLOYEES = (2_000, 800, 300)
TARGET_SHARE = 0.6
