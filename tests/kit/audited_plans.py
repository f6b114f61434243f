"""The columns of the made tables: what each kind of system exports, known beforehand or written because of the outcome."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial as p

from tests.kit.audited_tables import (
    AuditedTable,
    Plan,
    agreed,
    bought,
    day,
    draw,
    fair,
    flag,
    gappy,
    later,
    later_if,
    length,
    margin,
    mark,
    money,
    only,
    paid,
    part,
    ratio,
    score,
    share,
    state,
    steps,
    strong,
    unpaid,
    wait,
    waiting,
    whole,
    words,
)

SEEN = (
    Plan(
        "opportunities, Salesforce", "IsWon", {
            "LeadSource": p(words, values="Web|Referral|Event|Partner", cause=1), "Type": p(words, values="New|Upsell"),
            "Amount": money, "Industry": p(words, values="Tech|Retail|Steel|Health", cause=2), "AnnualRevenue": bought,
            "NumberOfEmployees": bought, "CreatedDate": day, "ContactRolesAtCreation": fair, "PriorWonDeals__c": strong,
            "OwnerTenureMonths__c": p(strong, cause=2, noise=1.0), "ExpectedCloseDate__c": agreed, "HasPartner__c": flag,
        }, {
            "StageName": p(state, yes="Closed Won", no="Closed Lost", early="Negotiation|Proposal"),
            "ForecastCategoryName": p(state, yes="Closed", no="Omitted", early="Pipeline|Commit", pure=0.7),
            "CloseDate": later, "DaysToClose__c": length, "DaysInQualification__c": part, "QualificationShare__c": ratio,
            "StageChangeCount__c": steps, "LossReason__c": p(only, values="Price|Timing|Rival", filled=-0.7),
            "ContractSignedDate__c": p(later_if, filled=0.6),
        }, values=(False, True), rate=0.35,
    ),
    Plan(
        "subscriptions, snapshot", "churned", {
            "tenure_months": strong, "plan": p(words, values="free|team|pro|enterprise", cause=1), "seats": gappy, "mrr": money,
            "logins_28d": p(strong, cause=1), "active_users_28d": p(strong, cause=1, noise=0.5), "features_used_28d": fair,
            "tickets_90d": p(fair, cause=2), "days_since_last_login": wait, "payment_failures_90d": p(fair, cause=0, noise=2.0),
            "nps_last_quarter": gappy, "billing_cycle": p(words, values="monthly|yearly", cause=2), "renewal_date": agreed,
            "tickets_closed_90d": p(fair, cause=2, noise=0.8), "signup_date": day,
        }, {
            "cancel_reason": p(only, values="price|missing feature|unused", filled=0.6),
            "cancel_requested_at": p(later_if, filled=0.8, otherwise=0.01), "cancel_channel": p(only, values="mail|app", filled=0.6, otherwise=0.01),
            "refund_amount": p(paid, some=0.3, otherwise=0.005), "retention_offer": p(mark, when=0.4, otherwise=0.1),
            "final_invoice_amount": p(paid, some=0.9, gap=True), "churn_score": score, "exit_survey_score": p(only, values="1|2|3", filled=0.3),
            "account_status": p(state, yes="inactive", no="active", early="active", pure=0.7),
        }, rate=0.2,
    ),
    Plan(
        "telecom", "Churn", {
            "Gender": p(words, values="f|m"), "Tenure Months": strong, "Contract": p(words, values="Month|One year|Two year", cause=0),
            "Internet Service": p(words, values="DSL|Fiber|No", cause=1), "Monthly Charges": p(strong, cause=1), "Total Charges": p(strong, cause=0, noise=0.7),
            "Dependents": flag, "Number of Referrals": fair, "Avg Monthly GB Download": gappy, "Paperless Billing": p(flag, cause=2),
            "Dropped Calls Last 3 Months": p(fair, cause=2), "Handset Age Months": p(strong, cause=2, noise=0.6), "Roaming Minutes": money,
        }, {
            "Customer Status": p(state, yes="Churned", no="Stayed", early="Joined", pure=0.95), "Churn Category": p(only, values="Competitor|Price|Other", filled=0.97),
            "Churn Reason": p(only, values="a|b|c|d", filled=0.9), "Churn Score": p(score, noise=0.5), "Deactivation Fee": p(paid, some=0.5),
            "Port Out Requested": p(mark, when=0.35, otherwise=0.01), "Retention Call Minutes": p(paid, some=0.5, otherwise=0.1),
        }, values=("No", "Yes"), rate=0.27, weight=2.2,
    ),
    Plan(
        "support tickets", "escalated", {
            "priority": p(words, values="low|normal|high|urgent", cause=0), "channel": p(words, values="mail|chat|phone", cause=1),
            "product": p(words, values="a|b|c|d|e"), "customer_tier": p(words, values="gold|silver|bronze", cause=2), "opened_at": day,
            "queue_length_at_open": strong, "agent_experience_months": p(strong, cause=1), "words_in_first_message": money,
            "tickets_before_90d": fair, "past_escalations": p(fair, cause=0), "attachments": p(fair, cause=2), "sla_hours": p(words, values="4|8|24"),
        }, {
            "resolution_hours": p(length, longer=1.9), "first_contact_resolution": p(mark, when=0.1, otherwise=0.5), "closed_at": later,
            "reopen_count": p(steps, more=1.0), "csat_score": p(score, noise=1.2), "resolution_code": p(state, yes="handed over|refund", no="solved|answered", early="other"),
            "handling_minutes": part, "escalation_level": p(only, values="L2|L3", filled=0.8), "hours_in_pending": p(length, longer=1.3),
        }, values=("no", "yes"), rate=0.25, time="opened_at",
    ),
    Plan(
        "marketing leads", "Converted", {
            "Lead Origin": p(words, values="Form|Import|API", cause=0), "Total Visits": p(strong, cause=0), "Time On Website": p(strong, cause=1),
            "Page Views Per Visit": fair, "Job Title": p(words, values="CEO|Dev|Sales|HR", cause=2), "Company Size": bought, "Company Revenue": bought,
            "Email Opens 14d": p(fair, cause=0), "Country": p(words, values="DE|US|IN|FR"), "Lead Age Days": wait, "Webinar Attended": flag,
            "Ad Cost": money,
        }, {
            "Lead Status": p(state, yes="Customer|Qualified", no="Junk|Not interested", early="New|Contacted", pure=0.7),
            "Disqualified Reason": p(only, values="budget|student|wrong number", filled=-0.5), "Days To Conversion": p(paid, some=1.0, gap=True),
            "Deal Value": p(paid, some=0.9), "Tags": p(state, yes="will pay|closed by phone", no="ringing|lost to other", early="new", pure=0.8),
            "Demo Outcome": p(only, values="good|bad", filled=0.5, otherwise=0.1), "Demo Held At": p(later_if, filled=0.5, otherwise=0.1),
            "Lead Quality": p(score, noise=0.9), "Last Activity": p(state, yes="SMS sent", no="Mail bounced|Unsubscribed", early="Page visited|Mail opened", pure=0.35),
        }, rate=0.35,
    ),
    Plan(
        "free trials", "converted", {
            "active_days_week_1": strong, "invited_users": p(fair, cause=0), "integration_connected": flag, "company_size": bought, "industry_code": bought,
            "signup_channel": p(words, values="ads|organic|partner", cause=2), "sessions_week_1": p(strong, cause=0, noise=0.6), "trial_days": p(words, values="7|14|30"),
            "viewed_pricing_page": p(flag, cause=0), "role": p(words, values="admin|dev|ops"), "trial_end_date": p(agreed, terms=(7, 14, 30)), "trial_start": day,
        }, {
            "days_to_purchase": p(paid, some=0.95, gap=True), "first_invoice_total": p(paid, some=0.9), "payment_method_added_at": p(later_if, filled=0.9, otherwise=0.02),
            "onboarding_fee": p(paid, some=0.4), "trial_outcome_note": p(state, yes="happy", no="too dear|silent", early="-", pure=0.4),
            "upgraded_plan": p(only, values="team|pro", filled=0.8), "days_in_trial": p(length, longer=1.4, spread=0.4), "days_in_setup": p(part, tilt=0.8),
        }, values=("no", "yes"), rate=0.2, time="trial_start",
    ),
    Plan(
        "insurance renewal", "lapsed", {
            "premium": money, "premium_change_pct": p(strong, noise=0.1), "policy_tenure_years": p(strong, cause=1), "claims_3y": fair, "holder_age": gappy,
            "channel": p(words, values="broker|web|branch", cause=1), "payment_method": p(words, values="debit|card|invoice", cause=2), "vehicles": fair,
            "no_claims_years": p(strong, cause=2, noise=0.8), "late_payments_last_year": p(fair, cause=0), "cover": p(words, values="basic|full"),
            "claims_paid_last_3_years": p(strong, cause=2, noise=1.0), "renewal_due": agreed, "written_on": day,
        }, {
            "lapse_code": p(only, values="L1|L2|L9", filled=0.85), "renewal_premium_paid": p(unpaid, when=0.98, otherwise=0.05, size=6),
            "cancellation_fee": p(paid, some=0.25), "days_until_payment": p(length, longer=1.8), "reminders_sent": p(steps, more=1.2),
            "reinstatement_requested": p(mark, when=0.15, otherwise=0.002), "terminated_on": p(later_if, filled=0.9),
        }, rate=0.18, weight=2.2, time="written_on",
    ),
    Plan(
        "online orders", "returned", {
            "price": money, "discount_pct": share, "category": p(words, values="shoes|shirts|books|toys", cause=0), "size_given": flag,
            "past_return_rate": p(strong, cause=0), "promised_delivery_days": p(words, values="1|2|5"), "customer_orders_before": p(strong, cause=1),
            "reviews_read": fair, "items_in_basket": p(fair, cause=2), "coupon": p(flag, cause=2), "device": p(words, values="app|web"), "ordered_at": day,
            "screen_resolution": p(words, values="hd|4k|low"),
        }, {
            "refund_value": p(paid, some=0.95), "return_label_created_at": p(later_if, filled=0.97, otherwise=0.01), "return_reason": p(only, values="size|broken|late", filled=0.8),
            "restocking_cost": p(paid, some=0.6), "final_margin": margin, "support_contacts_after_delivery": p(steps, more=0.9),
            "complaint_text": p(only, values="late|bad|wrong", filled=0.3, otherwise=0.05),
        }, rate=0.22, time="ordered_at",
    ),
    Plan(
        "export with short names", "y", {
            "a1": p(strong, cause=0), "a2": p(strong, cause=1), "a3": fair, "g1": p(words, values="p|q|r", cause=2), "g2": p(words, values="u|v|w"),
            "m1": money, "m2": gappy, "f1": bought, "f2": bought, "k1": flag,
        }, {
            "d2": p(length, longer=1.5), "d1": part, "r": ratio, "x_amt": p(paid, some=0.35, otherwise=0.01), "x_dt": p(later_if, filled=0.8),
            "x_cd": p(only, values="1|2|3", filled=0.8), "x_lv": p(score, noise=1.3), "c9": p(unpaid, when=0.95, otherwise=0.1), "n9": p(steps, more=2.5),
        }, rate=0.3,
    ),
)  # fmt: skip


HELD_OUT = (
    Plan(
        "deals, HubSpot", "hs_is_closed_won", {
            "amount": money, "dealtype": p(words, values="newbusiness|existing", cause=1), "hs_analytics_source": p(words, values="PAID|ORGANIC|OFFLINE", cause=2),
            "num_associated_contacts": fair, "industry": p(words, values="IT|BANK|FOOD", cause=0), "numberofemployees": bought, "annualrevenue": bought,
            "createdate": day, "past_deals_count": strong, "email_replies_30d": p(strong, cause=1), "days_since_first_visit": p(wait, cause=2),
            "hubspot_team": p(words, values="north|south|east"), "meetings_booked_14d": p(fair, cause=0),
        }, {
            "dealstage": p(state, yes="closedwon", no="closedlost", early="contractsent|decisionmakerboughtin", pure=0.75), "closedate": later,
            "days_to_close": length, "hs_time_in_presentationscheduled": part, "closed_lost_reason": p(only, values="price|ghosted", filled=-0.6),
            "hs_closed_amount": p(paid, some=1.0), "hs_deal_stage_probability": p(score, noise=0.4), "closed_won_reason": p(only, values="fit|team", filled=0.35),
            "hs_manual_forecast_category": p(state, yes="CLOSED", no="OMIT", early="PIPELINE|BEST_CASE", pure=0.5), "notes_last_updated_days": p(length, longer=1.5),
        }, values=("false", "true"), rate=0.4, held_out=True,
    ),
    Plan(
        "opportunities, Dynamics", "Result", {
            "estimatedvalue": money, "budgetstatus": p(words, values="none|may buy|can buy|will buy", cause=0), "purchasetimeframe": p(words, values="now|quarter|year", cause=1),
            "customersize": bought, "customerregion": p(words, values="emea|apac|amer"), "createdon": day, "estimatedclosedate": agreed,
            "campaignsource": p(words, values="fair|mail|web", cause=2), "openopportunitiesofowner": fair, "customertenuremonths": strong,
            "activitiesfirst14days": p(strong, cause=1), "decisionmakeridentified": flag,
        }, {
            "actualvalue": p(paid, some=1.0), "actualclosedate": later, "salescycleweeks": length, "statuscode": p(state, yes="3", no="4|5", early="1|2"),
            "stepname": p(state, yes="6-Close", no="2-Develop", early="1-Qualify|3-Propose", pure=0.45), "winlossnotes": p(only, values="x|y|z", filled=0.5, otherwise=0.3),
            "competitorchosen": p(only, values="A|B", filled=-0.4), "closeprobability": p(score, noise=0.6),
        }, values=("Lost", "Won"), rate=0.45, held_out=True,
    ),
    Plan(
        "app subscribers", "left_next_month", {
            "customer_age_days": strong, "tier": p(words, values="s|m|l", cause=1), "monthly_price": money, "minutes_streamed_7d": p(strong, cause=1),
            "minutes_streamed_28d": p(strong, cause=1, noise=0.5), "devices": fair, "recency_days": p(wait, cause=0), "family_plan": flag, "auto_renew": p(flag, cause=0),
            "previous_cancellations": p(fair, cause=2), "cancel_page_visits_30d": p(fair, cause=0), "coupon_used": p(flag, cause=2), "joined_on": day,
            "support_cases_resolved_60d": p(fair, cause=1),
        }, {
            "unsubscribeReason": p(only, values="price|content", filled=0.5), "unsubscribedAt": p(later_if, filled=0.9), "winback_offer_sent": p(mark, when=0.7, otherwise=0.02),
            "win_back_discount": p(paid, some=0.4), "totalRefunded": p(paid, some=0.2), "access_end_date": p(later_if, filled=1.0), "lifetime_months_at_exit": p(paid, some=0.95, gap=True),
            "deactivation_source": p(only, values="web|tv", filled=0.6, otherwise=0.004), "sentiment_after_call": p(score, noise=1.5),
        }, values=(False, True), rate=0.15, held_out=True,
    ),
    Plan(
        "mobile carrier", "PortedOut", {
            "TariffName": p(words, values="S|M|L|XL", cause=1), "MonthsWithUs": p(strong, noise=0.1), "DataUsageGB_M1": p(strong, cause=1), "DataUsageGB_M2": p(strong, cause=1, noise=0.5),
            "VoiceMinutes_M1": p(strong, cause=2), "VoiceMinutes_M2": p(strong, cause=2, noise=0.5), "ContractEndsInDays": p(wait, cause=0), "LateBills12M": fair,
            "ComplaintsLast6M": p(fair, cause=0), "HandsetSubsidy": money, "Age": gappy, "CallCenterContacts3M": p(fair, cause=1), "City": p(words, values="a|b|c|d"),
        }, {
            "PortingAuthCodeIssued": p(mark, when=0.85, otherwise=0.03), "LastBillAmount": p(score, noise=1.3), "EarlyTerminationFee": p(paid, some=0.45),
            "TerminationCode": p(only, values="T1|T2", filled=0.9), "SaveDeskOutcome": p(state, yes="refused", no="kept", early="none", pure=0.3),
            "SimStatus": p(state, yes="blocked", no="live", early="live", pure=0.9), "DaysActiveAfterNotice": p(paid, some=0.6, gap=True),
        }, values=("N", "Y"), rate=0.12, weight=2.2, held_out=True,
    ),
    Plan(
        "help desk", "SLA Breached", {
            "Ticket Type": p(words, values="bug|billing|how to", cause=0), "Ticket Channel": p(words, values="email|social|chat", cause=1), "Created": day,
            "Reporter Plan": p(words, values="free|pro|biz", cause=2), "Open Tickets Of Agent": strong, "Backlog At Creation": p(strong, cause=0, noise=0.6), "Description Length": money,
            "Weekend": flag, "Tickets Last 30 Days": fair, "Reporter Seniority Days": p(strong, cause=2), "Language": p(words, values="en|de|fr"), "Target Hours": p(words, values="4|24|72"),
        }, {
            "Time To First Response": p(length, longer=1.7), "Time To Resolution": whole,
            "Resolution": p(state, yes="Escalated|Workaround", no="Done|Duplicate", early="Other", pure=0.4), "Number Of Reassignments": p(steps, more=1.5),
            "Satisfaction Rating": p(score, noise=1.1), "Resolved On": later, "Share Waiting On Customer": waiting,
            "Compensation Paid": p(paid, some=0.15, otherwise=0.005),
        }, values=("No", "Yes"), rate=0.3, time="Created", held_out=True,
    ),
    Plan(
        "inbound leads", "became_customer", {
            "utm_source": p(words, values="google|linkedin|newsletter", cause=0), "form_type": p(words, values="demo|ebook|contact", cause=1), "visits_before_form": p(strong, cause=1),
            "minutes_on_site": p(strong, cause=0), "employees_range": p(words, values="1-10|11-50|51+", cause=2), "firm_founded": bought, "firm_funding": bought, "firm_tech_count": bought,
            "is_business_mail": flag, "lead_created": day, "opens_7d": fair, "clicks_7d": p(fair, cause=0), "reason_for_contact": p(words, values="price|demo|help", cause=1),
            "cost_per_click": money,
        }, {
            "sales_accepted_at": p(later_if, filled=0.95, otherwise=0.25), "opportunity_amount": p(paid, some=0.95, otherwise=0.1, gap=True), "lost_reason": p(only, values="budget|rival", filled=-0.3),
            "call_attempts": p(steps, more=-1.5), "talk_time_minutes": p(length, longer=1.7), "qualification_result": p(state, yes="fit", no="no fit", early="open", pure=0.55),
            "contract_id": p(only, values="c1|c2|c3|c4", filled=0.98), "hours_to_won": p(paid, some=0.9, gap=True), "lifecycle_stage_now": p(state, yes="customer", no="other|lead", early="lead|mql", pure=0.6),
        }, values=("no", "yes"), rate=0.25, held_out=True,
    ),
    Plan(
        "policies", "not_renewed", {
            "sum_insured": money, "annual_premium": money, "price_increase": p(strong, noise=0.1), "years_insured": p(strong, cause=1), "claim_count_5y": fair, "agent_region": p(words, values="n|s|e|w", cause=2),
            "risk_class": p(words, values="A|B|C", cause=0), "discount_level": share, "policies_in_household": p(fair, cause=1), "instalments": p(words, values="1|2|4|12"),
            "quotes_requested_30d": p(strong, cause=0, noise=0.5), "last_claim_settled_days_ago": gappy, "claim_paid_total_5y": p(strong, cause=2), "policy_start": day,
        }, {
            "termination_letter_date": p(later_if, filled=0.75), "surrender_value_paid": p(paid, some=0.5), "premium_received_next_term": p(unpaid, when=0.95, otherwise=0.1, size=6),
            "exit_interview_done": p(mark, when=0.3, otherwise=0.02), "new_insurer": p(only, values="a|b|c", filled=0.4), "retention_discount": p(paid, some=0.35, otherwise=0.08),
            "weeks_to_decision": p(length, longer=1.5),
        }, values=(0, 1), rate=0.2, weight=2.2, held_out=True,
    ),
    Plan(
        "shop orders", "is_cancelled", {
            "basket_value": money, "payment_type": p(words, values="card|cod|wallet", cause=0), "is_guest": flag, "shipping_distance_km": p(strong, cause=0), "delivery_window_days": p(words, values="1|3|7", cause=1),
            "customer_cancel_rate_before": p(strong, cause=1), "orders_12m": p(strong, cause=2), "stock_at_order": fair, "promo": p(flag, cause=2), "hour": gappy, "placed_at": day, "seller_rating": share,
            "lead_time_days": p(strong, cause=0, noise=0.5),
        }, {
            "cancellation_initiator": p(only, values="buyer|seller", filled=0.9), "refund_processed": p(mark, when=0.9, otherwise=0.02), "shipped_at": p(later_if, filled=0.1, otherwise=0.97),
            "chargeback_cost": p(paid, some=0.1, otherwise=0.001), "order_state": p(state, yes="void", no="done", early="open", pure=0.6), "actual_delivery_days": p(unpaid, when=0.9, otherwise=0.02, size=1.2, gap=True),
            "invoice_total": p(unpaid, when=0.8, otherwise=0.02, size=4), "packing_minutes": p(unpaid, when=0.5, otherwise=0.05, size=2),
        }, values=(False, True), rate=0.2, time="placed_at", held_out=True,
    ),
    Plan(
        "warehouse view", "target", {
            "dim_region": p(words, values="1|2|3|4", cause=1), "dim_band": p(words, values="a|b|c", cause=0), "msr_01": p(strong, cause=0, noise=0.2), "msr_02": p(strong, cause=1),
            "msr_03": fair, "msr_04": money, "ext_01": bought, "ext_02": bought, "ind_a": flag, "ind_b": p(flag, cause=2), "msr_05": share,
        }, {
            "tt_full": p(length, longer=1.7), "tt_first": part, "tt_rel": ratio, "evt_kz": p(only, values="aa|bb", filled=0.4, otherwise=0.004), "evt_ts": p(later_if, filled=0.95),
            "evt_amt": p(paid, some=0.5), "opx": p(paid, some=0.3, otherwise=0.003), "net_res": margin,
        }, rate=0.22, weight=2.2, held_out=True,
    ),
)  # fmt: skip

TABLES: tuple[Callable[[], AuditedTable], ...] = tuple(
    p(draw, plan, seed) for seed, plan in enumerate((*SEEN, *HELD_OUT), start=1)
)
"""Each drawn when it is called, from a seed of its own."""
