-- Deals: each as it was opened, and each later version.
--! only if opportunity or opportunity_history
--! if opportunity_history
--! left out: deleted in Salesforce | nothing | (SELECT 1 FROM opportunity_history GROUP BY id HAVING arg_max(deleted, since))
-- DECIDE: versions are those of the history table, each true from its _fivetran_start on. It begins on {{first opportunity_history.since}}. A deal
--   that was closed in its first version already is dated by its close date, and not after that version.
-- DECIDE: a deal is won or lost by its stage ('Closed Won', 'Closed Lost' ...) or by is_closed and is_won. {{words opportunity_history.stage}}.
--! else
--! left out: deleted in Salesforce | nothing | opportunity WHERE deleted
-- DECIDE: there is no opportunity_history, so this is the newest state alone: stage and amount are known from the close or the last change of any
--   deal on, and a deal is closed at the end of its close date, not after its last change. Switch on history mode.
-- DECIDE: a deal is won or lost by its stage ('Closed Won', 'Closed Lost' ...) or by is_closed and is_won. {{words opportunity.stage}}.
--! end
WITH judged AS (
    SELECT
        *,
        CASE
            WHEN won OR regexp_matches(stage, '(?i)\bwon\b') THEN 'won'
            WHEN closed OR regexp_matches(stage, '(?i)\blost\b|abandon|cancel|omitted') THEN 'lost'
            ELSE 'open'
        END AS word
    FROM (
        --! if opportunity_history
        SELECT * FROM opportunity_history
        QUALIFY NOT coalesce(last_value(deleted) OVER (PARTITION BY id ORDER BY since ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING), false)
        --! else
        SELECT *, max(greatest(created, coalesce(modified, created))) OVER () + INTERVAL 1 SECOND AS since
        FROM opportunity
        WHERE deleted IS NOT TRUE
        --! end
    )
),
numbered AS (SELECT *, row_number() OVER (PARTITION BY id ORDER BY since) AS number FROM judged),
version AS (
    SELECT
        *,
        CASE
            WHEN number = 1 AND word <> 'open' THEN greatest(coalesce(least(close_date, modified, since), since), created + INTERVAL 1 SECOND)
            ELSE since
        END AS moment
    FROM numbered
),
came AS (SELECT converted_opportunity, min(id) AS lead FROM lead GROUP BY 1)
SELECT
    v.id AS opportunity_id,
    v.created AS event_time,
    v.account AS account_id, --? opportunity.account or opportunity_history.account
    c.lead AS lead_id, --? lead.converted_opportunity
    'not known' AS stage,
    'open' AS status,
    v.kind, --? opportunity.kind or opportunity_history.kind
    NULL::DOUBLE AS amount, --? opportunity.amount or opportunity_history.amount
FROM version AS v LEFT JOIN came AS c ON c.converted_opportunity = v.id
WHERE v.number = 1 AND v.created < v.moment
UNION ALL BY NAME
SELECT
    v.id AS opportunity_id,
    v.moment AS event_time,
    v.account AS account_id, --? opportunity.account or opportunity_history.account
    c.lead AS lead_id, --? lead.converted_opportunity
    coalesce(v.stage, v.word) AS stage,
    v.word AS status,
    v.kind, --? opportunity.kind or opportunity_history.kind
    v.amount, --? opportunity.amount or opportunity_history.amount
FROM version AS v LEFT JOIN came AS c ON c.converted_opportunity = v.id
