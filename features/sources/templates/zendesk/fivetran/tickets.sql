-- Tickets: each as it was opened, each change of status and priority, the first answer, and its rating.
--! needs ticket
--! left out: deleted, or spam | nothing | ticket WHERE deleted OR status = 'deleted'
--! left out: merged into another ticket | nothing: the ticket that is left counts | ticket WHERE id IN (SELECT unnest(regexp_extract_all(merged, '[0-9]+')) FROM ticket WHERE merged IS NOT NULL)
--! left out: of nobody with an organization | give the requester an organization in Zendesk | ticket AS t LEFT JOIN person AS p ON p.id = t.requester WHERE coalesce(t.organization, p.organization) IS NULL
-- DECIDE: a ticket belongs to its organization, else to the one that its requester has today.
--! if change
-- DECIDE: status and priority are read from ticket_field_history, each from the moment on at which it was set. It begins on {{first change.changed}}.
--! else
-- DECIDE: there is no ticket_field_history, so this is the newest state alone: a ticket is closed when it was last changed, and its priority stands
--   from the opening on. Sync that table.
--! end
--! if not comment
-- DECIDE: there are no comments: how long a first answer took is not known. Sync ticket_comment.
--! end
WITH gone AS (SELECT unnest(regexp_extract_all(merged, '[0-9]+')) AS id FROM ticket WHERE merged IS NOT NULL),
kept AS (
    SELECT t.*, coalesce(t.organization, p.organization) AS company
    FROM ticket AS t LEFT JOIN person AS p ON p.id = t.requester
    WHERE t.deleted IS NOT TRUE AND t.status IS DISTINCT FROM 'deleted' AND t.id NOT IN (SELECT id FROM gone)
),
event AS (
    SELECT id, created AS since, 'open' AS status, NULL::VARCHAR AS priority, NULL::BIGINT AS answer, NULL::BIGINT AS satisfaction FROM kept
    --! if change
    UNION ALL
    SELECT k.id, greatest(c.changed, k.created), CASE WHEN c.property = 'status' THEN c.value END, CASE WHEN c.property = 'priority' THEN c.value END, NULL, NULL
    FROM change AS c JOIN kept AS k ON k.id = c.ticket
    WHERE c.property IN ('status', 'priority') AND c.value IS NOT NULL
    UNION ALL
    SELECT id, greatest(coalesce(updated, synced), created + INTERVAL 1 SECOND), status, priority, NULL, NULL
    FROM kept WHERE id NOT IN (SELECT ticket FROM change WHERE property = 'status')
    --! else
    UNION ALL
    SELECT id, greatest(coalesce(updated, synced), created + INTERVAL 1 SECOND), status, priority, NULL, NULL FROM kept
    UNION ALL
    SELECT id, created, NULL, priority, NULL, NULL FROM kept
    --! end
    UNION ALL
    SELECT k.id, min(c.created), NULL, NULL, date_diff('minute', any_value(k.created), min(c.created)), NULL
    FROM comment AS c JOIN kept AS k ON k.id = c.ticket JOIN person AS p ON p.id = c.person
    WHERE c.is_public IS NOT FALSE AND p.role IN ('agent', 'admin') AND c.created >= k.created
    GROUP BY 1
    UNION ALL
    SELECT k.id, r.created, NULL, NULL, NULL, CASE WHEN r.score LIKE 'good%' THEN 5 WHEN r.score LIKE 'bad%' THEN 1 END
    FROM rating AS r JOIN kept AS k ON k.id = r.ticket WHERE r.created IS NOT NULL
),
once AS (
    SELECT id, since, max_by(status, CASE status WHEN 'closed' THEN 3 WHEN 'solved' THEN 2 WHEN 'open' THEN 1 ELSE 0 END) AS status, max(priority) AS priority, max(answer) AS answer, max(satisfaction) AS satisfaction
    FROM event GROUP BY 1, 2
),
version AS (
    SELECT
        id,
        since,
        last_value(status IGNORE NULLS) OVER w AS status,
        last_value(priority IGNORE NULLS) OVER w AS priority,
        last_value(answer IGNORE NULLS) OVER w AS answer,
        last_value(satisfaction IGNORE NULLS) OVER w AS satisfaction
    FROM once
    WINDOW w AS (PARTITION BY id ORDER BY since)
)
SELECT
    v.id AS ticket_id,
    k.company AS account_id,
    v.since AS event_time,
    CASE v.status
        WHEN 'new' THEN 'open' WHEN 'solved' THEN 'closed' WHEN 'hold' THEN 'pending'
        WHEN 'open' THEN CASE WHEN bool_or(v.status IN ('solved', 'closed')) OVER (PARTITION BY v.id ORDER BY v.since ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) THEN 'reopened' ELSE 'open' END
        ELSE v.status
    END AS status,
    v.priority,
    v.answer AS first_response_minutes, --? comment
    v.satisfaction, --? rating
FROM version AS v JOIN kept AS k USING (id)
WHERE k.company IS NOT NULL
