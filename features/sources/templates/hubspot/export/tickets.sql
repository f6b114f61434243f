-- Tickets: each as it was opened, and once more when it was closed or seen in this export.
--! needs ticket
--! only if ticket.companies
--! left out: no company | associate the ticket with a company in HubSpot | ticket WHERE companies[1] IS NULL
-- DECIDE: a ticket is closed on its close date; priority is the newest one, from the opening on.
WITH exported AS (
    SELECT max(greatest(created, coalesce(modified, created), coalesce(closed_at, created))) + INTERVAL 1 SECOND AS moment FROM ticket
)
SELECT id AS ticket_id, companies[1] AS account_id, created AS event_time, 'open' AS status, priority
FROM ticket
WHERE companies[1] IS NOT NULL
UNION ALL BY NAME
SELECT
    id AS ticket_id,
    companies[1] AS account_id,
    greatest(coalesce(closed_at, moment), created + INTERVAL 1 SECOND) AS event_time,
    CASE
        WHEN closed_at IS NOT NULL OR regexp_matches(status, '(?i)clos|solv') THEN 'closed'
        WHEN regexp_matches(status, '(?i)wait|hold|pend') THEN 'pending'
        ELSE 'open'
    END AS status,
    priority
FROM ticket CROSS JOIN exported
WHERE companies[1] IS NOT NULL
