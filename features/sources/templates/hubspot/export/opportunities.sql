-- Deals: each as it was created, and once more when it was closed or seen in this export.
--! needs deal
-- DECIDE: a deal is won or lost by the words of its stage, or by 'Is Closed Won'. {{words deal.stage}}. A stage of your own that means won or
--   lost goes into the CASE below.
--! if deal.won_at
-- DECIDE: a won deal is dated by the day on which it entered that stage, any other closed deal by its close date.
--! else
-- DECIDE: a deal is closed on its close date (a day counts once it is over). People set that date by hand; for an open deal it is a plan.
--   The property "Date entered 'Closed Won'" or property history dates it exactly.
--! end
-- DECIDE: stage and amount of a deal are the newest ones, and known from its close or the export on alone.
--! if deal.companies
-- DECIDE: a deal belongs to the first (or primary) company of its cell; {{count deal WHERE len(companies) > 1}} deals have several, and count for one of them.
--! end
--! if deal.contacts
-- DECIDE: a deal comes from the first contact of its cell ({{count deal WHERE len(contacts) > 1}} have several).
--! end
WITH exported AS (
    SELECT max(greatest(created, coalesce(modified, created))) + INTERVAL 1 SECOND AS moment FROM deal
),
judged AS (
    SELECT
        *,
        CASE
            WHEN is_won OR regexp_matches(stage, '(?i)\bwon\b|closedwon') THEN 'won'
            WHEN is_lost OR is_closed OR regexp_matches(stage, '(?i)\blost\b|closedlost|abandon|cancel') THEN 'lost'
            ELSE 'open'
        END AS word
    FROM deal
)
SELECT
    id AS opportunity_id,
    created AS event_time,
    companies[1] AS account_id, --? deal.companies
    contacts[1] AS lead_id, --? deal.contacts
    'not known' AS stage,
    'open' AS status,
    kind, --? deal.kind
    NULL::DOUBLE AS amount, --? deal.amount
FROM judged
UNION ALL BY NAME
SELECT
    id AS opportunity_id,
    greatest(
        created + INTERVAL 1 SECOND,
        CASE word
            WHEN 'won' THEN coalesce(won_at, close_date, moment)
            WHEN 'lost' THEN coalesce(lost_at, close_date, moment)
            ELSE moment
        END
    ) AS event_time,
    companies[1] AS account_id, --? deal.companies
    contacts[1] AS lead_id, --? deal.contacts
    stage,
    word AS status,
    kind, --? deal.kind
    amount, --? deal.amount
FROM judged CROSS JOIN exported
