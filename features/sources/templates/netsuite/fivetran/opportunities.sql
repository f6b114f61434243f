-- Opportunities: each as it was entered, and once more when it was closed.
--! needs transaction
--! only if transaction.entity or line.entity
--! left out: deleted in NetSuite | nothing | transaction WHERE deleted AND kind IN ('Opprtnty', 'OPP')
-- DECIDE: C is closed won, D is closed lost; both are dated by the close date (a day counts once it is over), else known from the last sync on alone.
-- DECIDE: the amount is the newest one, and known from the close or the last sync on alone.
WITH deal AS (
    SELECT
        t.*,
        coalesce(t.entity, l.entity) AS company,
        CASE WHEN t.status IN ('C', 'Opprtnty:C', 'Closed Won') THEN 'won' WHEN t.status IN ('D', 'Opprtnty:D', 'Closed Lost') THEN 'lost' ELSE 'open' END AS word,
        coalesce(t.created, t.day) AS began,
        max(coalesce(t.synced, t.created, t.day)) OVER () AS moment
    FROM transaction AS t LEFT JOIN (SELECT transaction AS id, any_value(entity) AS entity FROM line WHERE main GROUP BY 1) AS l USING (id)
    WHERE t.kind IN ('Opprtnty', 'OPP') AND t.deleted IS NOT TRUE
    QUALIFY row_number() OVER (PARTITION BY t.id ORDER BY coalesce(t.active, true) DESC) = 1
)
SELECT id AS opportunity_id, company AS account_id, began AS event_time, 'not known' AS stage, 'open' AS status, NULL::DOUBLE AS amount FROM deal
UNION ALL BY NAME
SELECT
    id AS opportunity_id,
    company AS account_id,
    greatest(CASE word WHEN 'open' THEN moment ELSE coalesce(closed, moment) END, began + INTERVAL 1 SECOND) AS event_time,
    coalesce(status, word) AS stage,
    word AS status,
    abs(total) * coalesce(rate, 1) AS amount
FROM deal
