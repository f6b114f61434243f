"""A sample company of any size from a seed, with the true probability of every outcome beside it.

    python -m features simulate [--out DIR] [--accounts 2000] [--leads 8000] [--days 730] [--end TODAY] [--seed 7]
                                [--usage-events N] [--change DATE|never]

It writes DIR/<table>.parquet for each canonical table without the ready outcomes, `usage` as one file a month in order of
time (DIR/usage/2025-03.parquet), and DIR/truth.parquet. The source `sample` reads them. This page states the mechanics;
the names in capitals are in `features.simulate.parameters`, which holds the numbers (those written here are tested
against it). All rates are per week, and the chance within a week is 1 - exp(-rate).

**Time.** Weeks start at 00:00 UTC on days since 1970 that are divisible by 7 (Thursdays), so that each as_of of the
28-day grid starts a week. Nothing in the tables happened or became known at or after `end`. Ids are given in order of
first appearance. Money is USD.

**Any end.** A seed and its sizes are one company, whatever the day that it ends on: who comes, what is agreed and how it ends
lie alike. It is drawn as if it ended on 2026-01-01 and moved by whole steps of the 28-day grid of as_of, so that each as_of sees the
same company; an `end` inside a step cuts the days from it on, up to 27. So the months of its contracts are as long as those before
2026, a day or two off those of another year. What hangs on the date is the season of the usage, how many as_of are over by then, and
that nobody is founded before 1971.

**No future in it.** Everything visible of week w is drawn from the latent state of week w and from what is agreed, never
from how things end: a deal is opened, a user lost or an invoice paid late at the rate of the state, whether or not the
company leaves afterwards. So, given the latent states, the signals say nothing more about the outcome. Two companies
of one seed that differ in the change of regime have the same rows and the same truth until then (but for the scale that
makes the total of the usage events); a test compares them.

**Random numbers.** Each draw has its own stream, named by the seed, the part and the number of the draw or of the week,
over rows in order of time. Drawing is in numpy on one thread, so that a seed, its sizes and the end give the same bytes
whatever the machine's number of cores.

Leads
-----
- A lead comes on any second of the window alike, by CHANNELS in CHANNEL_SHARE, with a campaign of its channel, a person
  (SENIORITIES in SENIORITY_SHARE, DEPARTMENTS in DEPARTMENT_SHARE) and a company (INDUSTRIES in INDUSTRY_SHARE; employees
  lognormal around 120). Leads of the CRM's
  prospects have their `account_id` from the start (KNOWN_COMPANY_SHARE of the leads, as far as there are prospects);
  the others get it in the version row of their conversion. `FREE_MAIL_SHARE` = 0.16 write from a free mail provider.
  Trials: all of channel product, half of `TRIAL_SHARE` = 0.15 of the others. 1.2 % objected to scoring.
- `SECOND_LEAD_SHARE` = 0.14 of the business leads are planned as second leads of a company that has one, after an
  exponential time of mean `SECOND_LEAD_MEAN_DAYS` = 28. When the company was closed before, the lead is another company's
  first. Leads of one company share one buying process: they convert, or are given up, together.
- **Intent** (INTENT: cold, curious, evaluating, buying) starts by channel (FIRST_INTENT) in the week in which the lead
  becomes known and moves once a week (INTENT_STEP). In each later week the company buys at the rate CONVERSION_RATE of
  its intent times exp(effects), or is disqualified at DISQUALIFICATION_RATE, at the latest after `STALE_WEEKS` = 26.
  Effects: CHANNEL_EFFECT, SENIORITY_EFFECT, DEPARTMENT_EFFECT, INDUSTRY_LEAD_EFFECT, `FREE_MAIL_EFFECT` = -0.6,
  `TRIAL_EFFECT` = 0.25, and `SIZE_EFFECT` = -0.12 a squared step of ln(employees / 150). Those of the first lead count.
- **Seen of it**: touches at the rates LEAD_TOUCHES times a lognormal habit of the lead (sigma 0.2) and, in the first
  `EAGER_WEEKS` = 3 weeks, `EAGER_FACTOR` = 1.8; the touch that made the lead (FIRST_TOUCHES, FIRST_TOUCH_SHARE), outbound
  ones without it; status qualified at QUALIFIED_RATE; an opportunity at OPPORTUNITY_RATE, later a proposal; both
  end won or lost with the deal. Status working comes hours to days after the lead, whatever its intent.
- A company that buys wins its opportunity, is from then on a customer account (a prospect changes its kind), and its paid
  subscription starts within two days.

Accounts
--------
- Besides those that come from leads: ROLE_SHARE gives standing customers from before the window (tenure exponential,
  mean 480 days), sign-ups during it (45 % after a trial of two weeks), trials that come to nothing, prospects, partners,
  internal, test and competitor accounts (the first two use the product like customers). 0.8 % objected to scoring from
  the start, 0.6 % later on.
- **Contracts**: terms of TERMS_MONTHS months in TERM_SHARE; `AUTO_RENEW_SHARE` = 0.6 renew by themselves; 55 % of the
  yearly and a tenth of the others have a discount of 5 to 30 %; seats lognormal (`SEATS_MEDIAN` = 6.0, `SEATS_SIGMA` = 0.85, more in
  larger companies, at most `SEATS_MAX` = 400); plan and price a seat follow the seats; `ADD_ON_SHARE` = 0.22 have a second
  contract for an add-on that ends with the main one or is dropped before (ADD_ON_DROP_RATE). Terms end at 00:00 UTC of
  the same day of a later month. Renewals of yearly contracts are opportunities, opened 60 days before.
- **Health** (HEALTH: thriving, good, steady, fading, failing) starts in FIRST_HEALTH, for standing customers in
  STANDING_HEALTH, and moves once a week (HEALTH_STEP).
- **Leaving**, in each week after the first of the contract, at rates times exp(`SEATS_EFFECT` = -0.14 a step of ln(seats at
  the start / 8), INDUSTRY_EXIT_EFFECT, CHANNEL_EXIT_EFFECT). By NOTICE_RATE, in the NOTICE_WEEKS weeks before that of the
  renewal, the account gives notice and leaves at the end of the term. By NO_RENEWAL_RATE, in the week of the renewal, the
  contract lapses at the end of its term without a notice (times `AUTO_RENEW_FACTOR` = 0.25 when it renews by itself);
  `FREE_SHARE` = 0.4 of these go on with the free plan. By EARLY_EXIT_RATE, in other weeks but the first
  `PROTECTED_WEEKS` = 13, it gives notice in the middle of a term and leaves `EARLY_EXIT_DAYS` = 30 days after that day.
- **Coming back**: `RETURN_SOON_CHANCE` = 0.05 of those that left begin a new contract 2 to 26 days later (no churn),
  `RETURN_LATER_CHANCE` = 0.1 after 45 to 300 days (churn, then reactivation), each for a year.
- **Seats** grow at EXPANSION_RATE by 10 to 40 % and shrink at CONTRACTION_RATE likewise; 60 % of the expansions to 15
  seats or more are opportunities won.
- **Usage**: events of a week are Poisson around seats x ACTIVE_SHARE x INTENSITY x habit of the account (lognormal,
  sigma 0.3) x season x noise (gamma, 25 %), scaled so that the expected total is `--usage-events` (`EVENTS_PER_ACCOUNT` = 625
  by default), at half the level in a contract's first week, full after six. ACTIVE_SHARE of the seats are the people of
  a week; a few do most of it. The first among them is the key user, lost to a successor at KEY_USER_LOSS_RATE; each other
  place has a new holder after 45 to 172 weeks. BREADTH is how many features they get around to, ERROR_SHARE and
  ADMIN_SHARE the kinds, the quantity geometric with mean `QUANTITY_MEAN` = 3.0. Season: WEEKDAY, working hours of the
  region, dips in summer (`YEAR_DIP_SUMMER` = 0.15) and around New Year (`YEAR_DIP_WINTER` = 0.35), growth of
  `GROWTH_A_YEAR` = 0.08. Free plans have half the seats and the use of a fading account.
- **Tickets** at TICKET_RATE x sqrt(seats / 8), with first response, escalation (ESCALATED_SHARE), reopening
  (REOPENED_SHARE) and, for half of them, a rating around SATISFACTION_MEAN, each a version row at its time.
- **Invoices** a month (monthly terms) or a quarter, due after 14 or 30 days, paid in time or late (LATE_PAYER_SHARE, median
  12 days), with refused payments (FAILED_PAYMENT_SHARE); 0.4 % are void.
- **Touches** at ACCOUNT_TOUCHES; **contacts**, three an account on average, leave at CONTACT_LEAVES_RATE.
- **Who looks after whom**: an account has an owner of the team of its region, one team for customers and one for the others, each
  of a person for ACCOUNTS_A_PERSON accounts; a lead one of a third team (LEADS_A_PERSON) once it is worked on. No team is larger than
  `TEAM_MOST` = 40, and `UNOWNED_SHARE` = 0.06 have nobody. `CHILD_SHARE` = 0.08 belong to an account that came before, one of the
  groups (`GROUP_SHARE` = 0.03). Marketing has the larger ones on its list, in tiers by TARGET_EMPLOYEES, and of these `TARGET_SHARE` = 0.6.
  Nothing else hangs on it: owners and lists know nothing of an outcome.
- **Missing**: 12 % of employees, 25 % of revenue, 6 % of industries of accounts; more on leads, by channel. **Late**:
  LATE_SHARE of the rows are known hours to weeks after they happened (lognormal, `LATE_MEDIAN_HOURS` = 18.0, `LATE_SIGMA` = 1.3,
  at most `LATE_MAX_DAYS` = 21); never the rows that end a deal or a contract.

The change of regime
--------------------
From one week on (`--change`, by default after 40 % of the history): CHANNEL_EFFECT_AFTER_CHANGE for all open leads (paid
leads get worse, those of partners better); exit rates times TERM_FACTOR_AFTER_CHANGE; steps to worse health more
likely by `DECLINE_FACTOR_AFTER_CHANGE` = 1.15; prices up by `PRICE_RISE` = 0.12 for terms that begin from then on.

The truth
---------
`truth.parquet` has entity, entity_id, as_of, horizon_days and probability for each as_of of the grid inside the window,
each entity that is eligible then as the tables show it (known before as_of, open or paying, no notice, not internal,
test or competitor, no objection), and HORIZONS_DAYS. It is the exact P(outcome in [as_of, as_of + horizon)) given the
latent state of the week before as_of and all that is agreed, by products of the weekly matrices with the ways out as
competing risks; a change of regime inside the horizon is in it. Outcomes as `features` defines them: the last paid
contract ends and none begins within 30 days; the lead's company wins an opportunity. No model can do better on
average than this probability, whatever it knows of the past.
"""

from features.simulate.command import simulate_command
from features.simulate.company import simulate

__all__ = ["simulate", "simulate_command"]
