-- Cases: each as it was opened, and once more when it was closed or seen in this export.
--! needs support_case
--! left out: deleted in Salesforce | nothing | support_case WHERE deleted
--! left out: no account | enter the account of the case in Salesforce | support_case WHERE account IS NULL AND deleted IS NOT TRUE
-- DECIDE: a case is closed when it has a ClosedDate, whatever its status says ({{count support_case WHERE closed_at IS NOT NULL AND NOT regexp_matches(status, '(?i)clos|solv')}} have one and another status), and
--   without one when its status says so, from the export on ({{count support_case WHERE closed_at IS NULL AND regexp_matches(status, '(?i)clos|solv')}}).
-- DECIDE: priority is the newest one, from the opening on; escalated is known from the close or the export on alone.
WITH exported AS (
    SELECT max(greatest(created, coalesce(modified, created), coalesce(closed_at, created))) + INTERVAL 1 SECOND AS moment FROM support_case
),
ticket AS (SELECT * FROM support_case WHERE deleted IS NOT TRUE AND account IS NOT NULL)
SELECT
    id AS ticket_id,
    account AS account_id,
    created AS event_time,
    'open' AS status,
    priority, --? support_case.priority
    NULL::BOOLEAN AS escalated, --? support_case.escalated
FROM ticket
UNION ALL BY NAME
SELECT
    id AS ticket_id,
    account AS account_id,
    greatest(coalesce(closed_at, moment), created + INTERVAL 1 SECOND) AS event_time,
    CASE
        WHEN closed_at IS NOT NULL OR regexp_matches(status, '(?i)clos|solv') THEN 'closed'
        WHEN regexp_matches(status, '(?i)hold|wait|pend|progress|work') THEN 'pending'
        ELSE 'open'
    END AS status,
    priority, --? support_case.priority
    escalated, --? support_case.escalated
FROM ticket CROSS JOIN exported
