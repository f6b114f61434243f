-- Deals: each as it was opened, its stages where there is a history, and once more when it was closed or seen in this export.
--! needs opportunity
--! left out: deleted in Salesforce | nothing | opportunity WHERE deleted
-- DECIDE: a deal is won or lost by its stage ('Closed Won', 'Closed Lost' ...) or by IsClosed and IsWon. {{words opportunity.stage}}.
--! if stage_history
-- DECIDE: stages are dated by OpportunityHistory; a deal is closed when it first came to a closed stage.
--! else
--! if opportunity.stage_changed
-- DECIDE: a deal is closed at LastStageChangeDate. A deal whose stage was changed after it had been closed is closed later than it was.
--! else
-- DECIDE: a deal is closed at the end of CloseDate, and not after its last change. People set CloseDate by hand: a deal that was booked late is
--   known earlier than it was. OpportunityHistory.csv beside these files dates it exactly.
--! end
-- DECIDE: the stage of an open deal and the amount of every deal are the newest ones, and known from its close or the export on alone.
--! end
WITH exported AS (
    SELECT max(greatest(created, coalesce(modified, created))) + INTERVAL 1 SECOND AS moment FROM opportunity
),
deal AS (
    SELECT
        o.*,
        CASE
            WHEN won OR regexp_matches(stage, '(?i)\bwon\b') THEN 'won'
            WHEN closed OR regexp_matches(stage, '(?i)\blost\b|abandon|cancel|omitted') THEN 'lost'
            ELSE 'open'
        END AS word,
        l.lead AS lead
    FROM opportunity AS o
    LEFT JOIN (SELECT converted_opportunity, min(id) AS lead FROM lead GROUP BY 1) AS l ON l.converted_opportunity = o.id
    WHERE o.deleted IS NOT TRUE
)
--! if stage_history
,
change AS (
    SELECT
        opportunity, created, stage, amount,
        CASE
            WHEN regexp_matches(stage, '(?i)\bwon\b') THEN 'won'
            WHEN regexp_matches(stage, '(?i)\blost\b|abandon|cancel|omitted') THEN 'lost'
            ELSE 'open'
        END AS word
    FROM stage_history
)
--! end
SELECT
    id AS opportunity_id,
    created AS event_time,
    account AS account_id, --? opportunity.account
    lead AS lead_id, --? lead.converted_opportunity
    'not known' AS stage,
    'open' AS status,
    kind, --? opportunity.kind
    NULL::DOUBLE AS amount, --? opportunity.amount
FROM deal
--! if stage_history
UNION ALL BY NAME
SELECT
    d.id AS opportunity_id,
    greatest(c.created, d.created + INTERVAL 1 SECOND) AS event_time,
    d.account AS account_id, --? opportunity.account
    d.lead AS lead_id, --? lead.converted_opportunity
    c.stage,
    c.word AS status,
    d.kind, --? opportunity.kind
    c.amount, --? opportunity.amount
FROM deal AS d JOIN change AS c ON c.opportunity = d.id
UNION ALL BY NAME
-- Deals without a row of history.
--! else
UNION ALL BY NAME
--! end
SELECT
    id AS opportunity_id,
    CASE
        WHEN word = 'open' THEN greatest(moment, created + INTERVAL 1 SECOND)
        --! if opportunity.stage_changed
        ELSE greatest(coalesce(stage_changed, modified, moment), created + INTERVAL 1 SECOND)
        --! else
        ELSE greatest(coalesce(least(close_date, modified), close_date, modified, moment), created + INTERVAL 1 SECOND)
        --! end
    END AS event_time,
    account AS account_id, --? opportunity.account
    lead AS lead_id, --? lead.converted_opportunity
    coalesce(stage, word) AS stage,
    word AS status,
    kind, --? opportunity.kind
    amount, --? opportunity.amount
FROM deal CROSS JOIN exported
--! if stage_history
WHERE id NOT IN (SELECT opportunity FROM change)
--! end
