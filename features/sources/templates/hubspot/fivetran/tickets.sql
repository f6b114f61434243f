-- Tickets: each as it was opened, and once more when it was answered and closed.
--! needs ticket, ticket_company
--! left out: deleted in HubSpot | nothing | ticket WHERE deleted
--! left out: no company | associate the ticket with a company in HubSpot | ticket WHERE deleted IS NOT TRUE AND id NOT IN (SELECT ticket FROM ticket_company)
-- DECIDE: a ticket is closed on its close date; one that was opened again since and closed once more was closed at the second time alone.
-- DECIDE: priority is the newest one, from the opening on.
WITH of_company AS (SELECT ticket AS id, min(company) AS company FROM ticket_company GROUP BY 1),
kept AS (SELECT t.*, c.company FROM ticket AS t JOIN of_company AS c USING (id) WHERE t.deleted IS NOT TRUE)
SELECT id AS ticket_id, company AS account_id, created AS event_time, 'open' AS status, priority, NULL::BIGINT AS first_response_minutes FROM kept
UNION ALL BY NAME
SELECT id AS ticket_id, company AS account_id, answered_at AS event_time, 'pending' AS status, priority, date_diff('minute', created, answered_at) AS first_response_minutes
FROM kept WHERE answered_at > created AND answered_at < coalesce(closed_at, answered_at + INTERVAL 1 SECOND)
UNION ALL BY NAME
SELECT id AS ticket_id, company AS account_id, greatest(closed_at, created + INTERVAL 1 SECOND) AS event_time, 'closed' AS status, priority,
    CASE WHEN answered_at <= closed_at THEN date_diff('minute', created, answered_at) END AS first_response_minutes
FROM kept WHERE closed_at IS NOT NULL
